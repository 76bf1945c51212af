"""The stand that everything is measured on: one PostgreSQL with fsync on, and systems as processes beside it.

Each system gets a database of its own on that server unless it is given one, so no measurement sees another's rows.
"""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from orchestrator.store.embedded import EmbeddedPostgres
from orchestrator.store.embedded_cluster import Cluster
from tests.bench.chain import TEMPLATE
from tests.bench.usage import Usage, usage_of
from tests.integration.system import Baton, Process

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(slots=True)
class Site:
    """One orchestrator with its workers, and a connection to its database that looks from outside."""

    baton: Baton
    dsn: str
    connection: asyncpg.Connection
    postmaster: int
    workers: list[Process] = field(default_factory=list)

    async def worker(self, worker_id: str, *arguments: str, program: str = "increment.py") -> Process:
        """A worker made with the kit, from a module of the bench's own, once it is in reach."""
        worker = await self.baton.worker(str(PROGRAMS / program), "--worker-id", worker_id, *arguments)
        self.workers.append(worker)
        await self.baton.until_worker(worker_id)
        return worker

    @property
    def orchestrator(self) -> int:
        """The orchestrator's process id."""
        assert self.baton.process is not None
        return self.baton.process.pid

    def usage(self) -> dict[str, Usage]:
        """What each process has cost so far; workers together."""
        workers = [usage_of(worker.pid) for worker in self.workers]
        return {
            "orchestrator": usage_of(self.orchestrator),
            "worker": Usage(
                sum(worker.cpu_seconds for worker in workers), sum(worker.resident_bytes for worker in workers)
            ),
            "postgres": usage_of(self.postmaster),
        }


class Stand:
    """A PostgreSQL server, and a folder for whatever runs beside it."""

    def __init__(self, folder: Path, dsn: str, postmaster: int) -> None:
        self.folder = folder
        self.dsn = dsn
        self.postmaster = postmaster
        self._made = 0

    def new_folder(self) -> Path:
        """An empty folder."""
        self._made += 1
        folder = self.folder / f"site-{self._made}"
        folder.mkdir()
        return folder

    async def new_database(self) -> str:
        """The address of an empty database."""
        self._made += 1
        name = f"bench_{self._made}"
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return urlsplit(self.dsn)._replace(path=f"/{name}").geturl()

    @asynccontextmanager
    async def site(self, dsn: str | None = None) -> AsyncIterator[Site]:
        """A system on the database, or on a new one, with the template of the chain and without workers."""
        dsn = dsn or await self.new_database()
        artifacts = self.folder / f"artifacts-of-{urlsplit(dsn).path[1:]}"
        async with AsyncExitStack() as stack:
            options = ("--database-url", dsn, "--artifacts-url", artifacts.as_uri())
            baton = await stack.enter_async_context(Baton(self.new_folder(), *options))
            connection = await asyncpg.connect(dsn)
            stack.push_async_callback(connection.close)
            status, answer = await baton.call("POST", "/api/templates", TEMPLATE.encode())
            assert status in (200, 201), answer
            yield Site(baton, dsn, connection, self.postmaster)


@asynccontextmanager
async def a_stand() -> AsyncIterator[Stand]:
    """The server runs, on a new data folder, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as name:
        data = Path(name) / "database"
        data.mkdir()
        postgres = EmbeddedPostgres(data)
        dsn = await postgres.start()
        try:
            postmaster = Cluster(data).postmaster()
            assert postmaster is not None
            yield Stand(Path(name), dsn, postmaster)
        finally:
            await postgres.stop()
