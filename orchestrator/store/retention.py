"""Removes what is over: executions that ended long ago, artifacts that nobody refers to, workers that are gone.

One replica at a time does it, under a lease, on a connection of its own. Everything goes in small batches with a pause
after each, so that the queue does not feel it; a pass that is broken off loses nothing, the next one goes on.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog

from orchestrator.core.seams import Clock
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import UNAVAILABLE, Database
from orchestrator.store.statements import statements

PASS_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 0.2
BATCH: Final = 500
LEASE: Final = timedelta(seconds=60)
"""Longer than any batch; it is renewed with each."""
BLOBS_SECONDS: Final = 24 * 3600.0
"""How often the stored bytes are gone through: what lost its reference takes up room for so much longer."""
YOUNGEST_BLOB: Final = timedelta(days=1)
"""Bytes are there before their reference is: those of an upload that is under way are not touched."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Removed:
    """What one pass removed."""

    executions: int = 0
    references: int = 0
    blobs: int = 0
    sessions: int = 0
    messages: int = 0
    workers: int = 0


class Deposed(Exception):
    """Another replica removes from now on."""


class Retention:
    """The policy of one system. Without an `age`, executions, artifacts and workers are kept for ever.

    `in_reach` says which workers this replica knows to be alive.
    """

    def __init__(
        self,
        database: Database,
        blobs: ObjectBlobs,
        clock: Clock,
        replica_id: str,
        age: timedelta | None,
        in_reach: Callable[[], Collection[str]],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._replica_id = replica_id
        self._age = age
        self._in_reach = in_reach
        self._blobs_due_at = clock.monotonic()
        self._sql = statements("retention")

    async def run(self) -> None:
        """A pass every few minutes, for ever."""
        while True:
            await self._clock.sleep(PASS_SECONDS)
            try:
                await self.tick()
            except UNAVAILABLE as error:
                log.warning("retention.put_off", error=repr(error))
            except Exception:
                log.exception("retention.failed")

    async def tick(self) -> Removed | None:
        """One pass; None if another replica is the one that removes. Raises one of `UNAVAILABLE`."""
        connection = await self._database.connect(hasty=True)
        try:
            await connection.execute(self._sql["seen"], list(self._in_reach()))
            removed = await self._passed(connection)
        except Deposed:
            return None
        finally:
            connection.terminate()
        if removed != Removed():
            log.info("retention.removed", executions=removed.executions, artifacts=removed.references)
        return removed

    async def _passed(self, connection: asyncpg.Connection) -> Removed:
        sessions = await self._batches(connection, "sessions", BATCH)
        messages = await self._batches(connection, "messages", BATCH)
        if self._age is None:
            return Removed(sessions=sessions, messages=messages)
        executions = await self._executions(connection, self._age)
        references = await self._batches(connection, "references", self._age, BATCH)
        blobs = await self._unreferenced_blobs(connection, max(self._age, YOUNGEST_BLOB))
        workers = await self._batches(connection, "workers", self._age, BATCH)
        await connection.execute(self._sql["replicas"], self._age)
        return Removed(executions, references, blobs, sessions, messages, workers)

    async def _executions(self, connection: asyncpg.Connection, age: timedelta) -> int:
        total, after = 0, ""  # every id sorts after it
        while True:
            row = await self._batch(connection, "executions", age, after, BATCH)
            total += int(row["gone"])
            if row["all_young"] or row["seen"] < BATCH:
                return total
            after = row["last"]

    async def _batches(self, connection: asyncpg.Connection, name: str, *arguments: Any) -> int:
        """The statement again and again, while it finds as many rows as it may; its last argument is how many."""
        total = 0
        while True:
            row = await self._batch(connection, name, *arguments)
            total += int(row["gone"])
            if row.get("seen", row["gone"]) < arguments[-1]:
                return total

    async def _batch(self, connection: asyncpg.Connection, name: str, *arguments: Any) -> asyncpg.Record:
        """One statement, under the lease, and the pause after it."""
        if await connection.fetchval(self._sql["lead"], self._replica_id, LEASE) is None:
            raise Deposed
        [row] = await connection.fetch(self._sql[name], *arguments)
        await self._clock.sleep(PAUSE_SECONDS)
        return row

    async def _unreferenced_blobs(self, connection: asyncpg.Connection, age: timedelta) -> int:
        """Remove bytes without a reference: those whose row is gone, or that never came to have one."""
        now = self._clock.monotonic()
        if now < self._blobs_due_at:
            return 0
        total, before = 0, self._clock.now() - age
        async for stored in self._blobs.stored_before(before):
            clients, hashes = zip(*stored, strict=True)
            for row in await connection.fetch(self._sql["unreferenced"], clients, hashes):
                total += await self._blobs.remove(row["client_id"], row["sha256"], before)
            await self._clock.sleep(PAUSE_SECONDS)
        self._blobs_due_at = now + BLOBS_SECONDS
        return total
