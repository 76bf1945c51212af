"""Rows by the hundred thousand, made inside the database: executions that wait, executions that ended long ago.

They are what the orchestrator itself would have written for the chain, so it claims and reads them like its own.
"""

from typing import Final

import asyncpg

CHUNK: Final = 100_000

_CLIENT: Final = "(SELECT client_id FROM clients ORDER BY client_id LIMIT 1)"
# Ids as the orchestrator's own, but older than any of them. The prefix keeps loads apart.
_ID: Final = "'exec_' || lpad($1::text || lpad(n::text, 12, '0'), 26, '0')"

_WAITING: Final = f"""
    INSERT INTO pipeline_executions (execution_id, client_id, template_client_id, template, version, priority, input,
        created_at)
    SELECT {_ID}, {_CLIENT}, {_CLIENT}, 'bench_chain', 1, $1::text::int, json_build_object('value', n), now()
    FROM generate_series($2::int, $3::int - 1) AS n"""
_QUEUED: Final = f"""
    INSERT INTO execution_queue (execution_id, client_id, action, priority, started)
    SELECT {_ID}, {_CLIENT}, 'increment', $1::text::int, false FROM generate_series($2::int, $3::int - 1) AS n"""
_UNQUEUED: Final = "DELETE FROM execution_queue WHERE action = 'increment' AND priority = $1"

_ENDED: Final = f"""
    INSERT INTO pipeline_executions (execution_id, client_id, template_client_id, template, version, status, priority,
        progress, sequence, revision, input, result, created_at, started_at, finished_at)
    SELECT {_ID}, {_CLIENT}, {_CLIENT}, 'bench_chain', 1, 'completed', 50, 100, 18, 4, json_build_object('value', n),
        json_build_object('value', n + 3), at, at, at
    FROM generate_series($2::int, $3::int - 1) AS n, LATERAL (SELECT now() - interval '1 day' AS at) AS finished"""
_ENDED_STAGES: Final = f"""
    INSERT INTO stage_executions (execution_id, name, client_id, action, status, attempt, offer_round, fence,
        settled_fence, worker_id, progress, estimate, result, metrics, started_at, finished_at)
    SELECT {_ID}, name, {_CLIENT}, 'increment', 'completed', 1, 1, 3 * n + place, 3 * n + place, 'bench-increment', 100,
        '{{"ms": 1}}', json_build_object('value', n + place), '{{"processingTimeMs": 0.1}}', at, at
    FROM generate_series($2::int, $3::int - 1) AS n, LATERAL (SELECT now() - interval '1 day' AS at) AS finished,
        unnest(ARRAY['one', 'two', 'three']) WITH ORDINALITY AS stage (name, place)"""
_ENDED_PACKETS: Final = f"""
    INSERT INTO handshake_packets (execution_id, fence, client_id, stage_name, attempt, worker_id, packets)
    SELECT {_ID}, 3 * n + place, {_CLIENT}, name, 1, 'bench-increment', $4::json
    FROM generate_series($2::int, $3::int - 1) AS n,
        unnest(ARRAY['one', 'two', 'three']) WITH ORDINALITY AS stage (name, place)"""


async def let_wait(connection: asyncpg.Connection, executions: int, priority: int) -> None:
    """Queue that many executions of one priority; a priority is loaded once."""
    for first in range(0, executions, CHUNK):
        until = min(first + CHUNK, executions)
        async with connection.transaction():
            await connection.execute(_WAITING, str(priority), first, until)
            await connection.execute(_QUEUED, str(priority), first, until)


async def churn(connection: asyncpg.Connection, rows: int, priority: int) -> None:
    """Put rows into the queue and take them out: what dequeuing leaves behind for as long as a snapshot is old."""
    for first in range(0, rows, CHUNK):
        await connection.execute(_QUEUED, str(priority), first, min(first + CHUNK, rows))
        await connection.execute(_UNQUEUED, priority)


async def let_be_history(connection: asyncpg.Connection, executions: int, packets: str) -> None:
    """That many completed executions of the chain with stages and packets; `packets` is one stage's conversation."""
    for first in range(0, executions, CHUNK):
        until = min(first + CHUNK, executions)
        async with connection.transaction():
            await connection.execute(_ENDED, "1", first, until)
            await connection.execute(_ENDED_STAGES, "1", first, until)
            await connection.execute(_ENDED_PACKETS, "1", first, until, packets)


async def settle(connection: asyncpg.Connection) -> None:
    """What the server would do sooner or later, so that it does not do it while something is measured."""
    await connection.execute("VACUUM (ANALYZE)")
    await connection.execute("CHECKPOINT")
