"""Connections to PostgreSQL: two for the journal, a pair for leases, a pool for everything else; all with pinned plans.

Every connect, acquire, statement, lock and close is bounded in time. The server gives a statement up before its caller
does, so that what was given up is not carried out later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import structlog

from orchestrator.shipped import shipped
from orchestrator.store.breaker import Breaker, DatabaseAway

SCHEMA_VERSION: Final = 1
CONNECT_SECONDS: Final = 10.0
STATEMENT_SECONDS: Final = 20.0
ANSWER_SECONDS: Final = STATEMENT_SECONDS + 5.0
"""Longer than the server works at a statement: past this it is the network that is silent."""
LOCK_SECONDS: Final = 3.0
"""The journal holds the lease's row while it waits for a lock: well below a lease, so that it can be renewed."""
LEASE_STATEMENT_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 2.0
"""A replica that stands still between two statements of a claim holds its own lease's row: less than others wait for
it in vain, or nobody can take over from a replica that will not go on."""
CLOSE_SECONDS: Final = 5.0
POOL_SIZE: Final = 8
LEASE_POOL_SIZE: Final = 2
MOST_CALLS: Final = 256
"""So many calls may use the pool or wait for it at once; the next one is told to come back."""

UNAVAILABLE: Final = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    # A session that was terminated between two of its statements: its connection is still to learn that it is closed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""What the database being away looks like. After one of these a commit's outcome is unknown, not failed."""

_REFUSED: Final = (
    ValueError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidCatalogNameError,
)
"""What no waiting mends: an address that is none, a wrong password, a database that does not exist."""

NOTHING_DONE: Final = (
    DatabaseAway,
    asyncpg.DiskFullError,
    asyncpg.QueryCanceledError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
)
"""Those after which it is known: the server was not asked, or says that it did not do it."""

# A statement prepared while the tables are empty keeps its sequential scan for ever; a generic plan through the
# indexes is right at every size, and is made once.
_PINNED_PLANS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
}
_SETTINGS: Final = _PINNED_PLANS | {
    "application_name": "baton",
    "jit": "off",
    "statement_timeout": f"{STATEMENT_SECONDS:g}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS:g}s",
}
_HASTE: Final = {"lock_timeout": f"{LOCK_SECONDS:g}s"}
_LEASE_SETTINGS: Final = _HASTE | {"statement_timeout": f"{LEASE_STATEMENT_SECONDS:g}s"}

log = structlog.get_logger()


class DatabaseRefused(Exception):
    """The database cannot be used as it is; the message says why and what to do."""


class Database:
    """One PostgreSQL database and this process's connections to it.

    With a `breaker`, calls for the pool are turned away while it is open; leases are always tried.
    """

    def __init__(self, dsn: str, breaker: Breaker | None = None) -> None:
        self.dsn = dsn
        self._breaker = breaker
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._leases: asyncpg.Pool[asyncpg.Record] | None = None
        self._calls = 0

    async def open(self) -> None:
        """Connect, create the schema in an empty database, and refuse settings that would lose acknowledged work."""
        try:
            connection = await self.connect()
        except _REFUSED as refusal:
            raise DatabaseRefused(f"the database cannot be opened: {refusal}") from refusal
        try:
            if await connection.fetchval("SHOW synchronous_commit") == "off":
                raise DatabaseRefused(
                    "synchronous_commit is off: acknowledged work would be lost in a crash; turn it on"
                )
            await _prepare_schema(connection)
        finally:
            await connection.close(timeout=CLOSE_SECONDS)
        self._pool = await self._make_pool(POOL_SIZE, ANSWER_SECONDS, _SETTINGS)
        self._leases = await self._make_pool(LEASE_POOL_SIZE, LEASE_STATEMENT_SECONDS + 1, _SETTINGS | _LEASE_SETTINGS)

    async def close(self) -> None:
        for pool in (self._pool, self._leases):
            if pool is None:
                continue
            try:
                await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
            except TimeoutError:
                pool.terminate()
        self._pool = self._leases = None

    async def connect(self, *, hasty: bool = False) -> asyncpg.Connection:
        """A connection of one's own; `hasty` ones wait for no lock for long."""
        return await asyncpg.connect(
            self.dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=ANSWER_SECONDS,
            server_settings=_SETTINGS | (_HASTE if hasty else {}),
        )

    async def takes_writes(self) -> bool:
        """Whether the database, which answers if this returns, is not read-only."""
        async with self.acquire() as connection:
            is_read_only: str = await connection.fetchval("SELECT current_setting('transaction_read_only')")
        if is_read_only == "on":
            await self.discard()
        return is_read_only == "off"

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """A pooled connection; waiting for one is bounded. Raises `DatabaseAway` where none can be had."""
        if self._calls >= MOST_CALLS:
            raise DatabaseAway(f"{MOST_CALLS} calls wait for the database already")
        if self._breaker is not None:
            self._breaker.admit()
        self._calls += 1
        try:
            async with self._taken_from(_opened(self._pool)) as connection:
                yield connection
        except UNAVAILABLE as error:
            # A wrong argument is an InterfaceError too, but says nothing of the database.
            if self._breaker is not None and not isinstance(error, ValueError):
                self._breaker.failed()
            raise
        else:
            if self._breaker is not None:
                self._breaker.succeeded()
        finally:
            self._calls -= 1

    @asynccontextmanager
    async def acquire_for_lease(self) -> AsyncIterator[Any]:
        """As `acquire`, of connections that nothing but leases may take: no pile of calls costs a replica its life."""
        async with self._taken_from(_opened(self._leases)) as connection:
            yield connection

    async def discard(self) -> None:
        """Use none of the open connections again: after a failover they lead to a server that takes no writes."""
        for pool in (self._pool, self._leases):
            if pool is not None:
                await pool.expire_connections()

    @asynccontextmanager
    async def _taken_from(self, pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Any]:
        try:
            connection = await pool.acquire(timeout=CONNECT_SECONDS)
        except UNAVAILABLE as error:
            raise DatabaseAway(f"there is no connection to the database: {error!r}") from error
        try:
            yield connection
        except asyncpg.ReadOnlySQLTransactionError:
            await self.discard()
            raise
        finally:
            await pool.release(connection)

    async def _make_pool(
        self, size: int, answer_seconds: float, settings: dict[str, str]
    ) -> "asyncpg.Pool[asyncpg.Record]":
        return await asyncpg.create_pool(
            self.dsn,
            min_size=0,
            max_size=size,
            timeout=CONNECT_SECONDS,
            command_timeout=answer_seconds,
            server_settings=settings,
            reset=_keep_as_is,
        )


def _opened(pool: "asyncpg.Pool[asyncpg.Record] | None") -> "asyncpg.Pool[asyncpg.Record]":
    if pool is None:
        raise RuntimeError("the database is not open")
    return pool


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
