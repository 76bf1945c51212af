"""How `baton up` starts where its database or its artifact store is not as it would like, in real processes."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import orjson
import pytest

from tests.conftest import Server
from tests.integration.system import Baton, Process, until
from tests.store.s3_server import s3_server

NAP = "template: nap\nstages: {only: {action: sleep, with: {ms: '${input.ms}'}}}\n"


@contextmanager
def starting(folder: Path, *arguments: str) -> Iterator[Process]:
    """A `baton up` of which nobody says that it becomes ready."""
    folder.mkdir()
    command = [sys.executable, "-P", "-m", "orchestrator", "up", "--port", "0", "--workers", "none"]
    process = Process([*command, "--data-dir", str(folder), *arguments], folder / "baton.log", {})
    try:
        yield process
    finally:
        process.destroy()


@asynccontextmanager
async def closed(server: Server, dsn: str) -> AsyncIterator[None]:
    """The database lets nobody in, as while it recovers."""
    name = urlsplit(dsn).path[1:]
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await connection.close()


async def test_a_database_that_lets_nobody_in_yet_is_waited_for_and_every_line_is_json(
    tmp_path: Path, server: Server, dsn: str
) -> None:
    folder = tmp_path / "a"
    with starting(folder, "--database-url", dsn) as process:
        async with closed(server, dsn):
            await process_says(process, "database.awaited")
        await process_says(process, "system.ready")
        status = await process.stop()

    events = [orjson.loads(line)["event"] for line in process.output.read_text().splitlines()]
    assert (status, events[0], events[-1]) == (0, "database.awaited", "system.stopped")


async def test_who_is_told_to_stop_while_it_waits_for_its_database_stops(
    tmp_path: Path, server: Server, dsn: str
) -> None:
    async with closed(server, dsn):
        with starting(tmp_path / "a", "--database-url", dsn) as process:
            await process_says(process, "database.awaited")
            status = await process.stop()

    assert status == 0


async def process_says(process: Process, event: str) -> None:
    await until(lambda: event in process.output.read_text(), f"{event} is logged")


async def test_a_system_with_another_artifact_store_is_refused_in_a_sentence(tmp_path: Path, dsn: str) -> None:
    (tmp_path / "a").mkdir()
    async with Baton(tmp_path / "a", "--database-url", dsn):
        with starting(tmp_path / "b", "--database-url", dsn) as other:
            await until(lambda: not other.is_alive, "it has ended")
            status = await other.stop()

    assert status == 1
    assert other.output.read_text().splitlines()[-1] == (
        f"baton up: the artifacts of this database are not in file://{tmp_path}/b/artifacts, but in "
        f"file://{tmp_path}/a/artifacts: share that folder and name it with --artifacts-url file:///FOLDER, or keep "
        "the artifacts of all replicas in s3://BUCKET/PREFIX"
    )


async def test_what_one_replica_put_into_s3_its_successor_reads(
    tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with s3_server() as s3:
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        options = ("--database-url", dsn, "--artifacts-url", "s3://bucket/prefix")
        async with Baton(tmp_path / "a", *options, lease=2.0) as one:
            await one.publish(NAP)
            execution_id = await one.execute("nap", {"ms": 1, "text": "x" * 100_000})
            assert one.process is not None
            await one.process.kill()
            async with Baton(tmp_path / "b", *options, lease=2.0) as two:
                await two.worker("workers.echo")
                document = await two.finished(execution_id, 60)

    assert document["status"] == "completed", document["error"]
    assert [key.split("/")[1][:6] for key in s3.objects if key.startswith("prefix/client")] == ["client"]
