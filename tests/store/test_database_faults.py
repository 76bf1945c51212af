"""What becomes of writes while PostgreSQL is away, silent, locked, full or read-only: they wait, and then go on.

The faults are real ones, of the server that the tests run on.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from orchestrator.core.template import Template
from orchestrator.store.batch import Batch
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.breaker import Breaker, DatabaseAway
from orchestrator.store.database import MOST_CALLS, POOL_SIZE, Database, DatabaseRefused
from orchestrator.store.flushing import Flushed, PostgresFlushing
from orchestrator.store.journal import PARTITIONS, Journal, partition_of
from orchestrator.store.low_water import LowWater
from orchestrator.store.record import Accepted, Duplicate, Record, Standing, Submission
from orchestrator.system import SystemClock, SystemRandom, TimeOrderedIds
from tests.conftest import Server
from tests.replicas import a_record, published
from tests.store.cutting_proxy import QUERY_DONE, a_cutting_proxy
from tests.store.test_journal import LEASE, Cut, Desk, a_desk, take_up

SOON = 30.0
"""Seconds that are never reached where the rule holds."""


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(database, tmp_path) as desk:
        yield desk


@pytest.fixture
async def operator(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of somebody else's, who may write whatever the database's default is."""
    connection = await asyncpg.connect(dsn, server_settings={"default_transaction_read_only": "off"})
    yield connection
    await connection.close()


async def cut_all(operator: asyncpg.Connection) -> None:
    """End every other session of this database."""
    await operator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def until(condition: Any) -> None:
    """Ask again and again, with a turn of the loop between."""
    async with asyncio.timeout(SOON):
        while not await condition():
            pass


async def somebody_waits_for_a_lock(operator: asyncpg.Connection) -> bool:
    found: bool = await operator.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'baton')"
    )
    return found


async def stuck(desk: Desk, operator: asyncpg.Connection) -> None:
    async def is_stuck() -> bool:
        # Given back to the loop for a moment, so that the writers go on.
        await operator.fetchval("SELECT 1")
        return desk.journal.is_stuck

    await until(is_stuck)


async def rows_of(operator: asyncpg.Connection, records: Sequence[Record]) -> int:
    count: int = await operator.fetchval(
        "SELECT count(*) FROM pipeline_executions WHERE execution_id = ANY ($1::text[])",
        [record.execution.execution_id for record in records],
    )
    return count


def one_a_partition(template: Template) -> list[Record]:
    """A new execution for each of the journal's partitions."""
    found: dict[int, Record] = {}
    while len(found) < PARTITIONS:
        record = a_record(template)
        found[partition_of(record.execution.execution_id)] = record
    return list(found.values())


@pytest.mark.parametrize("key", [None, "order-1"])
async def test_a_commit_whose_reply_is_cut_off_is_unknown_and_is_settled_by_what_stands_there(
    dsn: str, database: Database, tmp_path: Path, operator: asyncpg.Connection, key: str | None
) -> None:
    template = await published(database)
    async with AsyncExitStack() as stack:
        proxy, through = await stack.enter_async_context(a_cutting_proxy(dsn))
        beyond = Database(through)
        await beyond.open()
        stack.push_async_callback(beyond.close)
        desk = await stack.enter_async_context(a_desk(beyond, tmp_path))
        # The first ones prepare the statement in both partitions, so that it is the flush whose reply is cut off.
        first = one_a_partition(template)
        for record in first:
            await desk.submit(record)
        last = a_record(template)
        proxy.cut_at(QUERY_DONE)
        outcome = await desk.submit(last, key=key, body=b"body")

    assert proxy.cut.is_set()
    assert outcome == Accepted(last.execution.execution_id)
    assert await rows_of(operator, [*first, last]) == PARTITIONS + 1
    assert not desk.journal.epoch_lost.is_set()


