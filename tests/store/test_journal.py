"""The journal's promises: durable before told, written whole or not at all, only by the owner, never twice."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from orchestrator.core.amounts import Amounts
from orchestrator.core.decide import decide
from orchestrator.core.events import Owned
from orchestrator.core.execution import evolve
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.store.batch import Batch, Dirty
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.executions import PostgresExecutions
from orchestrator.store.flushing import PostgresFlushing
from orchestrator.store.journal import EpochLost, Journal
from orchestrator.store.loading import Loading
from orchestrator.store.low_water import LowWater
from orchestrator.store.ownership import PostgresOwnership
from orchestrator.store.record import Accepted, Conversation, Duplicate, Record, Submission
from orchestrator.store.statements import statements
from orchestrator.store.templates import Templates
from orchestrator.system import SystemClock, TimeOrderedIds
from tests.replicas import CLIENT, a_record, published

LEASE = timedelta(seconds=30)


class Cut:
    """Failpoints that cut the connection at a named place, once, after what a test lets happen there."""

    def __init__(self) -> None:
        self.at: str | None = None
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def hit(self, name: str) -> None:
        if name == self.at:
            self.at = None
            if self.meanwhile is not None:
                await self.meanwhile()
            raise ConnectionResetError("cut by the test")


@dataclass
class Desk:
    """A journal and what stands around it."""

    journal: Journal
    ownership: PostgresOwnership
    executions: PostgresExecutions
    cut: Cut
    stale: list[str] = field(default_factory=list)

    async def submit(self, record: Record, owned: bool = True, key: str | None = None, body: bytes = b"") -> object:
        submission = Submission(record, owned, "work", key, body)
        return await asyncio.wait_for(self.journal.submit(submission), 10)

    async def changed(self, record: Record, *stages: str, conversation: Conversation | None = None) -> None:
        """Return when what stands in memory is durable."""
        durable = asyncio.Event()
        told = (conversation,) if conversation else ()
        self.journal.note(record, stages, told, durable.set, urgent=True)
        await asyncio.wait_for(durable.wait(), 10)

    async def stored(self, record: Record) -> object:
        snapshot = await self.executions.find(CLIENT, record.execution.execution_id, whole=True)
        return snapshot.execution if snapshot else None


@asynccontextmanager
async def a_desk(database: Database, folder: Path, replica_id: str = "replica_1") -> AsyncIterator[Desk]:
    blobs = ObjectBlobs.in_folder(folder / "artifacts", TimeOrderedIds())
    loading = Loading(Templates(database, SystemClock()), blobs)
    stale: list[str] = []
    low_water = LowWater(SystemClock())
    ownership, cut = PostgresOwnership(database, loading, replica_id, low_water), Cut()
    journal = Journal(
        lambda: PostgresFlushing(database, low_water), blobs, SystemClock(), cut, replica_id, stale.append
    )
    journal.begin(await ownership.register("http://127.0.0.1:1", LEASE))
    writers = [asyncio.create_task(writer) for writer in journal.writers()]
    try:
        yield Desk(journal, ownership, PostgresExecutions(database, loading, low_water), cut, stale)
    finally:
        for writer in writers:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(database, tmp_path) as desk:
        yield desk


def take_up(record: Record) -> None:
    evolve(record.execution, decide(record.execution, Owned(), SystemClock().now()))


async def test_a_submission_is_durable_when_its_outcome_is_told(desk: Desk, database: Database) -> None:
    record = a_record(await published(database), {"value": 7})

    outcome = await desk.submit(record)

    assert outcome == Accepted(record.execution.execution_id)
    assert await desk.stored(record) == record.execution


async def test_what_is_noted_is_written_as_it_stands_at_the_flush(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    take_up(record)
    conversation = Conversation("one", 5, 1, "w")
    conversation.add(1, SystemClock().now(), True, "offer", b'{"a":1}')

    await desk.changed(record, "one", conversation=conversation)

    assert await desk.stored(record) == record.execution
    [packet] = await desk.executions.packets(CLIENT, record.execution.execution_id)
    assert (packet["type"], packet["direction"], packet["body"], packet["stage"]) == ("offer", "out", {"a": 1}, "one")


async def test_a_key_makes_one_execution_whoever_comes_later(desk: Desk, database: Database) -> None:
    template = await published(database)
    first, second = a_record(template), a_record(template)
    await desk.submit(first, key="k", body=b"body")

    outcome = await desk.submit(second, owned=False, key="k", body=b"other")

    assert outcome == Duplicate(first.execution.execution_id, b"body")
    assert await desk.stored(second) is None
    assert await desk.ownership.claim("work", 10) == []


async def test_the_same_keys_from_both_partitions_at_once_make_one_execution_each(
    desk: Desk, database: Database
) -> None:
    template = await published(database)

    outcomes = await asyncio.gather(
        *(desk.submit(a_record(template), owned=False, key=f"k{number % 10}") for number in range(60))
    )

    made = {outcome.execution_id for outcome in outcomes if isinstance(outcome, Accepted)}
    told = {outcome.execution_id for outcome in outcomes if isinstance(outcome, Duplicate)}
    assert len(made) == 10
    assert told == made


async def test_a_replica_whose_epoch_was_raised_writes_nothing(desk: Desk, database: Database) -> None:
    template = await published(database)
    record = a_record(template)
    await desk.submit(record)
    take_up(record)
    before = await desk.stored(record)
    loading = Loading(Templates(database, SystemClock()), desk.journal.blobs)
    successor = PostgresOwnership(database, loading, "replica_1", LowWater(SystemClock()))
    await successor.register("http://127.0.0.1:2", LEASE)

    desk.journal.note(record, ["one"], (), None, urgent=True)
    with pytest.raises(EpochLost):
        await desk.submit(a_record(template))

    await asyncio.wait_for(desk.journal.epoch_lost.wait(), 10)
    assert await desk.stored(record) == before


async def test_an_execution_that_another_replica_took_is_stale_and_the_rest_of_the_flush_is_written(
    desk: Desk, database: Database
) -> None:
    template = await published(database)
    taken, kept = a_record(template), a_record(template)
    await desk.submit(taken)
    await desk.submit(kept)
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE pipeline_executions SET revision = revision + 1 WHERE execution_id = $1",
            taken.execution.execution_id,
        )
    before = await desk.stored(taken)
    for record in (taken, kept):
        take_up(record)

    desk.journal.note(taken, ["one"], (), None, urgent=True)
    await desk.changed(kept, "one")
    await desk.journal.drain()

    assert desk.stale == [taken.execution.execution_id]
    assert desk.journal.epoch_lost.is_set()
    assert await desk.stored(taken) == before
    assert await desk.stored(kept) == kept.execution


@pytest.mark.parametrize("place", ["journal.before_flush", "journal.after_flush"])
async def test_a_commit_whose_outcome_is_unknown_is_settled_and_nothing_is_written_twice(
    desk: Desk, database: Database, place: str
) -> None:
    record = a_record(await published(database))
    desk.cut.at = place
    submitted = await desk.submit(record)
    take_up(record)
    desk.cut.at = place

    await desk.changed(record, "one")
    await desk.changed(record, "two")

    assert submitted == Accepted(record.execution.execution_id)
    assert await desk.stored(record) == record.execution
    assert desk.stale == []
    async with database.acquire() as connection:
        revision = await connection.fetchval("SELECT revision FROM pipeline_executions")
    assert revision == record.revision == 2


async def test_a_takeover_is_not_taken_for_a_commit_whose_outcome_is_unknown(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    take_up(record)
    loading = Loading(Templates(database, SystemClock()), desk.journal.blobs)
    successor = PostgresOwnership(database, loading, "replica_2", LowWater(SystemClock()))
    await successor.register("http://127.0.0.1:2", LEASE)
    told = asyncio.Event()

    async def take_over() -> None:
        await desk.ownership.lapse()
        await successor.depose()
        await successor.adopt(10)

    desk.cut.at, desk.cut.meanwhile = "journal.before_flush", take_over
    desk.journal.note(record, ["one"], (), told.set, urgent=True)

    await asyncio.wait_for(desk.journal.epoch_lost.wait(), 10)
    assert not told.is_set()


async def test_what_one_life_did_not_write_is_not_written_by_the_next(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    take_up(record)
    told = asyncio.Event()

    async def live_anew() -> None:
        desk.journal.begin(await desk.ownership.register("http://127.0.0.1:1", LEASE))

    desk.cut.at, desk.cut.meanwhile = "journal.before_flush", live_anew
    desk.journal.note(record, ["one"], (), told.set, urgent=True)
    await asyncio.wait_for(desk.journal.drain(), 10)
    [adopted] = await desk.ownership.adopt(10)

    assert (adopted.revision, desk.stale, desk.journal.epoch_lost.is_set()) == (1, [], False)
    assert not told.is_set()


async def test_what_the_database_refuses_does_not_hold_up_the_rest(desk: Desk, database: Database) -> None:
    template = await published(database)
    good, bad = [a_record(template) for _ in range(4)], a_record(template)
    for record in (*good, bad):
        await desk.submit(record)
        take_up(record)
    bad.execution.stages["one"] = Stage("one", StageStatus.RUNNING, fence=None)

    for record in (bad, *good):
        desk.journal.note(record, ["one"], (), None, urgent=False)
    await desk.journal.drain()

    assert desk.stale == [bad.execution.execution_id]
    assert [await desk.stored(record) for record in good] == [record.execution for record in good]


async def test_a_payload_over_64_kib_becomes_an_artifact_and_comes_back_whole(desk: Desk, database: Database) -> None:
    large = {"value": 1, "text": "x" * 70_000}
    record = a_record(await published(database), large)
    await desk.submit(record)
    record.execution.stages["one"] = Stage(
        "one", StageStatus.COMPLETED, progress=100.0, result=large, finished_at=SystemClock().now()
    )

    await desk.changed(record, "one")

    stored = await desk.stored(record)
    assert stored is not None
    assert (stored.input, stored.stages["one"].result) == (large, large)  # type: ignore[attr-defined]
    async with database.acquire() as connection:
        row = await connection.fetchrow("SELECT input, length(input_sha256) AS hash FROM pipeline_executions")
        [reference] = await connection.fetch("SELECT client_id, bytes FROM data_references")
    assert (row["input"], row["hash"]) == (None, 64)
    assert (reference["client_id"], reference["bytes"]) == (CLIENT, 70_021)


async def test_a_payload_waits_for_a_store_that_cannot_be_written_and_nothing_is_given_up(
    desk: Desk, database: Database, tmp_path: Path
) -> None:
    uploads = tmp_path / "artifacts" / "uploads"
    uploads.write_text("a file where a folder should be")
    record = a_record(await published(database), {"value": 1, "text": "x" * 70_000})
    outcome = desk.journal.submit(Submission(record, True, "work"))
    with capture_logs() as logged:
        async with asyncio.timeout(20):
            while not any(line["event"] == "journal.payload_not_kept" for line in logged):
                await asyncio.to_thread(os.sched_yield)
    uploads.unlink()

    assert await asyncio.wait_for(outcome, 20) == Accepted(record.execution.execution_id)
    assert await desk.stored(record) == record.execution


async def test_what_a_stage_was_accepted_with_comes_back_whole(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    estimate = Amounts(250, 1500, Decimal("0.003"))
    running = Stage("one", StageStatus.RUNNING, fence=1, worker_id="w", estimate=estimate)
    record.execution.stages["one"] = running

    await desk.changed(record, "one")

    stored = await desk.stored(record)
    assert stored.stages["one"] == running  # type: ignore[attr-defined]


async def test_work_given_back_waits_in_the_queue_for_anybody(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)

    desk.journal.give_back(record, "work")
    await desk.journal.drain()

    [claimed] = await desk.ownership.claim("work", 10)
    assert claimed.execution == record.execution


async def test_executions_kept_from_another_are_submitted_with_their_completed_stages(
    desk: Desk, database: Database
) -> None:
    done = Stage("one", StageStatus.COMPLETED, progress=100.0, result={"value": 2}, finished_at=SystemClock().now())
    record = a_record(await published(database), kept={"one": done})

    await desk.submit(record)

    assert await desk.stored(record) == record.execution


async def test_a_flush_finds_its_rows_by_key_however_many_the_replica_owns(desk: Desk, database: Database) -> None:
    template = await published(database)
    records = [a_record(template) for _ in range(400)]
    await asyncio.gather(*(desk.submit(record) for record in records))
    batch = Batch()
    for record in records[:50]:
        take_up(record)
        conversation = Conversation("one", 1, 1, "w")
        batch.add_dirty(Dirty(record, 0.0, {"one"}, {1: conversation}))
    connection = await database.connect()
    try:
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statements('journal')['flush']}",
            "replica_1",
            desk.journal.epoch,
            *batch.rows(),
        )
    finally:
        await connection.close()

    nodes = list(plan_nodes(orjson.loads(rows[0][0])[0]["Plan"]))
    [update] = [node for node in nodes if node.get("Relation Name") == "pipeline_executions" and "Index Name" in node]
    assert update["Index Name"] == "pipeline_executions_pkey"
    assert {node.get("Rows Removed by Join Filter", 0) for node in nodes} == {0}
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]


def plan_nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from plan_nodes(below)
