"""The chain on procrastinate: each stage is an entry of the queue, and defers the next.

Settings: two worker processes on uvloop, each with a pool of 10 of psycopg 3 (binary) and 50 at once, LISTEN/NOTIFY,
submissions in batches of 100. The entries stay as its record, as by default; the last stage writes the result to a
table.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator,unused-ignore"

import time

import asyncpg
import procrastinate

from tests.bench.peers.results_table import CREATE, INSERT, count_right, next_execution, until_all_ended
from tests.bench.peers.roles import Outcome, Roles, say, take_role

AT_ONCE = 50
BATCH = 100


def an_app(dsn: str, results: asyncpg.Pool | None = None) -> procrastinate.App:
    """The app with its three stages; without a table for results it can only submit."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn, min_size=4, max_size=10))

    @app.task(name="three")
    async def three(execution: int, given: int, value: int) -> None:
        assert results is not None
        await results.execute(INSERT, execution, given, value + 1)

    @app.task(name="two")
    async def two(execution: int, given: int, value: int) -> None:
        await three.defer_async(execution=execution, given=given, value=value + 1)

    @app.task(name="one")
    async def one(execution: int, given: int, value: int) -> None:
        await two.defer_async(execution=execution, given=given, value=value + 1)

    return app


async def prepare(dsn: str) -> None:
    app = an_app(dsn)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
    connection = await asyncpg.connect(dsn)
    await connection.execute(CREATE)
    await connection.close()


async def work(dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        app = an_app(dsn, pool)
        async with app.open_async():
            say("ready")
            await app.run_worker_async(concurrency=AT_ONCE, listen_notify=True)


async def drive(dsn: str, executions: int) -> Outcome:
    app = an_app(dsn)
    connection = await asyncpg.connect(dsn)
    async with app.open_async():
        first = await next_execution(connection)
        began = time.perf_counter()
        for start in range(0, executions, BATCH):
            numbers = range(start, min(start + BATCH, executions))
            given = [{"execution": first + n, "given": n, "value": n} for n in numbers]
            await app.tasks["one"].batch_defer_async(*given)
        await until_all_ended(connection, first, executions)
        outcome = Outcome(time.perf_counter() - began, await count_right(connection, first))
    await connection.close()
    return outcome


if __name__ == "__main__":
    take_role(Roles(prepare, work, drive))