class Late(PostgresFlushing):
    """The first flush is not answered, and is carried out only after somebody has asked what became of it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, LowWater(SystemClock()))
        self._late: tuple[str, int, Batch] | None = None
        self._is_first = True

    async def flush(self, replica_id: str, epoch: int, batch: Batch) -> Flushed | None:
        if self._is_first:
            self._is_first, self._late = False, (replica_id, epoch, batch)
            raise ConnectionResetError("no answer came")
        return await super().flush(replica_id, epoch, batch)

    async def standings(self, execution_ids: Sequence[str]) -> Mapping[str, Standing]:
        standings = await super().standings(execution_ids)
        if self._late is not None:
            late, self._late = self._late, None
            await super().flush(*late)
        return standings


@pytest.mark.parametrize("key", [None, "order-1"])
async def test_a_flush_that_comes_through_after_it_was_asked_after_is_not_refused_for_being_there(
    database: Database, desk: Desk, tmp_path: Path, key: str | None
) -> None:
    record = a_record(await published(database))
    blobs = ObjectBlobs.in_folder(tmp_path / "others", TimeOrderedIds())
    stale: list[str] = []
    journal = Journal(lambda: Late(database), blobs, SystemClock(), Cut(), "replica_1", stale.append)
    journal.begin(desk.journal.epoch)
    writers = [asyncio.create_task(writer) for writer in journal.writers()]

    outcome = await asyncio.wait_for(journal.submit(Submission(record, True, "work", key, b"body")), SOON)
    for writer in writers:
        writer.cancel()
    await asyncio.gather(*writers, return_exceptions=True)

    assert (outcome, stale) == (Accepted(record.execution.execution_id), [])


async def test_cut_connections_cost_no_submission_and_make_none_twice(
    database: Database, desk: Desk, operator: asyncpg.Connection
) -> None:
    template = await published(database)
    records = [a_record(template) for _ in range(300)]
    submitted = []
    for index, record in enumerate(records):
        submitted.append(asyncio.create_task(desk.submit(record, key=str(index))))
        if index % 20 == 0:
            await cut_all(operator)

    async with asyncio.timeout(SOON):
        outcomes = await asyncio.gather(*submitted, return_exceptions=True)

    refused = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, DatabaseAway)]
    taken = [record for number, record in enumerate(records) if number not in refused]
    assert [outcomes[records.index(record)] for record in taken] == [
        Accepted(record.execution.execution_id) for record in taken
    ]
    assert await rows_of(operator, taken) == len(taken)
    assert await rows_of(operator, [records[number] for number in refused]) == 0
    assert not desk.journal.epoch_lost.is_set()


async def test_a_held_lock_delays_what_needs_it_and_not_the_lease(
    database: Database, desk: Desk, operator: asyncpg.Connection
) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    take_up(record)
    async with operator.transaction():
        await operator.execute("SELECT FROM pipeline_executions FOR UPDATE")
        changed = asyncio.create_task(desk.changed(record, "one"))
        await until(lambda: somebody_waits_for_a_lock(operator))
        # The flush that waits has the lease's row: it gives up soon enough for the lease to be renewed in between.
        async with asyncio.timeout(SOON):
            while await renewed(desk) is None:
                pass
        assert not changed.done()

    await asyncio.wait_for(changed, SOON)
    assert await desk.stored(record) == record.execution


async def renewed(desk: Desk) -> int | None:
    try:
        return await desk.ownership.renew(LEASE)
    except asyncpg.LockNotAvailableError:
        return None


async def test_calls_that_fill_the_pool_do_not_cost_the_lease(database: Database, desk: Desk) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(database.acquire())

        assert await desk.ownership.renew(LEASE) == 0


async def test_no_more_calls_wait_for_the_pool_than_it_can_soon_serve(database: Database) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(database.acquire())
        waiting = [asyncio.create_task(database.takes_writes()) for _ in range(MOST_CALLS - POOL_SIZE)]
        await asyncio.wait(waiting, timeout=0)

        with pytest.raises(DatabaseAway):
            await database.takes_writes()

    assert await asyncio.gather(*waiting) == [True] * (MOST_CALLS - POOL_SIZE)


@asynccontextmanager
async def a_full_disk(operator: asyncpg.Connection) -> AsyncIterator[None]:
    """Every write of an execution is answered as PostgreSQL does when there is no space left."""
    await operator.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
    )
    await operator.execute(
        "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON pipeline_executions"
        " FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
    )
    yield
    await operator.execute("DROP FUNCTION full_disk CASCADE")


async def test_with_a_full_disk_what_was_given_waits_what_comes_is_turned_away_and_both_go_on_afterwards(
    database: Database, desk: Desk, operator: asyncpg.Connection
) -> None:
    template = await published(database)
    first = a_record(template)
    async with a_full_disk(operator):
        waiting = asyncio.create_task(desk.submit(first))
        await stuck(desk, operator)
        with pytest.raises(DatabaseAway) as away:
            await desk.submit(of_the_same_partition(template, first))

    assert 1 <= away.value.retry_after <= 3
    assert await asyncio.wait_for(waiting, SOON) == Accepted(first.execution.execution_id)
    later = a_record(template)
    await until(lambda: submitted(desk, later))
    assert await rows_of(operator, [first, later]) == 2


def of_the_same_partition(template: Template, other: Record) -> Record:
    """A record that is written by the same writer: the other one may have nothing to write, and so not know yet."""
    while True:
        record = a_record(template)
        own, others = (partition_of(each.execution.execution_id) for each in (record, other))
        if own == others:
            return record


async def submitted(desk: Desk, record: Record) -> bool:
    try:
        return await desk.submit(record) == Accepted(record.execution.execution_id)
    except DatabaseAway:
        return False


async def test_a_database_that_turned_read_only_is_noticed_and_its_connections_are_not_used_again(
    dsn: str, database: Database, desk: Desk, operator: asyncpg.Connection
) -> None:
    name = urlsplit(dsn).path.strip("/")
    record = a_record(await published(database))
    await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await cut_all(operator)
    waiting = asyncio.create_task(desk.submit(record))
    await stuck(desk, operator)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await renewed_at_last(desk)
    taken_meanwhile = await database.takes_writes()
    await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")

    assert taken_meanwhile is False
    assert await asyncio.wait_for(waiting, SOON) == Accepted(record.execution.execution_id)
    assert await desk.ownership.renew(LEASE) == 0
    assert await database.takes_writes() is True


async def renewed_at_last(desk: Desk) -> None:
    """Over a connection that was made since the others were cut."""
    while True:
        try:
            await desk.ownership.renew(LEASE)
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
            continue


async def test_calls_are_turned_away_at_once_after_many_have_failed_and_come_through_when_it_is_back(
    dsn: str, operator: asyncpg.Connection
) -> None:
    database = Database(dsn, Breaker(SystemClock(), SystemRandom()))
    await database.open()
    try:
        outcomes: list[str] = []
        for _ in range(7):
            try:
                async with database.acquire() as connection:
                    await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            except (DatabaseAway, asyncpg.AdminShutdownError, asyncpg.PostgresConnectionError) as error:
                outcomes.append("turned away" if isinstance(error, DatabaseAway) else "failed")

        assert outcomes == ["failed"] * 5 + ["turned away"] * 2
        await until(lambda: answers(database))
    finally:
        await database.close()


async def answers(database: Database) -> bool:
    try:
        return await database.takes_writes()
    except DatabaseAway:
        return False


async def test_a_wrong_argument_says_nothing_of_the_database(database: Database) -> None:
    breaker = Breaker(SystemClock(), SystemRandom())
    guarded = Database(database.dsn, breaker)
    await guarded.open()
    try:
        for _ in range(20):
            with pytest.raises(asyncpg.DataError):
                async with guarded.acquire() as connection:
                    await connection.fetchval("SELECT $1::int", "no number")
        breaker.admit()
    finally:
        await guarded.close()


async def test_a_key_that_was_there_before_is_still_somebody_elses(database: Database, desk: Desk) -> None:
    template = await published(database)
    first, second = a_record(template), a_record(template)
    await desk.submit(first, key="order-1", body=b"body")

    assert await desk.submit(second, key="order-1", body=b"body") == Duplicate(first.execution.execution_id, b"body")


async def test_a_database_that_does_not_exist_or_an_address_that_is_none_is_refused_and_not_waited_for(
    server: Server,
) -> None:
    for address in (server.dsn_of("no_such_database"), "postgresql://h:no-port/d"):
        with pytest.raises(DatabaseRefused, match="the database cannot be opened: "):
            await Database(address).open()
