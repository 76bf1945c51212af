"""Claims, takeovers and the inbox."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.core.order import order_key
from orchestrator.store.database import UNAVAILABLE, Database
from orchestrator.store.low_water import LowWater, rank_of
from orchestrator.store.ownership import PostgresOwnership
from orchestrator.store.statements import statements
from orchestrator.system import SystemClock
from tests.driven_clock import DrivenClock
from tests.replicas import CLIENT, a_record, published
from tests.store.test_journal import LEASE, Desk, a_desk

TAKEN_LONG_AGO = """
    INSERT INTO execution_queue (execution_id, client_id, action, priority, started)
    SELECT 'exec_' || lpad(n::text, 26, '0'), 'client_1', 'work', 90, false FROM generate_series(1, 1000) AS n;
    DELETE FROM execution_queue WHERE priority = 90"""
ENTRIES_READ = "SELECT pg_stat_get_xact_tuples_returned('queue_order'::regclass)"


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(database, tmp_path) as desk:
        yield desk


async def another(desk: Desk, database: Database, lease: timedelta = LEASE) -> PostgresOwnership:
    other = PostgresOwnership(database, desk.ownership._loading, "replica_2", LowWater(SystemClock()))
    await other.register("http://127.0.0.1:2", lease)
    return other


async def test_claims_come_in_the_order_of_work_and_never_more_than_was_asked(desk: Desk, database: Database) -> None:
    template = await published(database)
    chance = random.Random(4)
    records = [a_record(template, priority=chance.choice([25, 50, 75])) for _ in range(30)]
    for record in records:
        await desk.submit(record, owned=False)
    expected = sorted(order_key(r.execution.priority, False, r.execution.execution_id) for r in records)

    claimed = [await desk.ownership.claim("work", 7) for _ in range(5)]

    assert [len(batch) for batch in claimed] == [7, 7, 7, 7, 2]
    ids = [sorted(record.execution.execution_id for record in batch) for batch in claimed]
    assert ids == [sorted(key[2] for key in expected[first : first + 7]) for first in range(0, 30, 7)]


async def test_the_queue_ranks_priority_and_started_as_the_low_water_marks_do(database: Database) -> None:
    kinds = [(priority, started) for priority in range(101) for started in (False, True)]
    async with database.acquire() as connection:
        rows = await connection.fetch(
            """
            INSERT INTO execution_queue (execution_id, client_id, action, priority, started)
            SELECT 'exec_' || n, 'client_1', 'work', priority, started
            FROM unnest($1::smallint[], $2::boolean[]) WITH ORDINALITY AS kind (priority, started, n)
            RETURNING priority, started, rank
            """,
            *zip(*kinds, strict=True),
        )

    assert [tuple(row) for row in rows] == [(*kind, rank_of(*kind)) for kind in kinds]


async def test_what_was_started_goes_before_what_is_fresh(desk: Desk, database: Database) -> None:
    template = await published(database)
    fresh, started = a_record(template), a_record(template)
    await desk.submit(fresh, owned=False)
    await desk.submit(started, owned=False)
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE execution_queue SET started = true WHERE execution_id = $1", started.execution.execution_id
        )

    [first] = await desk.ownership.claim("work", 1)

    assert first.execution.execution_id == started.execution.execution_id


async def test_replicas_that_claim_at_once_share_the_queue_and_nothing_is_claimed_twice(
    desk: Desk, database: Database
) -> None:
    template = await published(database)
    records = [a_record(template) for _ in range(40)]
    for record in records:
        await desk.submit(record, owned=False)
    other = await another(desk, database)

    batches = await asyncio.gather(*(replica.claim("work", 5) for _ in range(8) for replica in (desk.ownership, other)))

    claimed = [record.execution.execution_id for batch in batches for record in batch]
    assert sorted(claimed) == sorted(record.execution.execution_id for record in records)


async def test_a_claim_goes_once_over_what_an_old_snapshot_keeps_in_the_index(desk: Desk, database: Database) -> None:
    template = await published(database)
    for _ in range(2):
        await desk.submit(a_record(template), owned=False)
    marks = LowWater(DrivenClock())
    async with database.acquire() as old, database.acquire() as connection, old.transaction(isolation="serializable"):
        await old.fetchval("SELECT count(*) FROM execution_queue")
        await connection.execute(TAKEN_LONG_AGO)
        read = [await connection.fetchval(ENTRIES_READ)]
        for _ in range(2):
            with marks.look("work") as look:
                claim = statements("ownership")["claim"]
                await connection.fetch(claim, "replica_1", desk.ownership.epoch, "work", look.lows, 1)
            read.append(await connection.fetchval(ENTRIES_READ))

    assert [after - before for before, after in pairwise(read)] == [1001, 2]


async def test_a_replica_whose_lease_is_over_is_deposed_and_its_executions_are_taken_over(
    desk: Desk, database: Database
) -> None:
    template = await published(database)
    other = await another(desk, database, lease=timedelta(0))
    record = a_record(template)
    await desk.submit(record, owned=False)
    [theirs] = await other.claim("work", 1)

    deposed = await desk.ownership.depose()
    [adopted] = await desk.ownership.adopt(10)

    assert deposed == ["replica_2"]
    assert adopted.execution == theirs.execution
    assert await other.renew(LEASE) is None
    assert await desk.ownership.depose() == []


async def test_a_replica_that_stands_still_in_the_middle_of_a_claim_is_deposed_all_the_same(
    desk: Desk, database: Database
) -> None:
    await another(desk, database, lease=timedelta(0))
    # Its session is ended under its feet, which it notices when it wants to go on.
    with suppress(*UNAVAILABLE):
        async with database.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM replicas WHERE replica_id = 'replica_2' FOR SHARE")
            deposed = await desk.ownership.depose()

    assert deposed == ["replica_2"]


async def test_a_replica_that_lives_is_not_deposed(desk: Desk, database: Database) -> None:
    await another(desk, database)

    assert await desk.ownership.depose() == []
    assert await desk.ownership.renew(LEASE) == 1


async def test_a_new_life_under_the_same_name_takes_up_what_the_earlier_one_held(
    desk: Desk, database: Database
) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    successor = PostgresOwnership(database, desk.ownership._loading, "replica_1", LowWater(SystemClock()))
    await successor.register("http://127.0.0.1:1", LEASE)

    [adopted] = await successor.adopt(10)

    assert adopted.execution == record.execution


async def test_a_message_reaches_the_owner_and_nobody_else(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    execution_id = record.execution.execution_id
    await desk.submit(record)
    other = await another(desk, database)

    sent = await other.send(execution_id, CLIENT, {"type": "cancel"})

    assert sent
    assert await other.inbox(10) == []
    [message] = await desk.ownership.inbox(10)
    assert (message.execution_id, message.event) == (execution_id, {"type": "cancel"})


async def test_another_clients_execution_takes_no_messages(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)

    assert not await desk.ownership.send(record.execution.execution_id, "client_2", {"type": "cancel"})
