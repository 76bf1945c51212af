"""The two workers that know nothing but their language's standard library keep the protocol, over real HTTP."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from protocol.codec import loads
from protocol.packets import HandshakeAnswer, ProcessAnswer, Registration

WORKERS = Path(__file__).with_name("stdlib_workers")
PYTHON = pytest.param((sys.executable, "worker.py"), id="python")
NODE = pytest.param(
    ("node", "worker.mjs"), id="node", marks=pytest.mark.skipif(not shutil.which("node"), reason="needs node")
)
SECRET = "a secret of the tests"
HEADERS = {"Authorization": f"Bearer {SECRET}", "X-Worker-ID": "the-orchestrator"}
MOST_LINES = 40
LONGEST_WAIT_S = 20


@dataclass(frozen=True, slots=True)
class Introduction:
    """A registration, the headers it came with, and the status of a call to its URL while it was still waiting."""

    registration: Registration
    headers: dict[str, str | None]
    status_at_its_url: int


class Orchestrator:
    """Takes registrations, and sees on each of them whether the worker already answers at its URL."""

    def __init__(self) -> None:
        self.introduced: asyncio.Future[Introduction] = asyncio.Future()
        self.refuses = False

    async def __aenter__(self) -> "Orchestrator":
        app = web.Application()
        app.router.add_post("/api/workers", self._register)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _register(self, request: web.Request) -> web.Response:
        if self.refuses:
            return web.json_response({"error": {"message": "not today"}}, status=422)
        registration = Registration.model_validate(loads(await request.read()))
        shown = {name: request.headers.get(name) for name in ("Authorization", "X-Worker-ID", "Content-Type")}
        async with aiohttp.ClientSession() as session, session.get(f"{registration.url}/api/held") as response:
            self.introduced.set_result(Introduction(registration, shown, response.status))
        return web.json_response({"workerId": registration.worker_id}, status=201)


async def started(command: tuple[str, str], orchestrator: Orchestrator, log: Path) -> asyncio.subprocess.Process:
    """The worker's process; its output goes to `log`."""
    program, script = command
    of_the_worker = {"BATON_URL": orchestrator.url, "WORKER_SECRET": SECRET, "WORKER_ID": "shouter"}
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            program, str(WORKERS / script), env={**os.environ, **of_the_worker}, stdout=output, stderr=output
        )


class Shouter:
    """A registered worker, called as the orchestrator calls it."""

    def __init__(self, session: aiohttp.ClientSession, introduction: Introduction) -> None:
        self.introduction = introduction
        self.url = introduction.registration.url
        self._session = session

    async def post(self, path: str, body: bytes | dict[str, Any], **headers: str) -> tuple[int, Any]:
        url = f"{self.url}{path}"
        how: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self._session.post(url, headers={**HEADERS, **headers}, **how) as response:
            return response.status, loads(await response.read())


