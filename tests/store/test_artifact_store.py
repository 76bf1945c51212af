"""A database has one artifact store, and a replica that comes with another is refused."""

import asyncio
import shutil
from pathlib import Path

import pytest

from orchestrator.store.artifact_store import ArtifactStoreRefused, settle_artifact_store
from orchestrator.store.blobs import MARK, ArtifactLost, BlobsAway, ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.system import TimeOrderedIds
from tests.conftest import Server

IDS = TimeOrderedIds()


def blobs_in(folder: Path) -> ObjectBlobs:
    return ObjectBlobs.in_folder(folder, IDS)


async def settle(database: Database, folder: Path) -> None:
    await settle_artifact_store(database, blobs_in(folder), IDS)


async def agreed(database: Database) -> list[tuple[object, ...]]:
    async with database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch("SELECT store_id, url, is_agreed FROM artifact_store")]


async def test_at_the_first_start_the_database_and_the_store_learn_the_same_id(
    database: Database, tmp_path: Path
) -> None:
    for _ in range(2):
        await settle(database, tmp_path / "a")

    mark = (tmp_path / "a" / MARK).read_text().strip()
    assert await agreed(database) == [(mark, (tmp_path / "a").as_uri(), True)]


async def test_another_store_is_refused_with_what_to_set_and_stays_as_it_was(
    database: Database, tmp_path: Path
) -> None:
    await settle(database, tmp_path / "a")

    with pytest.raises(ArtifactStoreRefused) as refused:
        await settle(database, tmp_path / "b")

    assert str(refused.value) == (
        f"the artifacts of this database are not in file://{tmp_path}/b, but in file://{tmp_path}/a: share that folder "
        "and name it with --artifacts-url file:///FOLDER, or keep the artifacts of all replicas in s3://BUCKET/PREFIX"
    )
    assert list((tmp_path / "b").iterdir()) == []


async def test_the_store_of_another_database_is_refused(
    database: Database, server: Server, template: str, tmp_path: Path
) -> None:
    name = await asyncio.to_thread(server.clone, template)
    other = Database(server.dsn_of(name))
    await other.open()
    try:
        await settle(database, tmp_path / "a")
        with pytest.raises(ArtifactStoreRefused, match="are another database's: name this one's store with"):
            await settle(other, tmp_path / "a")
        await settle(other, tmp_path / "b")
        with pytest.raises(ArtifactStoreRefused, match=r"another database's, and those of this one are in file://.*/a"):
            await settle(database, tmp_path / "b")
    finally:
        await other.close()
        await asyncio.to_thread(server.drop, name)


async def test_of_replicas_that_start_at_once_with_different_stores_one_is_refused(
    database: Database, tmp_path: Path
) -> None:
    outcomes = await asyncio.gather(
        *(settle(database, tmp_path / name) for name in ("a", "b", "c")), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes if outcome is not None] == [ArtifactStoreRefused] * 2
    assert len([name for name in ("a", "b", "c") if (tmp_path / name / MARK).exists()]) == 1


async def test_a_store_that_moved_is_known_by_the_id_that_it_keeps(database: Database, tmp_path: Path) -> None:
    await settle(database, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "moved")

    await settle(database, tmp_path / "moved")

    assert [url for _, url, _ in await agreed(database)] == [(tmp_path / "moved").as_uri()]


async def test_a_start_that_broke_off_before_the_store_had_the_id_binds_nobody(
    database: Database, tmp_path: Path
) -> None:
    class Cut(ObjectBlobs):
        async def put_mark(self, mark: str) -> None:
            raise BlobsAway("the line is dead")

    cut = Cut.in_folder(tmp_path / "a", IDS)
    with pytest.raises(ArtifactStoreRefused, match="the line is dead"):
        await settle_artifact_store(database, cut, IDS)

    await settle(database, tmp_path / "b")

    assert [is_agreed for _, _, is_agreed in await agreed(database)] == [True]


async def test_a_start_that_broke_off_after_the_store_had_the_id_is_completed_by_the_next(
    database: Database, tmp_path: Path
) -> None:
    await settle(database, tmp_path / "a")
    before = await agreed(database)
    async with database.acquire() as connection:
        await connection.execute("UPDATE artifact_store SET is_agreed = false")

    await settle(database, tmp_path / "a")

    assert await agreed(database) == before


async def test_a_folder_that_is_no_longer_mounted_has_not_lost_its_artifacts(
    database: Database, tmp_path: Path
) -> None:
    blobs = blobs_in(tmp_path / "a")
    await settle_artifact_store(database, blobs, IDS)
    with pytest.raises(ArtifactLost):
        await blobs.get("client_1", "a" * 64)

    shutil.rmtree(tmp_path / "a")

    with pytest.raises(BlobsAway, match="is not the artifact store that it was"):
        await blobs.get("client_1", "a" * 64)
