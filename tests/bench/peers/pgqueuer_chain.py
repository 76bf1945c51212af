"""The chain on pgqueuer: each stage is an entry of the queue, and enqueues the next.

Settings: two worker processes on uvloop, asyncpg pools of 10, batches of 100, LISTEN/NOTIFY, all tables logged,
submissions in batches of 100. There is no record of an execution and a stage may repeat; the last stage writes the
result to a table.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator,unused-ignore"

import json
import time

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from tests.bench.peers.results_table import CREATE, INSERT, count_right, next_execution, until_all_ended
from tests.bench.peers.roles import Outcome, Roles, say, take_role

BATCH = 100
NEXT = {"one": "two", "two": "three"}


async def prepare(dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        await Queries(AsyncpgPoolDriver(pool)).install()
        await pool.execute(CREATE)


async def work(dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=4, max_size=10) as pool:
        queue = PgQueuer.from_asyncpg_pool(pool)

        async def increment(job: Job) -> None:
            execution, given, value = json.loads(job.payload or b"")
            if job.entrypoint in NEXT:
                payload = json.dumps([execution, given, value + 1]).encode()
                await queue.qm.queries.enqueue(NEXT[job.entrypoint], payload)
            else:
                await pool.execute(INSERT, execution, given, value + 1)

        for name in ("one", "two", "three"):
            queue.entrypoint(name)(increment)
        say("ready")
        await queue.run(batch_size=BATCH)


async def drive(dsn: str, executions: int) -> Outcome:
    connection = await asyncpg.connect(dsn)
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        first = await next_execution(connection)
        began = time.perf_counter()
        for start in range(0, executions, BATCH):
            numbers = range(start, min(start + BATCH, executions))
            payloads: list[bytes | None] = [json.dumps([first + n, n, n]).encode() for n in numbers]
            await queries.enqueue(["one"] * len(numbers), payloads, [0] * len(numbers))
        await until_all_ended(connection, first, executions)
        outcome = Outcome(time.perf_counter() - began, await count_right(connection, first))
    await connection.close()
    return outcome


if __name__ == "__main__":
    take_role(Roles(prepare, work, drive))
