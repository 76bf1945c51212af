"""A whole Baton as its users have it: `baton up` and workers as processes, spoken to over HTTP."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import orjson

API_KEY = "key-of-the-tests-0123456789"
WORKER_SECRET = "secret-of-the-tests-0123456789"
FINAL = ("completed", "failed", "cancelled")


class Process:
    """A child in a session of its own; its output goes to a file that a failing test can show."""

    def __init__(self, command: list[str], output: Path, environment: Mapping[str, str]) -> None:
        self.output = output
        with output.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def stall(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def destroy(self) -> None:
        """As `kill`, for whoever cannot await."""
        self._process.kill()
        self._process.wait(30)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        if self.is_alive:
            self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, 30)


class Baton:
    """One `baton up` on a data folder; `start` again after a kill adopts what is there."""

    def __init__(self, folder: Path, *arguments: str, workers: str = "none", lease: float = 15.0) -> None:
        self.folder = folder
        self._arguments = ["--workers", workers, *arguments]
        self._environment = {
            "BATON_API_KEY": API_KEY,
            "WORKER_SECRET": WORKER_SECRET,
            "BATON_LEASE_SECONDS": str(lease),
        }
        self._environment.setdefault("PYTHONUNBUFFERED", "1")
        self._port = 0
        self._workers: list[Process] = []
        self._session: aiohttp.ClientSession | None = None
        self.process: Process | None = None
        self.url = ""

    async def __aenter__(self) -> "Baton":
        self._session = aiohttp.ClientSession()
        try:
            await self.start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        for worker in self._workers:
            await worker.kill()
        if self.process is not None:
            await self.process.stop()
        if self._session is not None:
            await self._session.close()

    async def start(self) -> None:
        """Start and wait until it is ready. After the first time it listens on the same port again."""
        address = self.folder / "orchestrator.json"
        address.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "orchestrator", "up", "--port", str(self._port)]
        command += ["--data-dir", str(self.folder), *self._arguments]
        self.process = process = Process(command, self.folder / "baton.log", self._environment)

        def announced() -> bool:
            assert process.is_alive, process.output.read_text()
            return address.exists()

        await until(announced, "baton up announces its address")
        self.url = orjson.loads(address.read_bytes())["url"]
        self._port = int(self.url.rpartition(":")[2])
        await self.until_answer("/api/readyz", lambda status, _: status == 200)

    async def worker(self, module: str, *arguments: str, others: Sequence["Baton"] = ()) -> Process:
        """A worker process made with the kit, which may turn to the others as well."""
        urls = ",".join([self.url, *(other.url for other in others)])
        command = [sys.executable, "-P", "-m", "workers.kit", module, "--orchestrator", urls]
        folder = self.folder / f"worker-{len(self._workers)}"
        folder.mkdir()
        command += ["--data-dir", str(folder), *arguments]
        return self.spawn(command, folder / "worker.log")

    def spawn(self, command: list[str], output: Path, **environment: str) -> Process:
        """Any worker process; it learns the orchestrator and the secret from its environment."""
        known = {"BATON_URL": self.url, "WORKER_SECRET": WORKER_SECRET}
        process = Process(command, output, {**known, **environment})
        self._workers.append(process)
        return process

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON document of a client's call."""
        assert self._session is not None
        data = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        given = {"X-API-Key": API_KEY} if headers is None else headers
        async with self._session.request(method, self.url + path, data=data, headers=given) as response:
            content = await response.read()
            return response.status, orjson.loads(content) if content else None

    async def execute(self, template: str, given: Any = None, **fields: Any) -> str:
        """Post an execution; returns its id."""
        status, answer = await self.call(
            "POST", "/api/pipelines/execute", {"template": template, "input": given or {}, **fields}
        )
        assert status == 202, answer
        execution_id: str = answer["executionId"]
        return execution_id

    async def publish(self, source: str) -> None:
        status, answer = await self.call("POST", "/api/templates", source.encode())
        assert status == 201, answer

    async def execution(self, execution_id: str) -> dict[str, Any]:
        status, document = await self.call("GET", f"/api/executions/{execution_id}")
        assert status == 200, document
        assert isinstance(document, dict)
        return document

    async def finished(self, execution_id: str, seconds: float = 30) -> dict[str, Any]:
        """The execution's document once its status is final."""
        return await self.reached(execution_id, lambda document: document["status"] in FINAL, seconds)

    async def ended(self, execution_id: str) -> None:
        """Return with the execution's `end` event."""
        assert self._session is not None
        path = f"{self.url}/api/executions/{execution_id}/events"
        async with self._session.get(path, headers={"X-API-Key": API_KEY}) as stream:
            async for line in stream.content:
                if line == b"event: end\n":
                    return
        raise AssertionError("the stream of events ended without an end")

    async def reached(
        self, execution_id: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 30
    ) -> dict[str, Any]:
        """The execution's document once the condition holds for it."""
        _, document = await self.until_answer(
            f"/api/executions/{execution_id}", lambda status, answer: status == 200 and condition(answer), seconds
        )
        assert isinstance(document, dict)
        return document

    async def until_worker(self, worker_id: str, condition: Callable[[dict[str, Any]], bool] | None = None) -> None:
        """Return when the worker is in reach."""
        held = condition or (lambda document: document["status"] == "ready")
        await self.until_answer(f"/api/workers/{worker_id}", lambda status, answer: status == 200 and held(answer))

    async def until_answer(
        self, path: str, condition: Callable[[int, Any], bool], seconds: float = 30
    ) -> tuple[int, Any]:
        last: tuple[int, Any] = (0, None)
        async with asyncio.timeout(seconds) as bound:
            while True:
                try:
                    last = await self.call("GET", path)
                except aiohttp.ClientError:
                    last = (0, None)
                if condition(*last):
                    return last
                await pause()
        raise AssertionError(f"{path} did not come to it within {bound.when()}: {last}")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


async def pause() -> None:
    """Give others the time of one poll: the far side of a process boundary has no signal to wait on."""
    await asyncio.to_thread(os.sched_yield)
    woken = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, woken.set)
    await woken.wait()


async def until_holds(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 30) -> None:
    """As `until`, for what has to be asked for."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await pause()
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


async def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Poll another process's state."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await pause()
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
