"""Large payloads through the whole system, in real processes: committed once, and read back unchanged."""

import asyncio
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web

from orchestrator.client import BatonClient
from tests.integration.system import API_KEY, WORKER_SECRET, Baton

MEBIBYTE = 1024 * 1024
ROWS = 100_000
TEXT = "granite " * (45 * MEBIBYTE // 8)
WORKER = """
from typing import Any

from workers.kit import Worker

worker = Worker("large", slots=2)


@worker.action("make")
def make(given: dict[str, Any]) -> Any:
    rows = [{"id": row, "name": f"row number {row}", "share": row / 7} for row in range(given["rows"])]
    return {"rows": rows, "text": given["word"] * given["times"]}


@worker.action("count")
async def count(given: dict[str, Any]) -> Any:
    return {"rows": len(given["of"]["rows"]), "characters": len(given["of"]["text"])}
"""
MAKE = """
template: make
stages:
  large: {action: make, with: {rows: "${input.rows}", word: "${input.word}", times: "${input.times}"}}
  count: {needs: [large], action: count, with: {of: "${stages.large.output}"}}
output: {large: "${stages.large.output}", count: "${stages.count.output}"}
"""
LATER = "template: later\nstages: {only: {action: report}}\noutput: '${stages.only.output}'\n"


def digest(value: Any) -> str:
    return sha256(orjson.dumps(value)).hexdigest()


async def posted(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    async with ClientSession() as session, session.post(url, data=BytesIO(body), headers=headers) as response:
        return response.status, await response.json()


@pytest.fixture
def worker_file(tmp_path: Path) -> str:
    """The worker's module, as a command line names it."""
    path = tmp_path / "large.py"
    path.write_text(WORKER)
    return str(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of 192 MiB in which no two mebibytes are the same."""
    path = tmp_path / "source"
    with path.open("wb") as file:
        for number in range(192):
            file.write(number.to_bytes(8) * (MEBIBYTE // 8))
    return path


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def high_water(pid: int) -> int:
    """The most memory that the process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("transport", [("websocket",), ("http", "--port", "0")], ids=["websocket", "http"])
async def test_a_result_of_fifty_megabytes_is_committed_once_and_feeds_the_next_stage(
    tmp_path: Path, worker_file: str, transport: tuple[str, ...]
) -> None:
    rows = [{"id": row, "name": f"row number {row}", "share": row / 7} for row in range(ROWS)]
    async with Baton(tmp_path) as baton:
        await baton.publish(MAKE)
        await baton.worker(worker_file, "--worker-id", "large", "--transport", *transport)
        await baton.until_worker("large")
        async with BatonClient(baton.url, API_KEY) as client:
            accepted = await client.execute("make", {"rows": ROWS, "word": "granite ", "times": len(TEXT) // 8})
            execution_id = accepted["executionId"]
            await baton.ended(execution_id)
            document = await client.execution(execution_id)
            packets = (await client.packets(execution_id))["packets"]

    assert (document["status"], document["error"]) == ("completed", None)
    assert document["result"]["count"] == {"rows": ROWS, "characters": len(TEXT)}
    assert digest(document["result"]["large"]) == digest({"rows": rows, "text": TEXT})
    assert [stage["attempt"] for stage in document["stages"]] == [1, 1]
    assert [packet["type"] for packet in packets if packet["stage"] == "large"].count("ack") == 1
    assert next(packet for packet in packets if packet["type"] == "result")["bytes"] > 50_000_000


async def test_a_result_past_the_gate_is_refused_with_the_advice_to_upload_it(tmp_path: Path, worker_file: str) -> None:
    async with Baton(tmp_path) as baton:
        await baton.publish(MAKE)
        await baton.worker(worker_file, "--worker-id", "large")
        await baton.until_worker("large")
        document = await baton.finished(
            await baton.execute("make", {"rows": 0, "word": "granite ", "times": 8 * MEBIBYTE}), seconds=50
        )

    assert (document["status"], document["error"]["code"]) == ("failed", "result_too_large")
    assert "67108864 are allowed; upload what is large (context.upload)" in document["error"]["message"]


class LateWorker:
    """Answers `process` with 202 and reports later, as a worker may that speaks plain HTTP."""

    def __init__(self) -> None:
        self.begun: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def handshake(self, request: web.Request) -> web.Response:
        offer = await request.json()
        return web.json_response({"executionId": offer["executionId"], "accepted": True})

    async def process(self, request: web.Request) -> web.Response:
        self.begun.set_result(await request.json())
        return web.json_response({}, status=202)

    async def held(self, request: web.Request) -> web.Response:
        return web.json_response({"attempts": []})


async def test_a_large_result_that_is_reported_later_is_committed(tmp_path: Path) -> None:
    worker = LateWorker()
    app = web.Application()
    app.router.add_post("/api/handshake", worker.handshake)
    app.router.add_post("/api/process", worker.process)
    app.router.add_get("/api/held", worker.held)
    app.router.add_get("/api/progress/{id}", worker.held)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    by_worker = {"Authorization": f"Bearer {WORKER_SECRET}", "X-Worker-ID": "late"}
    registration = {"workerId": "late", "url": f"http://127.0.0.1:{runner.addresses[0][1]}", "capabilities": ["report"]}
    try:
        async with Baton(tmp_path) as baton:
            await baton.publish(LATER)
            await baton.call("POST", "/api/workers", registration, by_worker)
            execution_id = await baton.execute("later")
            key = await asyncio.wait_for(worker.begun, 30)
            path = f"/api/executions/{execution_id}/stages/{key['stageId']}/complete"
            report = orjson.dumps({"fence": key["fence"], "result": {"text": TEXT}})
            answers = [await posted(baton.url + path, report, by_worker) for _ in range(2)]
            document = await baton.execution(execution_id)
    finally:
        await runner.cleanup()

    assert answers == [(200, {"status": "committed"})] * 2
    assert document["status"] == "completed"
    assert digest(document["result"]) == digest({"text": TEXT})


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's high water")
async def test_an_artifact_goes_both_ways_without_being_held_in_memory(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "target"
    async with Baton(tmp_path) as baton:
        assert baton.process is not None
        before = high_water(baton.process.pid)
        async with BatonClient(baton.url, API_KEY) as client:
            reference = await client.upload_artifact(source, "application/x-model")
            await client.download_artifact(reference["sha256"], target)
        grown = high_water(baton.process.pid) - before

    assert reference == {
        "sha256": hash_of(source),
        "sizeBytes": 192 * MEBIBYTE,
        "contentType": "application/x-model",
    }
    assert hash_of(target) == reference["sha256"]
    assert grown < 64 * MEBIBYTE
