"""The whole of a replica while its database is away or full: who asks is told to come back, and what runs goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from orchestrator.dispatch.replica import Replica
from orchestrator.store.breaker import Breaker
from orchestrator.store.database import Database
from orchestrator.system import SystemClock, SystemRandom
from protocol.packets import Ack, Process
from tests.conftest import Server
from tests.integration.http_api import WORKER, Answer, Api, serving
from tests.integration.system import until_holds
from tests.integration.test_http_on_replica import services_of, submitted
from tests.replicas import BRISK, CHAIN, ScriptedWorker, a_replica, accepting, completed

PATIENT = replace(BRISK, heartbeat=20.0, lease=60.0)
"""Longer than any fault of these tests: what is lost here is lost for another reason than time."""
FAULTS = ("away", "full")


@dataclass
class Scene:
    """A replica behind its API, on a database that its operator can break."""

    api: Api
    replica: Replica
    server: Server
    name: str

    @asynccontextmanager
    async def broken(self, fault: str) -> AsyncIterator[None]:
        begin, end = (self._close, self._open) if fault == "away" else (self._fill, self._clear)
        await begin()
        yield
        await end()

    async def _close(self) -> None:
        """Every session is cut and none is let in: so it looks when all of PostgreSQL is down."""
        await self._execute(self.server.dsn, f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        await self._execute(
            self.server.dsn, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"
        )

    async def _open(self) -> None:
        await self._execute(self.server.dsn, f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    async def _fill(self) -> None:
        await self._execute(
            self.server.dsn_of(self.name),
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON pipeline_executions"
            " FOR EACH STATEMENT EXECUTE FUNCTION full_disk()",
        )

    async def _clear(self) -> None:
        await self._execute(self.server.dsn_of(self.name), "DROP FUNCTION full_disk CASCADE")

    async def _execute(self, dsn: str, statements: str) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    async def post(self, key: str) -> Answer:
        return await self.api.post("/api/pipelines/execute", {"template": "chain", "input": {"value": 1}}, key=key)

    async def is_ready(self) -> bool:
        return (await self.api.get("/api/readyz")).status == 200


@pytest.fixture
async def scene(dsn: str, server: Server, tmp_path: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        database = Database(dsn, Breaker(SystemClock(), SystemRandom()))
        await database.open()
        stack.push_async_callback(database.close)
        replica = await stack.enter_async_context(a_replica(database, tmp_path, pace=PATIENT))
        api = await stack.enter_async_context(serving(services_of(replica, database)))
        yield Scene(api, replica, server, urlsplit(dsn).path.strip("/"))


@pytest.mark.parametrize("fault", FAULTS)
async def test_submissions_are_told_to_come_back_and_the_same_keys_make_one_execution_each_afterwards(
    scene: Scene, fault: str
) -> None:
    await submitted(scene.api, CHAIN)
    keys = [f"order-{number}" for number in range(6)]
    async with scene.broken(fault):
        refused = await asyncio.gather(*(scene.post(key) for key in keys))
    await until_holds(scene.is_ready, "it is ready again")
    taken = [await scene.post(key) for key in keys]
    again = [await scene.post(key) for key in keys]

    assert [(answer.status, answer.code) for answer in refused] == [(503, "unavailable")] * len(keys)
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert [answer.status for answer in taken + again] == [202] * 2 * len(keys)
    ids = [answer.document["executionId"] for answer in taken]
    assert ids == [answer.document["executionId"] for answer in again]
    assert len(set(ids)) == len(keys)


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_at_a_worker_goes_on_and_its_result_is_acked_when_it_is_durable_and_not_before(
    scene: Scene, fault: str
) -> None:
    worker = await ScriptedWorker(scene.replica, accepting, "worker-1").join()
    execution_id = await submitted(scene.api, CHAIN)
    process = await worker.got(Process)
    async with scene.broken(fault):
        worker.say(completed(process, {"value": 2}))
        beats = [await scene.api.post("/api/workers/worker-1/heartbeat", {}, by=WORKER) for _ in range(3)]
        await until_holds(lambda: stuck(scene), "the result waits to be written")
        unready = await scene.api.get("/api/readyz")
        acked_meanwhile = [packet for packet in worker.received if isinstance(packet, Ack)]
    ack = await worker.got(Ack)
    worker.say(completed(await worker.got(Process, 2), {"value": 3}))
    await until_holds(lambda: is_completed(scene, execution_id), "the execution is completed")
    document = (await scene.api.get(f"/api/executions/{execution_id}")).document

    assert [answer.status for answer in beats] == [200] * 3
    assert (unready.status, unready.document["checks"]["database"]["ok"]) == (503, False)
    assert (acked_meanwhile, ack.status) == ([], "committed")
    assert (document["result"], [stage["attempt"] for stage in document["stages"]]) == ({"value": 3}, [1, 1])


async def stuck(scene: Scene) -> bool:
    return scene.replica.journal.is_stuck


async def is_completed(scene: Scene, execution_id: str) -> bool:
    answer = await scene.api.get(f"/api/executions/{execution_id}")
    return answer.status == 200 and answer.document["status"] == "completed"
