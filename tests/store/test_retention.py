"""What is over goes, with all that belongs to it, and nothing else does."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from orchestrator.store.artifacts import Artifacts
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.retention import BATCH, Removed, Retention
from orchestrator.store.statements import statements
from orchestrator.system import SystemClock, TimeOrderedIds

CLIENT = "client_1"
AGE = timedelta(days=30)
OLD = timedelta(days=31)


class Unhurried(SystemClock):
    """The system's clock, whose pauses take no time."""

    async def sleep(self, seconds: float) -> None:
        return None


@dataclass
class House:
    """A system's tables and artifacts, which were written by earlier days' flushes."""

    database: Database
    blobs: ObjectBlobs
    artifacts: Artifacts
    folder: Path

    def keeper(self, replica_id: str = "replica_1", age: timedelta | None = AGE, in_reach: Any = ()) -> Retention:
        return Retention(self.database, self.blobs, Unhurried(), replica_id, age, lambda: in_reach)

    async def execute(self, statement: str, *arguments: Any) -> None:
        async with self.database.acquire() as connection:
            await connection.execute(statement, *arguments)

    async def column(self, statement: str, *arguments: Any) -> list[Any]:
        async with self.database.acquire() as connection:
            return [row[0] for row in await connection.fetch(statement, *arguments)]

    async def execution(self, name: str, made: timedelta, ended: timedelta | None, uses: str | None = None) -> None:
        """An execution that was made and has ended so long ago, with a stage, packets, and a key."""
        status = "running" if ended is None else "completed"
        await self.execute(
            "INSERT INTO pipeline_executions (execution_id, client_id, template_client_id, template, version, status,"
            " priority, progress, input, created_at, finished_at)"
            " VALUES ($1, $2, '', 't', 1, $3, 50, $4, '{}', now() - $5::interval, now() - $6::interval)",
            *(name, CLIENT, status, 0 if ended is None else 100, made, ended),
        )
        await self.execute(
            "INSERT INTO stage_executions (execution_id, name, client_id, status, attempt, offer_round, progress)"
            " VALUES ($1, 's', $2, 'ready', 1, 0, 0)",
            *(name, CLIENT),
        )
        await self.execute(
            "INSERT INTO handshake_packets (execution_id, fence, client_id, stage_name, attempt, worker_id, packets)"
            " VALUES ($1, 1, $2, 's', 1, 'w', '[]')",
            *(name, CLIENT),
        )
        await self.execute("INSERT INTO idempotency_keys VALUES ($1, $2, '', $2)", CLIENT, name)
        if uses is not None:
            await self.execute("INSERT INTO artifact_uses VALUES ($1, $2, $3)", name, CLIENT, uses)

    async def artifact(self, text: str, unused_for: timedelta) -> str:
        """The hash of an artifact that was uploaded, and last used, so long ago."""
        digest = (await self.artifacts.keep(CLIENT, "text/plain", in_one_piece(text))).sha256
        await self.execute(
            "UPDATE data_references SET used_at = now() - $2::interval WHERE sha256 = $1", digest, unused_for
        )
        self.age_bytes(digest, unused_for)
        return digest

    def age_bytes(self, digest: str, by: timedelta) -> None:
        then = SystemClock().now().timestamp() - by.total_seconds()
        os.utime(self.folder / CLIENT / digest[:2] / digest, (then, then))

    async def everything_of(self, name: str) -> list[int]:
        """How many rows each table has of an execution."""
        tables = ("pipeline_executions", "stage_executions", "handshake_packets", "idempotency_keys", "artifact_uses")
        return [
            (await self.column(f"SELECT count(*) FROM {table} WHERE execution_id = $1", name))[0] for table in tables
        ]


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    folder = tmp_path / "artifacts"
    blobs = ObjectBlobs.in_folder(folder, TimeOrderedIds())
    return House(database, blobs, Artifacts(database, blobs), folder)


