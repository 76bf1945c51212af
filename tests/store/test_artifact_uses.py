"""Every flush says which artifacts its executions refer to, and a removal under way sees it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from orchestrator.core.execution import Execution
from orchestrator.core.stage import Loss, Stage, StageStatus
from orchestrator.store.artifacts import Artifacts
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.retention import Removed, Retention
from orchestrator.system import TimeOrderedIds
from tests.replicas import CLIENT, a_record, published
from tests.store.test_journal import Desk, a_desk, take_up
from tests.store.test_retention import Unhurried

LARGE = {"text": "x" * 100_000}
OF_NOTHING = "0" * 64
AGE = timedelta(days=30)
LOCKED = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(database, tmp_path) as desk:
        yield desk


@pytest.fixture
def artifacts(database: Database, tmp_path: Path) -> Artifacts:
    return Artifacts(database, ObjectBlobs.in_folder(tmp_path / "artifacts", TimeOrderedIds()))


async def uploaded(artifacts: Artifacts, text: str, client_id: str = CLIENT) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield text.encode()

    return (await artifacts.keep(client_id, "text/plain", pieces())).sha256


async def rows(database: Database, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    async with database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(statement, *arguments)]


async def uses(database: Database) -> list[tuple[Any, ...]]:
    return await rows(database, "SELECT execution_id, sha256 FROM artifact_uses ORDER BY 1, 2")


async def test_an_input_that_names_an_artifact_of_the_client_uses_it_however_it_is_written(
    desk: Desk, database: Database, artifacts: Artifacts
) -> None:
    mine, other = await uploaded(artifacts, "mine"), await uploaded(artifacts, "theirs", "client_2")
    given = {"value": [mine, {"sha256": mine, "sizeBytes": 4}], "document": other, "nothing": OF_NOTHING}
    record = a_record(await published(database), given)

    await desk.submit(record)

    assert await uses(database) == [(record.execution.execution_id, mine)]


async def test_a_payload_that_became_an_artifact_is_used_by_all_executions_that_have_it(
    desk: Desk, database: Database
) -> None:
    template = await published(database)
    records = [a_record(template, LARGE) for _ in range(2)]
    await asyncio.gather(*(desk.submit(record) for record in records))

    [digest] = {digest for _, digest in await uses(database)}

    assert [execution_id for execution_id, _ in await uses(database)] == sorted(
        record.execution.execution_id for record in records
    )
    assert await rows(database, "SELECT sha256 FROM data_references") == [(digest,)]


async def test_a_result_that_names_an_artifact_uses_it(desk: Desk, database: Database, artifacts: Artifacts) -> None:
    digest = await uploaded(artifacts, "made by a worker")
    record = a_record(await published(database))
    await desk.submit(record)
    take_up(record)
    record.execution.stages["one"] = done(record.execution, {"file": {"sha256": digest}})

    await desk.changed(record, "one")

    assert await uses(database) == [(record.execution.execution_id, digest)]


def done(execution: Execution, result: Any) -> Stage:
    return Stage("one", StageStatus.COMPLETED, progress=100.0, result=result, finished_at=execution.created_at)


async def test_an_artifact_that_was_long_unused_is_as_fresh_as_a_new_one_once_it_is_referred_to(
    desk: Desk, database: Database, artifacts: Artifacts
) -> None:
    digest = await uploaded(artifacts, "old")
    await age_all(database)
    await desk.submit(a_record(await published(database), {"value": digest}))

    [(unused_for,)] = await rows(database, "SELECT now() - used_at FROM data_references")

    assert unused_for < timedelta(hours=1)


async def age_all(database: Database) -> None:
    await rows(database, "UPDATE data_references SET used_at = now() - interval '31 days' RETURNING 1")


async def test_a_removal_that_meets_a_flush_which_begins_to_use_the_artifact_leaves_it_alone(
    database: Database, artifacts: Artifacts, tmp_path: Path, dsn: str
) -> None:
    digest = await uploaded(artifacts, "old")
    await age_all(database)
    blobs = ObjectBlobs.in_folder(tmp_path / "artifacts", TimeOrderedIds())
    retention = Retention(database, blobs, Unhurried(), "replica_1", AGE, lambda: ())
    flush = await asyncpg.connect(dsn)
    try:
        async with flush.transaction():
            await flush.execute("INSERT INTO artifact_uses VALUES ('exec_1', $1, $2)", CLIENT, digest)
            await flush.execute("UPDATE data_references SET used_at = now()")
            removing = asyncio.create_task(retention.tick())
            async with asyncio.timeout(30):
                while not await rows(database, LOCKED):
                    assert not removing.done()
    finally:
        await flush.close()

    assert await removing == Removed()
    assert await artifacts.find(CLIENT, digest) is not None


async def test_what_a_stage_was_lost_with_comes_back_whole(desk: Desk, database: Database) -> None:
    record = a_record(await published(database))
    await desk.submit(record)
    take_up(record)
    losses = (Loss("w1", "was silent"), Loss("w2", 'said "stop"', "life_2"))
    record.execution.stages["one"] = Stage("one", StageStatus.READY, attempt=3, losses=losses)

    await desk.changed(record, "one")

    assert await desk.stored(record) == record.execution
