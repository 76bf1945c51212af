"""The chain on DBOS: a workflow of three durable steps, from its queue.

Settings: two worker processes, a registered queue polled every 10 ms, 100 workflows at once and a pool of 12
connections in each; submissions by its client from 8 threads. Its record is complete: status, input, steps and result
of each workflow.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator,unused-ignore"

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import asyncpg
from dbos import DBOS, DBOSClient, DBOSConfig

from tests.bench.peers.roles import LONGEST_SECONDS, STAGES, Outcome, Roles, say, take_role
from tests.bench.polling import until_answered

QUEUE = "chain"
AT_ONCE = 100
POOL = 12
SUBMITTERS = 8
APPLICATION_VERSION = "bench"
OPTIONS = {"workflow_name": "chain", "queue_name": QUEUE, "app_version": APPLICATION_VERSION}
_ALL_ENDED = """
    SELECT NOT EXISTS (SELECT FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING', 'DELAYED'))"""


def config(dsn: str) -> DBOSConfig:
    return {
        "name": "bench",
        "system_database_url": dsn,
        "sys_db_pool_size": POOL,
        "application_version": APPLICATION_VERSION,
        "log_level": "WARNING",
        "run_admin_server": False,
    }


async def prepare(dsn: str) -> None:
    """Make the schema, and the queue in it."""
    declare(dsn)
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=0.01)
    DBOS.destroy()


def declare(dsn: str) -> None:
    """The workflow and its step, in this process."""
    DBOS(config=config(dsn))

    @DBOS.step(name="increment")
    async def increment(value: int) -> int:
        return value + 1

    @DBOS.workflow(name="chain")
    async def chain(value: int) -> int:
        for _ in range(STAGES):
            value = await increment(value)
        return value


async def work(dsn: str) -> None:
    declare(dsn)
    DBOS.launch()
    say("ready")
    await asyncio.Event().wait()


async def drive(dsn: str, executions: int) -> Outcome:
    client = DBOSClient(system_database_url=dsn, system_database_pool_size=POOL)
    connection = await asyncpg.connect(dsn)
    began = time.perf_counter()
    with ThreadPoolExecutor(SUBMITTERS) as threads:
        handles = list(threads.map(lambda n: client.enqueue(OPTIONS, n), range(executions)))
    await until_answered(connection, _ALL_ENDED, seconds=LONGEST_SECONDS)
    seconds = time.perf_counter() - began
    await connection.close()
    right = sum(handle.get_result() == number + STAGES for number, handle in enumerate(handles))
    client.destroy()
    return Outcome(seconds, right)


if __name__ == "__main__":
    take_role(Roles(prepare, work, drive))
