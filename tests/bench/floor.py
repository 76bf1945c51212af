"""The floor: the same rows, written by a bare asyncpg loop on two connections in batches of 500.

How many rows of each table an execution inserts, updates and deletes is read from pg_stat of the run itself, so the
floor does exactly the row work of the run and nothing of what makes it an orchestrator.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from tests.bench.polling import until_answered

BATCH: Final = 500
CONNECTIONS: Final = 2
LONGEST_WAIT_SECONDS: Final = 60
ALL_TOLD: Final = """
    SELECT NOT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            AND NOT (state = 'idle'
                AND (query_start > $1::timestamptz + interval '1.1 s'
                    OR state_change < clock_timestamp() - interval '10.5 s')))"""
TABLES: Final = ("pipeline_executions", "stage_executions", "handshake_packets", "execution_queue")

INSERT: Final = {
    "pipeline_executions": """
        INSERT INTO pipeline_executions (execution_id, client_id, template_client_id, template, version, priority,
            input, created_at)
        SELECT id, 'client', '', 'bench', 1, 50, '{"value": 1}', now() FROM unnest($1::text[]) AS id""",
    "stage_executions": """
        INSERT INTO stage_executions (execution_id, name, client_id, action, status, attempt, offer_round, fence,
            settled_fence, worker_id, progress, estimate, result, metrics, started_at, finished_at)
        SELECT id, 'stage', 'client', 'increment', 'completed', 1, 1, 1, 1, 'worker', 100, '{"ms": 1}', '{"value": 2}',
            '{"processingTimeMs": 0.1}', now(), now() FROM unnest($1::text[]) AS id""",
    "handshake_packets": """
        INSERT INTO handshake_packets (execution_id, fence, client_id, stage_name, attempt, worker_id, packets)
        SELECT id, 1, 'client', 'stage', 1, 'worker', $2::json FROM unnest($1::text[]) AS id""",
    "execution_queue": """
        INSERT INTO execution_queue (execution_id, client_id, action, priority, started)
        SELECT id, 'client', 'increment', 50, false FROM unnest($1::text[]) AS id""",
}
UPDATE: Final = {
    "pipeline_executions": """
        UPDATE pipeline_executions AS e SET revision = revision + 1, progress = 33, result = '{"value": 2}'
        FROM unnest($1::text[]) AS id WHERE e.execution_id = id""",
    "stage_executions": """
        UPDATE stage_executions AS s SET result = '{"value": 2}', finished_at = now()
        FROM unnest($1::text[]) AS id WHERE s.execution_id = id AND s.name = 'stage'""",
    "handshake_packets": """
        UPDATE handshake_packets AS p SET packets = $2::json
        FROM unnest($1::text[]) AS id WHERE p.execution_id = id AND p.fence = 1""",
    "execution_queue": """
        UPDATE execution_queue AS q SET priority = 51 FROM unnest($1::text[]) AS id WHERE q.execution_id = id""",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows inserted, updated and deleted in one table."""

    inserted: int
    updated: int
    deleted: int


async def rows_written(connection: asyncpg.Connection) -> dict[str, Rows]:
    """What pg_stat has counted by table, once every backend has told what it did.

    A backend tells its counts when a statement of its ends at least a second after it told the last time, else when it
    has been idle for ten seconds. So whoever reads the counts right after a run misses up to a second of it.
    """
    began = await connection.fetchval("SELECT clock_timestamp()")
    await until_answered(connection, ALL_TOLD, began, seconds=LONGEST_WAIT_SECONDS)
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    rows = await connection.fetch(
        "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = ANY ($1)",
        list(TABLES),
    )
    return {row["relname"]: Rows(row["n_tup_ins"], row["n_tup_upd"], row["n_tup_del"]) for row in rows}


def rows_between(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> dict[str, Rows]:
    """What was written from one count to the next."""
    return {
        table: Rows(
            now.inserted - before[table].inserted,
            now.updated - before[table].updated,
            now.deleted - before[table].deleted,
        )
        for table, now in after.items()
    }


async def floor_seconds(
    connect: Callable[[], Any], executions: int, rows: dict[str, Rows], packets: str, now: Callable[[], float]
) -> float:
    """Seconds that the bare loop needs for the same number of rows in each table."""
    connections = [await connect() for _ in range(CONNECTIONS)]
    began = now()
    share = executions // CONNECTIONS
    await asyncio.gather(
        *(
            _write(connection, f"floor{number}", share, executions, rows, packets)
            for number, connection in enumerate(connections)
        )
    )
    seconds = now() - began
    for connection in connections:
        await connection.close()
    return seconds


async def _write(
    connection: asyncpg.Connection, name: str, share: int, executions: int, rows: dict[str, Rows], packets: str
) -> None:
    for first in range(0, share, BATCH):
        size = min(BATCH, share - first)
        async with connection.transaction():
            for table in TABLES:
                await _table(connection, table, rows[table], f"{name}-{first}", size, executions, packets)


async def _table(
    connection: asyncpg.Connection, table: str, rows: Rows, name: str, size: int, executions: int, packets: str
) -> None:
    extra = (packets,) if table == "handshake_packets" else ()
    inserted = round(rows.inserted * size / executions)
    ids = [f"{name}-{number:06}" for number in range(inserted)]
    await connection.execute(INSERT[table], ids, *extra)
    updated = round(rows.updated * size / executions)
    while updated > 0 and ids:
        await connection.execute(UPDATE[table], ids[:updated], *extra)
        updated -= len(ids)
    deleted = round(rows.deleted * size / executions)
    if deleted:
        await connection.execute(f"DELETE FROM {table} WHERE execution_id = ANY ($1)", ids[:deleted])
