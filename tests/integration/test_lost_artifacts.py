"""An artifact that is lost or spoilt ends the execution that needs it, and nobody else feels it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.execution import ExecutionStatus
from orchestrator.dispatch.replica import Replica
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.unread import TRIES, UnreadExecutions
from orchestrator.store.blobs import ArtifactLost, BlobsAway
from orchestrator.store.database import Database
from orchestrator.store.record import Record, Unread
from orchestrator.system import SystemClock
from protocol.packets import Failure, Process
from tests.integration.http_api import Api, serving
from tests.integration.test_http_on_replica import services_of, submitted
from tests.replicas import (
    BRISK,
    CHAIN,
    CLIENT,
    SINGLE,
    ScriptedWorker,
    a_record,
    a_replica,
    a_request,
    accepting,
    completed,
    final,
    honest,
    published,
)

LARGE = {"value": 1, "text": "x" * 100_000}
QUICK = replace(BRISK, poll=0.05)


def artifacts(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "artifacts" / CLIENT).rglob("*") if path.is_file())


def gone(path: Path) -> None:
    path.unlink()


def spoilt(path: Path) -> None:
    path.write_bytes(b'{"value": 2}')


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [gone, spoilt, unreadable])
async def test_a_takeover_fails_the_execution_whose_input_is_lost_and_goes_on_with_the_others(
    database: Database, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    template = await published(database, SINGLE)
    async with a_replica(database, tmp_path, "replica_1", QUICK) as first:
        lost, *others = [
            (await first.commands.execute(a_request(template, given))).execution_id
            for given in (LARGE, {"value": 2}, {**LARGE, "value": 3})
        ]
        [path] = [path for path in artifacts(tmp_path) if b'"value":1' in path.read_bytes()]
    harm(path)
    async with a_replica(database, tmp_path, "replica_2", QUICK) as second:
        epoch = second.ownership.epoch
        await ScriptedWorker(second, honest).join()
        failed = await ended(second, lost)
        results = [(await final(second, execution_id)).result for execution_id in others]
        lives = second.ownership.epoch - epoch

    assert (failed.status, failed.error and failed.error.code) == (ExecutionStatus.FAILED, "artifact_lost")
    assert failed.error is not None
    assert failed.error.message.startswith("its input is ")
    assert [stage.status.value for stage in failed.stages.values()] == ["skipped"]
    assert (results, lives) == ([{"only": {"value": 3}}, {"only": {"value": 4}}], 0)


async def ended(replica: Replica, execution_id: str) -> Any:
    """The execution's end, without what cannot be read of it."""
    watcher = replica.hub.watch(execution_id)
    try:
        async with asyncio.timeout(20):
            while True:
                snapshot = await replica.executions.find(CLIENT, execution_id)
                if snapshot is not None and snapshot.execution.is_final:
                    return snapshot.execution
                await watcher.next(0.5)
    finally:
        replica.hub.leave(watcher)


async def test_what_runs_of_an_execution_whose_stage_result_is_lost_is_stopped_at_its_worker(
    database: Database, tmp_path: Path
) -> None:
    template = await published(database, CHAIN)
    async with a_replica(database, tmp_path, "replica_1", QUICK) as first:
        worker = await ScriptedWorker(first, accepting).join()
        execution_id = (await first.commands.execute(a_request(template))).execution_id
        worker.say(completed(await worker.got(Process), LARGE))
        second_stage = await worker.got(Process, 2)
    (tmp_path / "artifacts" / CLIENT).rename(tmp_path / "lost")
    async with a_replica(database, tmp_path, "replica_2", QUICK) as second:
        again = await ScriptedWorker(second, accepting).join(instance_id="life_1", running=(second_stage,))
        execution = await ended(second, execution_id)

    assert execution.error.message.startswith("the result of its stage one is lost: the artifact ")
    assert {packet.type for packet in again.received} == {"process", "cancel", "ack"}
    assert [stage.status.value for stage in execution.stages.values()] == ["completed", "cancelled"]


@pytest.fixture
async def replica(database: Database, tmp_path: Path) -> AsyncIterator[Replica]:
    async with a_replica(database, tmp_path) as replica:
        yield replica


@pytest.fixture
async def api(replica: Replica, database: Database) -> AsyncIterator[Api]:
    async with serving(services_of(replica, database)) as api:
        yield api


async def test_a_result_that_is_lost_is_told_as_gone_and_the_execution_beside_it_is_shown(
    api: Api, replica: Replica, tmp_path: Path
) -> None:
    def large(worker: ScriptedWorker, packet: Any) -> None:
        accepting(worker, packet)
        if isinstance(packet, Process):
            worker.say(completed(packet, {"text": "y" * 100_000} if not artifacts(tmp_path) else {"value": 1}))

    await ScriptedWorker(replica, large).join()
    lost, other = [await submitted(api, SINGLE) for _ in range(2)]
    for execution_id in (lost, other):
        await ended(replica, execution_id)
    for path in artifacts(tmp_path):
        path.unlink()

    answers = [await api.get(f"/api/executions/{execution_id}") for execution_id in (lost, other)]
    stream = await api.get(f"/api/executions/{lost}/events")
    listed = await api.get("/api/executions")

    assert [answer.status for answer in (*answers, stream, listed)] == [410, 200, 410, 200]
    assert answers[0].code == "artifact_lost"
    assert answers[0].document["error"]["message"].startswith("its result is lost: the artifact ")


async def test_an_artifact_whose_bytes_are_lost_is_told_as_gone(api: Api, tmp_path: Path) -> None:
    uploaded = await api.call("POST", "/api/artifacts", b"bytes", headers={"Content-Type": "text/plain"})
    path = uploaded.headers["Location"]
    for file in (tmp_path / "artifacts").rglob("*"):
        if file.is_file():
            file.unlink()

    answer = await api.get(path)

    assert (answer.status, answer.code) == (410, "artifact_lost")


class Reads:
    """Answers in turn: None is a success."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    async def __call__(self, record: Record) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer


class Unhurried(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await super().sleep(0)


async def taken_up(database: Database, *answers: Exception | None) -> tuple[Failure | None, int]:
    """What comes of reading that meets these faults, and how many of them it did not meet."""
    record, tasks = a_record(await published(database, SINGLE)), Tasks()
    record.unread = (Unread(None, "a" * 64),)
    taken: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
    reads = Reads(*answers)
    unread = UnreadExecutions(reads, lambda _, lost: taken.set_result(lost), Unhurried(), 1.0, tasks)
    unread.add(record)
    assert (unread.count("work"), unread.count("other")) == (1, 0)
    lost = await asyncio.wait_for(taken, 10)
    assert unread.count("work") == 0
    return lost, len(reads.answers)


async def test_while_the_store_is_away_it_is_waited_for(database: Database) -> None:
    assert await taken_up(database, *[BlobsAway("away")] * 50, None) == (None, 0)


async def test_an_artifact_counts_as_lost_when_it_was_not_found_again_and_again(database: Database) -> None:
    expected = Failure(code="artifact_lost", message="its input is lost")

    assert await taken_up(database, *[ArtifactLost("its input is lost")] * (TRIES - 1), None) == (None, 0)
    assert await taken_up(database, *[ArtifactLost("its input is lost")] * (TRIES + 1)) == (expected, 1)


async def test_what_was_to_be_read_in_a_life_that_ended_is_not_taken_up(database: Database) -> None:
    record, tasks = a_record(await published(database, SINGLE)), Tasks()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def read(record: Record) -> None:
        begun.set()
        await go_on.wait()
        go_on.clear()

    taken: list[Record] = []
    unread = UnreadExecutions(read, lambda record, _: taken.append(record), Unhurried(), 1.0, tasks)
    unread.add(record)
    await begun.wait()
    unread.clear()
    go_on.set()
    async with asyncio.timeout(10):
        while go_on.is_set():
            await asyncio.to_thread(os.sched_yield)
    await tasks.close()

    assert taken == []
