"""Connections to PostgreSQL: two for the journal with pinned plans, one for control, a pool for everything else.

Every connect, acquire, statement and close is bounded in time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import structlog

from orchestrator.shipped import shipped

SCHEMA_VERSION: Final = 1
CONNECT_SECONDS: Final = 10.0
STATEMENT_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 5.0
POOL_SIZE: Final = 8

UNAVAILABLE: Final = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.DiskFullError,
    asyncpg.QueryCanceledError,
)
"""What the database being away looks like. After one of these a commit's outcome is unknown, not failed."""

# A statement prepared while the tables are empty keeps its sequential scan for ever; a generic plan through the
# indexes is right at every size.
_PINNED_PLANS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

log = structlog.get_logger()


class DatabaseRefused(Exception):
    """The database cannot be used as it is; the message says why and what to do."""


class Database:
    """One PostgreSQL database and this process's connections to it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is None:
            raise RuntimeError("the database is not open")
        return self._pool

    async def open(self) -> None:
        """Connect, create the schema in an empty database, and refuse settings that would lose acknowledged work."""
        connection = await self.connect()
        try:
            if await connection.fetchval("SHOW synchronous_commit") == "off":
                raise DatabaseRefused(
                    "synchronous_commit is off: acknowledged work would be lost in a crash; turn it on"
                )
            await _prepare_schema(connection)
        finally:
            await connection.close(timeout=CLOSE_SECONDS)
        self._pool = await asyncpg.create_pool(
            self.dsn,
            min_size=1,
            max_size=POOL_SIZE,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            server_settings={"application_name": "baton", "jit": "off"},
            reset=_keep_as_is,
        )

    async def close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
            except TimeoutError:
                self._pool.terminate()
            self._pool = None

    async def connect(self, *, pinned: bool = False) -> asyncpg.Connection:
        """A connection of one's own; `pinned` ones keep generic index plans."""
        settings = {"application_name": "baton"} | (_PINNED_PLANS if pinned else {"jit": "off"})
        return await asyncpg.connect(
            self.dsn, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=settings
        )

    async def ping(self) -> None:
        """Return if the database answers."""
        async with self.acquire() as connection:
            await connection.fetchval("SELECT 1")

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """A pooled connection; waiting for one is bounded."""
        async with self.pool.acquire(timeout=CONNECT_SECONDS) as connection:
            yield connection


async def _keep_as_is(connection: object) -> None:
    """No statement of ours leaves anything behind in a session, so a returned connection needs no reset."""


async def _prepare_schema(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        # Several replicas may start at once on an empty database: one creates the schema, the others wait for it.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('baton.schema'))")
        if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
            await connection.execute(shipped("schema.sql").read_text(encoding="utf-8"))
            log.info("schema.created", version=SCHEMA_VERSION)
            return
        version = await connection.fetchval("SELECT max(version) FROM schema_version")
        if version != SCHEMA_VERSION:
            raise DatabaseRefused(f"the database has schema version {version}, this Baton knows {SCHEMA_VERSION}")
