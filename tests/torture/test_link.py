"""Links do to connections what they are told to, and know the reply to a commit when it goes by."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from orchestrator.system import SystemClock
from tests.torture.link import Address, Link, socket_of
from tests.torture.taps import DatabaseTap

WRITE = "WITH new AS (INSERT INTO idempotency_keys VALUES ('c', $1, '', 'e') RETURNING key) SELECT key FROM new"
COUNT = "SELECT count(*) FROM idempotency_keys"


class Wire:
    """A link to the tests' PostgreSQL, and the commits that went by."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        [host] = parse_qs(parts.query).get("host", [""])
        if not host:
            pytest.skip("the link wants PostgreSQL behind a socket's path")
        self.commits = 0
        self.dsn = parts._replace(query=f"host={quote(str(folder))}&port=5432").geturl()
        servers = [Address(path=socket_of(Path(host)))]
        self.link = Link("database", servers, SystemClock(), path=socket_of(folder), tap=self._tap)

    def _tap(self, link: Link) -> DatabaseTap:
        return DatabaseTap(link.cutter, self._committed)

    def _committed(self) -> None:
        self.commits += 1


@pytest.fixture
async def wire(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    # A socket's path has little room.
    wire = Wire(dsn, tmp_path_factory.mktemp("w"))
    await wire.link.open()
    yield wire
    await wire.link.close()


@pytest.mark.usefixtures("database")
async def test_only_what_was_written_is_a_commit_and_a_transaction_is_one(wire: Wire) -> None:
    connection = await asyncpg.connect(wire.dsn)
    await connection.fetchval(COUNT)
    await connection.fetchrow(WRITE, "one")
    async with connection.transaction():
        await connection.execute(WRITE, "two")
        await connection.execute(WRITE, "three")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(WRITE, "one")
    await connection.close()

    assert wire.commits == 2


@pytest.mark.usefixtures("database")
async def test_a_commit_whose_reply_is_cut_off_has_happened_and_nobody_was_told(wire: Wire, dsn: str) -> None:
    connection = await asyncpg.connect(wire.dsn)
    cut = asyncio.Event()
    wire.link.cutter.ask("flush", cut.set)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await connection.fetchrow(WRITE, "unknown")

    direct = await asyncpg.connect(dsn)
    assert (cut.is_set(), await direct.fetchval(COUNT)) == (True, 1)
    await direct.close()


async def test_a_reset_breaks_what_is_there_and_lets_the_next_one_through(wire: Wire) -> None:
    connection = await asyncpg.connect(wire.dsn)
    assert wire.link.reset() == 1
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")

    again = await asyncpg.connect(wire.dsn)
    assert await again.fetchval("SELECT 1") == 1
    await again.close()


async def test_a_link_that_refuses_lets_nobody_in(wire: Wire) -> None:
    wire.link.is_refusing = True
    with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
        await asyncpg.connect(wire.dsn)