@pytest.fixture(params=[PYTHON, NODE])
async def shouter(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shouter]:
    log = tmp_path / "worker.log"
    async with Orchestrator() as orchestrator:
        process = await started(request.param, orchestrator, log)
        died = asyncio.create_task(process.wait())
        first: list[asyncio.Future[Any]] = [died, orchestrator.introduced]
        try:
            await asyncio.wait(first, timeout=LONGEST_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            assert orchestrator.introduced.done(), log.read_text()
            async with aiohttp.ClientSession() as session:
                yield Shouter(session, orchestrator.introduced.result())
        finally:
            if process.returncode is None:
                process.kill()
            await died


def offer(**changed: Any) -> dict[str, Any]:
    """A handshake as the orchestrator sends it."""
    fields = {
        "type": "offer",
        "executionId": "exec_1",
        "stageId": "exec_1.loud",
        "attempt": 1,
        "fence": 4_294_967_297,
        "action": "shout",
        "inputData": {"text": "hello"},
        "resourceRequirements": {"timeoutMs": 600_000},
        "offerExpiresMs": 10_000,
        "leaseMs": 15_000,
    }
    return {**fields, **changed}


def about(given: dict[str, Any]) -> dict[str, Any]:
    """The body of every later call about the same attempt."""
    return {name: given[name] for name in ("executionId", "stageId", "attempt", "fence")}


def result(text: str, execution_id: str = "exec_1") -> ProcessAnswer:
    return ProcessAnswer(execution_id=execution_id, status="completed", result={"text": text})


async def process(shouter: Shouter, call: dict[str, Any]) -> ProcessAnswer:
    status, answer = await shouter.post("/api/process", call)
    assert status == 200
    return ProcessAnswer.model_validate(answer)


async def test_it_registers_what_it_is_where_it_is_and_what_it_can_do(shouter: Shouter) -> None:
    introduction = shouter.introduction

    assert introduction.registration == Registration(
        worker_id="shouter", url=shouter.url, capabilities=("shout",), max_concurrent_executions=4
    )
    assert introduction.headers == {
        "Authorization": f"Bearer {SECRET}",
        "X-Worker-ID": "shouter",
        "Content-Type": "application/json",
    }


async def test_it_serves_before_it_registers(shouter: Shouter) -> None:
    assert shouter.introduction.status_at_its_url in range(200, 600)


async def test_it_accepts_with_an_estimate_and_echoes_the_stage(shouter: Shouter) -> None:
    status, answer = await shouter.post("/api/handshake", offer())

    assert (status, HandshakeAnswer.model_validate(answer)) == (
        200,
        HandshakeAnswer(
            execution_id="exec_1",
            stage_id="exec_1.loud",
            worker_id="shouter",
            accepted=True,
            estimated_completion_ms=1,
        ),
    )


async def test_its_estimate_grows_with_the_input(shouter: Shouter) -> None:
    _, answer = await shouter.post("/api/handshake", offer(inputData={"text": "x" * 1_000_000}))

    assert answer["estimatedCompletionMs"] == 11


async def test_it_refuses_what_it_cannot_do_with_a_code_and_a_reason(shouter: Shouter) -> None:
    given = offer(action="whisper")
    status, answer = await shouter.post("/api/handshake", given)

    assert (status, answer) == (
        200,
        {
            "executionId": "exec_1",
            "stageId": "exec_1.loud",
            "workerId": "shouter",
            "accepted": False,
            "code": "unsupported",
            "reason": "this worker can only shout",
        },
    )
    assert (await shouter.post("/api/process", about(given)))[0] == 503


@pytest.mark.parametrize(
    ("given", "shouted"),
    [({"text": "grüß dich"}, "GRÜSS DICH"), ({"texts": ["left", "right"]}, "LEFT RIGHT"), ({"texts": []}, "")],
)
async def test_it_shouts_one_text_or_several(shouter: Shouter, given: dict[str, Any], shouted: str) -> None:
    accepted = offer(inputData=given)
    await shouter.post("/api/handshake", accepted)

    assert await process(shouter, about(accepted)) == result(shouted)


async def test_process_is_repeatable_until_the_result_is_acknowledged(shouter: Shouter) -> None:
    accepted = offer()
    await shouter.post("/api/handshake", accepted)

    assert [await process(shouter, about(accepted)) for _ in range(2)] == [result("HELLO")] * 2
    assert (await shouter.post("/api/acknowledge", {**about(accepted), "status": "processed"}))[1]["forgotten"] is True
    assert (await shouter.post("/api/process", about(accepted)))[0] == 503


async def test_two_stages_of_one_execution_do_not_meet(shouter: Shouter) -> None:
    left = offer(stageId="exec_1.left", fence=1, inputData={"text": "left"})
    right = offer(stageId="exec_1.right", fence=2, inputData={"text": "right"})
    await asyncio.gather(*(shouter.post("/api/handshake", given) for given in (left, right)))

    answers = await asyncio.gather(*(process(shouter, about(given)) for given in (left, right)))
    assert answers == [result("LEFT"), result("RIGHT")]


async def test_a_cancelled_attempt_is_forgotten(shouter: Shouter) -> None:
    accepted = offer()
    await shouter.post("/api/handshake", accepted)
    cancel = {"type": "cancel", **about(accepted), "reason": "cancelled"}

    assert [(await shouter.post("/api/cancel", cancel))[1]["forgotten"] for _ in range(2)] == [True, False]
    assert (await shouter.post("/api/process", about(accepted)))[0] == 503


@pytest.mark.parametrize("given", [{}, {"text": 1}, {"texts": "one"}, {"texts": ["one", None]}, [], "text", None])
async def test_an_input_that_it_cannot_shout_fails_for_good(shouter: Shouter, given: Any) -> None:
    accepted = offer(inputData=given)
    await shouter.post("/api/handshake", accepted)

    failed = await process(shouter, about(accepted))
    assert failed.model_dump(include={"status", "error"}) == {
        "status": "failed",
        "error": {"code": "invalid_input", "message": "needs `text` or `texts`", "retryable": False},
    }


async def test_it_also_takes_the_calls_of_the_original_format(shouter: Shouter) -> None:
    status, answer = await shouter.post("/api/handshake", {"executionId": "test_123", "inputData": {"text": "bare"}})

    assert (status, answer["accepted"]) == (200, True)
    assert await process(shouter, {"executionId": "test_123"}) == result("BARE", "test_123")


async def test_who_does_not_know_the_secret_is_turned_away(shouter: Shouter) -> None:
    assert (await shouter.post("/api/handshake", offer(), Authorization="Bearer wrong"))[0] == 401
    assert (await shouter.post("/api/process", about(offer())))[0] == 503


@pytest.mark.parametrize("command", [PYTHON, NODE])
async def test_it_ends_with_an_error_when_its_registration_is_refused(command: tuple[str, str], tmp_path: Path) -> None:
    async with Orchestrator() as orchestrator:
        orchestrator.refuses = True
        process = await started(command, orchestrator, tmp_path / "worker.log")
        async with asyncio.timeout(LONGEST_WAIT_S):
            assert await process.wait() == 1


@pytest.mark.parametrize("script", ["worker.py", "worker.mjs"])
def test_it_has_at_most_forty_lines(script: str) -> None:
    lines = [line for line in (WORKERS / script).read_text().splitlines() if line.strip()]

    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 120
