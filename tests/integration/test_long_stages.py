"""A stage of minutes survives: a blocked worker, an orchestrator that starts anew, a worker that stops or is killed."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from yarl import URL

from orchestrator.client import BatonClient
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.replica import Replica
from orchestrator.event_stream import Event
from orchestrator.store.database import Database
from orchestrator.system import SystemClock
from orchestrator.web.application import build_app
from protocol.packets import Process
from tests.contract.orchestrator_double import QUICK
from tests.integration.system import API_KEY, Baton, until
from tests.integration.system import Process as WorkerProcess
from tests.integration.test_http_on_replica import services_of
from tests.replicas import BRISK, CLIENT, ScriptedWorker, a_replica, a_request, accepting, final, published
from workers.kit import Worker
from workers.kit.service import Service, Settings

LEASE_S: Final = 60.0
PACE: Final = replace(BRISK, lease=LEASE_S, heartbeat=0.05, offer_expires=LEASE_S)
MANY: Final = 20
BLOCKING: Final = "template: long\nstages: {only: {action: block, timeout: 1h, retry: {max: 1}}}\n"
SLOW: Final = "template: slow\nstages: {only: {action: work, timeout: 1h}}\n"

COUNTER: Final = '''
"""Counts in steps, each with a checkpoint. The first life of a stage holds before step 3 until it is stopped."""

from pathlib import Path

from workers.kit import Context, Worker, Yield

worker = Worker("counter")


@worker.action("count")
def count(given: dict, context: Context) -> dict:
    checkpoint = context.folder / "steps"
    begun_at = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(begun_at, given["steps"]):
        if step == 3 and begun_at == 0:
            context.draining.wait()
            raise Yield("stopped before step 3")
        written = checkpoint.with_suffix(".new")
        written.write_text(str(step + 1))
        written.replace(checkpoint)
        context.progress(100 * step / given["steps"], metrics={"loss": 1 / (step + 1), "epoch": step + 1})
        context.log(f"step {step} is done")
    return {"begunAt": begun_at, "folder": str(context.folder), "attempt": context.attempt}
'''
COUNTING: Final = """
template: counting
stages: {{count: {{action: count, with: {{steps: 5}}, timeout: 1h, retry: {{max: {attempts}, backoff: 1ms..1ms}}}}}}
output: "${{stages.count.output}}"
"""


@dataclass(slots=True)
class FlyingClock(SystemClock):
    """The machine's clock, set ahead by a test: what it skips has passed for the replica."""

    ahead: timedelta = field(default_factory=timedelta)

    def skip(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return SystemClock.now(self) + self.ahead

    def monotonic(self) -> float:
        return SystemClock.monotonic(self) + self.ahead.total_seconds()


class Blocker:
    """A worker in a thread, whose one action blocks its event loop until the test releases it."""

    def __init__(self) -> None:
        self.entered, self._released = threading.Event(), threading.Event()
        self._service: Service | None = None
        self.worker = Worker("blocker")
        self.worker.action("block")(self._block)

    async def _block(self, given: Any) -> str:
        self.entered.set()
        return "released" if self._released.wait(60) else "forgotten"

    @asynccontextmanager
    async def at_work_for(self, url: str) -> AsyncIterator[None]:
        settings = Settings(
            orchestrator=URL(url), secret="secret-of-workers", worker_id="blocker", slots=1, timing=QUICK
        )
        working = asyncio.create_task(asyncio.to_thread(asyncio.run, self._run(settings)))
        try:
            yield
        finally:
            self.release()
            if self._service is not None:
                self._service.engine.drain_soon()
            await working

    async def _run(self, settings: Settings) -> None:
        async with Service(self.worker, settings) as service:
            self._service = service
            await service.run()

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def door() -> Any:
    """A port that stays this test's own over the lives of its orchestrators."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@asynccontextmanager
async def an_orchestrator(
    database: Database, folder: Path, door: socket.socket, clock: FlyingClock
) -> AsyncIterator[Replica]:
    """A replica with its HTTP API behind the door."""
    async with a_replica(database, folder, pace=PACE, clock=clock, url=url_of(door)) as replica:
        runner = web.AppRunner(build_app(services_of(replica, database)), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.SockSite(runner, door.dup()).start()
            yield replica
        finally:
            await runner.cleanup()


def url_of(door: socket.socket) -> str:
    return f"http://127.0.0.1:{door.getsockname()[1]}"


async def begun(replica: Replica, database: Database, source: str) -> str:
    template = await published(database, source)
    return (await replica.commands.execute(a_request(template))).execution_id


async def many_leases_pass(replica: Replica, clock: FlyingClock, worker_id: str) -> None:
    """Time flies, by most of a lease at once, for as long as the worker is heard of in between."""
    for _ in range(MANY):
        clock.skip(0.75 * LEASE_S)
        replica.reaper.sweep()
        await until(heard_since(replica, worker_id, clock.monotonic()), f"{worker_id} is heard of")


def heard_since(replica: Replica, worker_id: str, moment: float) -> Callable[[], bool]:
    def is_heard() -> bool:
        worker = replica.fleet.get(worker_id)
        return worker is not None and worker.last_seen >= moment

    return is_heard


async def test_a_stage_that_blocks_its_worker_for_many_leases_keeps_its_attempt(
    database: Database, tmp_path: Path, door: socket.socket
) -> None:
    blocker, clock = Blocker(), FlyingClock()
    async with an_orchestrator(database, tmp_path, door, clock) as replica, blocker.at_work_for(url_of(door)):
        execution_id = await begun(replica, database, BLOCKING)
        await asyncio.to_thread(blocker.entered.wait)

        await many_leases_pass(replica, clock, "blocker")
        blocker.release()
        execution = await final(replica, execution_id)

    stage = execution.stages["only"]
    assert (execution.status, stage.result, stage.attempt) == (ExecutionStatus.COMPLETED, "released", 1)


async def test_a_stage_that_blocks_its_worker_keeps_its_attempt_also_while_the_orchestrator_starts_anew(
    database: Database, tmp_path: Path, door: socket.socket
) -> None:
    blocker, clock = Blocker(), FlyingClock()
    async with blocker.at_work_for(url_of(door)):
        async with an_orchestrator(database, tmp_path, door, clock) as replica:
            execution_id = await begun(replica, database, BLOCKING)
            await asyncio.to_thread(blocker.entered.wait)
        async with an_orchestrator(database, tmp_path, door, clock) as replica:
            await many_leases_pass(replica, clock, "blocker")
            worker = replica.fleet.get("blocker")
            assert worker is not None
            assert not worker.known
            blocker.release()
            execution = await final(replica, execution_id)

    stage = execution.stages["only"]
    assert (execution.status, stage.result, stage.attempt) == (ExecutionStatus.COMPLETED, "released", 1)


@pytest.mark.parametrize(("passed_s", "left_s"), [(50 * 60, 10 * 60), (120 * 60, LEASE_S)])
async def test_the_timeout_goes_on_under_another_owner_who_listens_for_a_lease_at_least(
    database: Database, tmp_path: Path, passed_s: float, left_s: float
) -> None:
    clock = FlyingClock()
    async with a_replica(database, tmp_path, pace=PACE, clock=clock) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution_id = await begun(replica, database, SLOW)
        await worker.got(Process)
        await durable(replica, execution_id, StageStatus.RUNNING)
    clock.skip(passed_s)
    async with a_replica(database, tmp_path, pace=PACE, clock=clock) as replica:
        placeholder = replica.fleet.get("w")
        assert placeholder is not None
        [assignment] = placeholder.assignments.values()
        assert assignment.timeout_at is not None
        left = assignment.timeout_at - clock.monotonic()

    assert left_s - 60 < left <= left_s


async def durable(replica: Replica, execution_id: str, status: StageStatus) -> None:
    """Return when the stage's status is in the database."""
    watcher = replica.hub.watch(execution_id)
    async with asyncio.timeout(20):
        while True:
            snapshot = await replica.executions.find(CLIENT, execution_id)
            if snapshot is not None and snapshot.execution.stages["only"].status is status:
                return
            await watcher.next(0.5)


class Site:
    """`baton up` and one counter on a data directory of its own, which may be started again and again."""

    def __init__(self, baton: Baton, folder: Path) -> None:
        self._baton = baton
        self._folder = folder / "counter"
        self._folder.mkdir()
        self._file = self._folder / "counter.py"
        self._file.write_text(COUNTER)

    async def start(self) -> WorkerProcess:
        """Another life of the worker: the same id, the same data directory."""
        return await self._baton.worker(str(self._file), "--worker-id", "counter", "--data-dir", str(self._folder))

    async def held_at_step_3(self, attempts: int) -> str:
        """An execution whose stage has written its third checkpoint and goes no further."""
        await self._baton.publish(COUNTING.format(attempts=attempts))
        execution_id = await self._baton.execute("counting")
        await self._baton.reached(execution_id, lambda document: document["stages"][0]["metrics"] is not None)
        document = await self._baton.reached(
            execution_id, lambda document: document["stages"][0]["metrics"].get("epoch") == 3
        )
        [stage] = document["stages"]
        assert (stage["status"], stage["attempt"], stage["progress"]) == ("running", 1, 40)
        assert stage["metrics"] == {"loss": pytest.approx(1 / 3), "epoch": 3}
        return execution_id


async def listen(baton: Baton, execution_id: str, heard: list[Event], first: asyncio.Event) -> None:
    """Hears what is told of the execution from now on, to its end; `first` is set with the first event."""
    async with BatonClient(baton.url, API_KEY) as client:
        async for event in client.events(execution_id):
            heard.append(event)
            first.set()


async def test_a_worker_that_is_stopped_gives_its_attempt_back_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    async with Baton(tmp_path) as baton:
        site = Site(baton, tmp_path)
        worker = await site.start()
        execution_id = await site.held_at_step_3(attempts=1)
        events: list[Event] = []
        listening = asyncio.create_task(listen(baton, execution_id, events, is_heard := asyncio.Event()))
        await is_heard.wait()

        status = await worker.stop()
        waiting = await baton.reached(execution_id, lambda document: document["stages"][0]["error"] is not None)
        await site.start()
        execution = await baton.finished(execution_id)
        await listening
        await until(lambda: not Path(execution["result"]["folder"]).exists(), "the stage's folder is deleted")

    [stage] = waiting["stages"]
    assert status == 0
    assert stage["error"] == {"code": "worker_stopped", "message": "stopped before step 3", "retryable": True}
    assert (execution["status"], execution["result"]["begunAt"], execution["result"]["attempt"]) == ("completed", 3, 1)
    assert execution["stages"][0]["metrics"]["epoch"] == 5
    assert [event.data["metrics"]["epoch"] for event in events if event.name == "metrics"] == [4, 5]
    assert [event.data["message"] for event in events if event.name == "log"] == ["step 3 is done", "step 4 is done"]


async def test_a_worker_that_is_killed_costs_an_attempt_and_the_next_goes_on_from_the_checkpoint(
    tmp_path: Path,
) -> None:
    async with Baton(tmp_path) as baton:
        site = Site(baton, tmp_path)
        worker = await site.start()
        execution_id = await site.held_at_step_3(attempts=2)

        await worker.kill()
        await site.start()
        execution = await baton.finished(execution_id)

    assert (execution["status"], execution["result"]["begunAt"], execution["result"]["attempt"]) == ("completed", 3, 2)
