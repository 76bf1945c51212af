"""What the journal asks of the database, and PostgreSQL's answer: the flush, and the reads that settle a lost one.

A fault is one of two: `UNAVAILABLE`, after which the outcome is unknown, or `FlushRefused`, after which nothing was
written and trying the same again cannot help.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from orchestrator.store.batch import Batch
from orchestrator.store.database import UNAVAILABLE, Database
from orchestrator.store.low_water import LowWater
from orchestrator.store.record import Duplicate, Standing
from orchestrator.store.statements import statements

Key = tuple[str, str]
"""A client's id and its idempotency key."""


@dataclass(frozen=True, slots=True)
class Flushed:
    """The executions that a flush wrote: new ones, and ones that stood at the expected revision and epoch."""

    submitted: frozenset[str]
    changed: frozenset[str]


class FlushRefused(Exception):
    """The database does not take these rows; the message says why."""


class Flushing(Protocol):
    """One writer's way into the database."""

    async def flush(self, replica_id: str, epoch: int, batch: Batch) -> Flushed | None:
        """Write the batch in one commit; None if the epoch is over, and then nothing was written."""

    async def standings(self, execution_ids: Sequence[str]) -> Mapping[str, Standing]:
        """How these executions stand; one that is not there is left out."""

    async def winners(self, keys: Sequence[Key]) -> Mapping[Key, Duplicate]:
        """The executions that hold these idempotency keys."""

    def break_off(self) -> None:
        """Have nothing more to do with a connection whose state is unknown; the next call makes another."""


class PostgresFlushing:
    """A connection of its own, made when it is first needed and again after it broke."""

    def __init__(self, database: Database, low_water: LowWater) -> None:
        self._database = database
        self._low_water = low_water
        self._connection: asyncpg.Connection | None = None

    async def flush(self, replica_id: str, epoch: int, batch: Batch) -> Flushed | None:
        connection = await self._connected()
        try:
            row = await connection.fetchrow(statements("journal")["flush"], replica_id, epoch, *batch.rows())
        except ValueError as error:
            # asyncpg's own fault with an argument; it is an InterfaceError too, but trying again cannot help.
            raise FlushRefused(repr(error)) from error
        except asyncpg.ReadOnlySQLTransactionError:
            await self._database.discard()
            raise
        except UNAVAILABLE:
            raise
        except asyncpg.PostgresError as error:
            raise FlushRefused(repr(error)) from error
        finally:
            # Whatever became of it: what is not known to be there may be.
            for execution_id, _, action, priority, started in batch.queue:
                self._low_water.entered(action, priority, started, execution_id)
        if row is None or row["epoch"] is None:
            return None
        return Flushed(frozenset(row["submitted"]), frozenset(row["changed"]))

    async def standings(self, execution_ids: Sequence[str]) -> Mapping[str, Standing]:
        connection = await self._connected()
        rows = await connection.fetch(statements("journal")["standings"], list(execution_ids))
        return {row["execution_id"]: Standing(row["revision"], row["owner_epoch"]) for row in rows}

    async def winners(self, keys: Sequence[Key]) -> Mapping[Key, Duplicate]:
        connection = await self._connected()
        clients, names = zip(*keys, strict=True)
        rows = await connection.fetch(statements("journal")["winners"], list(clients), list(names))
        return {(row["client_id"], row["key"]): Duplicate(row["execution_id"], row["body_hash"]) for row in rows}

    def break_off(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*UNAVAILABLE):
                connection.terminate()

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect(hasty=True)
        return self._connection