async def in_one_piece(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


async def test_an_execution_goes_with_all_that_belongs_to_it_when_it_ended_long_ago(house: House) -> None:
    await house.execution("exec_1", OLD, OLD, uses=hash_of("a"))
    await house.execution("exec_2", OLD, timedelta(days=29), uses=hash_of("a"))
    await house.execution("exec_3", OLD, None, uses=hash_of("a"))
    await house.execution("exec_4", timedelta(days=1), timedelta(days=1), uses=hash_of("a"))

    removed = await house.keeper().tick()

    assert removed == Removed(executions=1)
    assert await house.everything_of("exec_1") == [0] * 5
    for kept in ("exec_2", "exec_3", "exec_4"):
        assert await house.everything_of(kept) == [1] * 5


async def test_more_than_a_batch_goes_in_one_pass_also_past_what_stays(house: House) -> None:
    await house.execute(
        "INSERT INTO pipeline_executions (execution_id, client_id, template_client_id, template, version, status,"
        " priority, progress, input, created_at, finished_at)"
        " SELECT 'exec_' || lpad(n::text, 6, '0'), $1, '', 't', 1,"
        " CASE WHEN n > $2 THEN 'completed' ELSE 'running' END, 50,"
        " CASE WHEN n > $2 THEN 100 ELSE 0 END, '{}', now() - $3::interval,"
        " CASE WHEN n > $2 THEN now() - $3::interval END FROM generate_series(1, 3 * $2) AS n",
        *(CLIENT, BATCH, OLD),
    )

    assert await house.keeper().tick() == Removed(executions=2 * BATCH)
    assert await house.column("SELECT count(*) FROM pipeline_executions") == [BATCH]


async def test_an_artifact_goes_when_nobody_has_used_it_for_long_and_its_bytes_with_it(house: House) -> None:
    used, unused, fresh = [
        await house.artifact(text, unused_for)
        for text, unused_for in (("a", OLD), ("b", OLD), ("c", timedelta(days=2)))
    ]
    await house.execution("exec_1", OLD, None, uses=used)

    removed = await house.keeper().tick()

    assert removed == Removed(references=1, blobs=1)
    assert await house.artifacts.find(CLIENT, unused) is None
    assert not (house.folder / CLIENT / unused[:2] / unused).exists()
    for kept in (used, fresh):
        found = await house.artifacts.find(CLIENT, kept)
        assert found is not None
        assert [bytes(piece) async for piece in await house.artifacts.pieces(CLIENT, kept)]


async def test_an_artifact_goes_in_the_pass_that_removes_its_last_execution(house: House) -> None:
    digest = await house.artifact("a", OLD)
    await house.execution("exec_1", OLD, OLD, uses=digest)

    assert await house.keeper().tick() == Removed(executions=1, references=1, blobs=1)


async def test_an_artifact_that_is_still_used_is_looked_at_again_a_day_later(house: House) -> None:
    digest = await house.artifact("a", OLD)
    await house.execution("exec_1", OLD, None, uses=digest)
    await house.keeper().tick()

    [unused_for] = await house.column("SELECT now() - used_at FROM data_references")

    assert timedelta(days=28) < unused_for < timedelta(days=29, hours=1)


async def test_an_artifact_that_a_template_names_stays(house: House) -> None:
    digest = await house.artifact("a", OLD)
    await house.execute(
        "INSERT INTO master_templates (client_id, name, version, content_hash, source, document)"
        " VALUES ($1, 't', 1, '', 'with: ' || $2, '{}')",
        *(CLIENT, digest),
    )

    assert await house.keeper().tick() == Removed()


async def test_an_artifact_that_is_uploaded_again_is_as_fresh_as_a_new_one(house: House) -> None:
    digest = await house.artifact("a", OLD)
    await house.artifacts.keep(CLIENT, "text/plain", in_one_piece("a"))

    assert await house.keeper().tick() == Removed()
    assert await house.artifacts.find(CLIENT, digest) is not None


async def test_bytes_that_never_came_to_have_a_reference_go_and_those_of_a_late_upload_stay(house: House) -> None:
    for text in ("lost", "late"):
        await house.blobs.put(CLIENT, hash_of(text), text.encode())
    house.age_bytes(hash_of("lost"), OLD)

    assert await house.keeper().tick() == Removed(blobs=1)
    assert await house.blobs.get(CLIENT, hash_of("late")) == b"late"


async def test_bytes_that_were_written_anew_since_they_were_looked_at_stay(house: House) -> None:
    digest = hash_of("a")
    await house.blobs.put(CLIENT, digest, b"a")
    house.age_bytes(digest, OLD)
    before = SystemClock().now() - AGE
    [listed] = [stored async for stored in house.blobs.stored_before(before)]
    await house.blobs.put(CLIENT, digest, b"a")

    assert listed == [(CLIENT, digest)]
    assert await house.blobs.remove(CLIENT, digest, before) is False
    assert await house.blobs.get(CLIENT, digest) == b"a"


async def test_sessions_that_expired_and_messages_that_nobody_will_read_go_whatever_the_age(house: House) -> None:
    await house.execute("INSERT INTO clients (client_id, name) VALUES ($1, 'c')", CLIENT)
    await house.execute("INSERT INTO users VALUES ('user_1', $1, 'a@b', '', 'admin')", CLIENT)
    for number, left in enumerate((timedelta(seconds=-1), timedelta(days=1))):
        await house.execute(
            "INSERT INTO user_sessions VALUES ($1, 'user_1', now(), now() + $2::interval)", bytes([number] * 32), left
        )
    await house.execution("exec_1", OLD, OLD)
    await house.execution("exec_2", OLD, None)
    for execution_id in ("exec_1", "exec_2", "exec_3"):
        await house.execute(
            "INSERT INTO execution_inbox (execution_id, client_id, event, created_at)"
            " VALUES ($1, $2, '{}', now() - interval '2 hours')",
            *(execution_id, CLIENT),
        )

    assert await house.keeper(age=None).tick() == Removed(sessions=1, messages=2)
    assert await house.column("SELECT execution_id FROM execution_inbox") == ["exec_2"]
    assert await house.everything_of("exec_1") == [1, 1, 1, 1, 0]


async def test_a_worker_that_nobody_has_seen_for_long_goes_and_one_in_reach_is_seen(house: House) -> None:
    for worker_id, unseen_for in (("gone", OLD), ("here", OLD), ("away", timedelta(days=1))):
        await house.execute(
            "INSERT INTO worker_registry (worker_id, instance_id, version, capabilities, slots, seen_at)"
            " VALUES ($1, 'i', '1', '{work}', 1, now() - $2::interval)",
            *(worker_id, unseen_for),
        )

    assert await house.keeper(in_reach=["here"]).tick() == Removed(workers=1)
    assert await house.column("SELECT worker_id FROM worker_registry ORDER BY 1") == ["away", "here"]


async def test_a_replica_that_was_deposed_goes_when_it_owns_nothing(house: House) -> None:
    for replica_id in ("owns", "gone"):
        await house.execute(
            "INSERT INTO replicas VALUES ($1, nextval('replica_epochs'), '', '-infinity', now() - $2::interval)",
            *(replica_id, OLD),
        )
    await house.execution("exec_1", OLD, None)
    await house.execute("UPDATE pipeline_executions SET owner = 'owns', owner_epoch = 1")
    await house.keeper().tick()

    assert await house.column("SELECT replica_id FROM replicas") == ["owns"]


async def test_one_replica_at_a_time_removes_and_another_one_goes_on_when_its_lease_is_over(house: House) -> None:
    first, second = house.keeper("replica_1"), house.keeper("replica_2")
    await house.execution("exec_1", OLD, OLD)

    passes = [await first.tick(), await second.tick(), await first.tick()]
    await house.execute("UPDATE housekeeping SET lease_until = now() - interval '1 second'")
    passes += [await second.tick(), await first.tick()]

    assert passes == [Removed(executions=1), None, Removed(), Removed(), None]


@pytest.mark.parametrize("name", ["executions", "references", "sessions", "messages"])
async def test_each_batch_is_found_by_an_index(house: House, name: str) -> None:
    await house.execution("exec_1", OLD, OLD, uses=await house.artifact("a", OLD))
    arguments: dict[str, tuple[Any, ...]] = {"executions": (AGE, "", BATCH), "references": (AGE, BATCH)}
    connection = await house.database.connect()
    try:
        rows = await connection.fetch(
            f"EXPLAIN (FORMAT JSON) {statements('retention')[name]}", *arguments.get(name, (BATCH,))
        )
    finally:
        await connection.close()

    nodes = list(plan_nodes(orjson.loads(rows[0][0])[0]["Plan"]))
    assert any("Index" in node["Node Type"] for node in nodes)
    assert not [node for node in nodes if node["Node Type"] in ("Seq Scan", "Hash Join", "Merge Join")]


def plan_nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from plan_nodes(below)
