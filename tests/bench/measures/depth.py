"""Dequeuing while little, much or very much waits, with and without an old snapshot held open.

The whole system runs a fixed number of executions that go before what waits, so the depth never falls below what the
row says. Then claims are timed one by one, through the store that the orchestrator itself claims with.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import asyncpg

from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.loading import Loading
from orchestrator.store.low_water import LowWater
from orchestrator.store.ownership import PostgresOwnership
from orchestrator.store.templates import Templates
from orchestrator.system import SystemClock, TimeOrderedIds
from tests.bench.backlog import churn, let_wait, settle
from tests.bench.chain import LONGEST_SECONDS
from tests.bench.extent import Extent
from tests.bench.polling import until_answered
from tests.bench.report import Cell, Plot, Report, percentiles
from tests.bench.stand import Site, Stand

TARGET = "within 1.5 times of each other, also with an old snapshot"
BEFORE: Final = {"churned": 90, "warm": 70, "measured": 60}
"""Priorities that go before what waits, which has 50."""
WAITING: Final = 50
WARM: Final = 500
CLAIMS: Final = 30
AT_ONCE: Final = 100
REPLICA: Final = "bench"
# Of this priority nothing waits and nothing is owned.
_DONE: Final = """
    SELECT NOT EXISTS (SELECT FROM execution_queue WHERE action = 'increment' AND priority = $1)
        AND NOT EXISTS (SELECT FROM pipeline_executions WHERE owner IS NOT NULL AND priority = $1)"""
_TAKEN: Final = """
    SELECT max(finished_at) FILTER (WHERE priority = $1) - max(finished_at) FILTER (WHERE priority = $2)
    FROM pipeline_executions"""
_RIGHT: Final = """
    SELECT count(*) FROM pipeline_executions
    WHERE priority = $1 AND status = 'completed' AND (result ->> 'value')::int = (input ->> 'value')::int + 3"""


async def measure(stand: Stand, extent: Extent) -> Report:
    depths = extent.pick((1_000, 10_000, 50_000), (1_000, 100_000, 1_000_000))
    executions = extent.pick(2_000, 20_000)
    churned = extent.pick(20_000, 200_000)
    rows: list[dict[str, Cell]] = []
    faults: list[str] = []
    for old_snapshot in (0, churned):
        for depth in depths:
            row, found = await _at_depth(stand, depth, executions, old_snapshot)
            rows.append(row)
            faults += found
    return Report(
        name="depth",
        title=f"{executions:,} executions dequeued and run, and claims, while at least as many wait as the row says",
        target=TARGET,
        rows=rows,
        notes=(
            "deadRows: taken out of the queue while a snapshot from before was open, which keeps them in the index.",
            f"claim{AT_ONCE}Ms, claim1Ms: medians of {CLAIMS} claims of {AT_ONCE} executions, and of one.",
        ),
        faults=faults,
        plot=Plot("executionsPerSecond", ("waiting", "deadRows")),
    )


async def _at_depth(stand: Stand, depth: int, executions: int, dead_rows: int) -> tuple[dict[str, Cell], list[str]]:
    dsn = await stand.new_database()
    async with stand.site(dsn) as site:
        await let_wait(site.connection, depth + CLAIMS * (AT_ONCE + 1), WAITING)
        await settle(site.connection)
    async with _snapshot(dsn) if dead_rows else _nothing():
        claims = await _claims(dsn, stand, dead_rows)
        async with stand.site(dsn) as site:
            await let_wait(site.connection, executions, BEFORE["measured"])
            await let_wait(site.connection, WARM, BEFORE["warm"])
            seconds = await _dequeued(site)
            ended = await site.connection.fetchval(_RIGHT, BEFORE["measured"])
    row: dict[str, Cell] = {
        "waiting": depth,
        "deadRows": dead_rows,
        "executionsPerSecond": executions / seconds,
        **claims,
    }
    return row, [] if ended == executions else [f"at {depth}: {executions - ended} are lost or wrong"]


async def _dequeued(site: Site) -> float:
    """Seconds from the last end of the warming ones to the last end of the measured ones."""
    await site.worker("bench-increment")
    # With an old snapshot the question goes over all that is dead, so it is not asked often.
    await until_answered(site.connection, _DONE, BEFORE["measured"], seconds=LONGEST_SECONDS, every=0.5)
    taken: timedelta = await site.connection.fetchval(_TAKEN, BEFORE["measured"], BEFORE["warm"])
    return taken.total_seconds()


async def _claims(dsn: str, stand: Stand, dead_rows: int) -> dict[str, Cell]:
    """Median milliseconds of claims by a replica of the bench's own, which leaves nothing behind but dead rows."""
    database = Database(dsn)
    await database.open()
    try:
        async with database.acquire() as connection:
            await churn(connection, dead_rows, BEFORE["churned"])
        blobs = ObjectBlobs.in_folder(stand.new_folder(), TimeOrderedIds())
        clock = SystemClock()
        loading = Loading(Templates(database, clock), blobs)
        ownership = PostgresOwnership(database, loading, REPLICA, LowWater(clock))
        await ownership.register("http://127.0.0.1:1", timedelta(minutes=10))
        taken = {f"claim{count}Ms": await _median_ms(ownership, count) for count in (AT_ONCE, 1)}
        async with database.acquire() as connection:
            await connection.execute("DELETE FROM pipeline_executions WHERE owner = $1", REPLICA)
            await connection.execute("DELETE FROM replicas WHERE replica_id = $1", REPLICA)
    finally:
        await database.close()
    return dict(taken)


async def _median_ms(ownership: PostgresOwnership, count: int) -> float:
    taken: list[float] = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claimed = await ownership.claim("increment", count)
        taken.append((time.perf_counter() - began) * 1000)
        assert len(claimed) == count
    return percentiles(taken, 50)["p50"]


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[None]:
    """A transaction that sees the database as it is now, until the block ends."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("SELECT count(*) FROM execution_queue")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield
