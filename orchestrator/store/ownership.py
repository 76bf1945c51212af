"""Who drives what: this replica's life and lease, claims from the queue, takeovers, and the inbox."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import orjson

from orchestrator.store.database import Database
from orchestrator.store.loading import Loading
from orchestrator.store.low_water import LowWater
from orchestrator.store.record import Record
from orchestrator.store.statements import statements


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the inbox: an event as JSON, for an execution that this replica owns."""

    inbox_id: int
    execution_id: str
    client_id: str
    event: dict[str, Any]


class Ownership(Protocol):
    """What one replica owns, as the database sees it. Every method may raise one of `UNAVAILABLE`."""

    @property
    def epoch(self) -> int:
        """The epoch of this replica's life; 0 until `register`."""

    async def register(self, url: str, lease: timedelta) -> int:
        """Begin a life: a new epoch, before which nothing of this replica's earlier lives counts."""

    async def renew(self, lease: timedelta) -> int | None:
        """The lease runs anew: how many other replicas live. None if the epoch no longer stands."""

    async def others(self) -> dict[str, str]:
        """The other replicas that live: their ids and URLs."""

    async def lapse(self) -> None:
        """The lease ends at once."""

    async def depose(self) -> list[str]:
        """Raise the epochs of replicas whose lease is over; returns which."""

    async def adopt(self, limit: int) -> list[Record]:
        """Take over up to `limit` executions of deposed replicas and of this one's earlier lives."""

    async def claim(self, action: str, limit: int) -> list[Record]:
        """Take the first `limit` executions that wait for `action`, in the order of work."""

    async def claim_one(self, execution_id: str) -> Record | None:
        """Take one execution that waits in the queue, whatever its place."""

    async def complete(self, record: Record) -> None:
        """Read what is `unread` of what was taken.

        Raises `ArtifactLost` or `BlobsAway`, and then nothing has changed.
        """

    async def send(self, execution_id: str, client_id: str, event: dict[str, Any]) -> bool:
        """Leave a message for the owner; False if nobody owns the execution."""

    async def inbox(self, limit: int) -> list[Message]:
        """What was left for executions that this replica owns, oldest first."""


class PostgresOwnership:
    """The tables replicas, execution_queue and execution_inbox, and who owns which row of pipeline_executions."""

    def __init__(self, database: Database, loading: Loading, replica_id: str, low_water: LowWater) -> None:
        self.replica_id = replica_id
        self.epoch = 0
        self._database = database
        self._loading = loading
        self._low_water = low_water
        self._sql = statements("ownership")

    async def register(self, url: str, lease: timedelta) -> int:
        async with self._database.acquire_for_lease() as connection:
            self.epoch = await connection.fetchval(self._sql["register"], self.replica_id, url, lease)
        self._low_water.forget_all()
        return self.epoch

    async def renew(self, lease: timedelta) -> int | None:
        async with self._database.acquire_for_lease() as connection:
            others: int | None = await connection.fetchval(self._sql["renew"], self.replica_id, self.epoch, lease)
        return others

    async def others(self) -> dict[str, str]:
        async with self._database.acquire_for_lease() as connection:
            rows = await connection.fetch(self._sql["others"], self.replica_id)
        return {row["replica_id"]: row["url"] for row in rows}

    async def lapse(self) -> None:
        async with self._database.acquire_for_lease() as connection:
            await connection.execute(self._sql["lapse"], self.replica_id, self.epoch)

    async def depose(self) -> list[str]:
        async with self._database.acquire_for_lease() as connection:
            rows = await connection.fetch(self._sql["depose"], self.replica_id)
        return [row["replica_id"] for row in rows]

    async def adopt(self, limit: int) -> list[Record]:
        return await self._taken("adopt", limit)

    async def claim(self, action: str, limit: int) -> list[Record]:
        with self._low_water.look(action) as look:
            records = await self._taken("claim", action, look.lows, limit)
            look.has_taken(records, limit)
        return records

    async def claim_one(self, execution_id: str) -> Record | None:
        records = await self._taken("claim_one", execution_id)
        return records[0] if records else None

    async def complete(self, record: Record) -> None:
        await self._loading.complete(record)

    async def send(self, execution_id: str, client_id: str, event: dict[str, Any]) -> bool:
        async with self._database.acquire() as connection:
            body = orjson.dumps(event).decode()
            return await connection.fetchval(self._sql["send"], execution_id, client_id, body) is not None

    async def inbox(self, limit: int) -> list[Message]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["inbox"], self.replica_id, self.epoch, limit)
        return [
            Message(row["inbox_id"], row["execution_id"], row["client_id"], orjson.loads(row["event"])) for row in rows
        ]

    async def _taken(self, statement: str, *arguments: Any) -> list[Record]:
        async with self._database.acquire() as connection, connection.transaction():
            rows = await connection.fetch(self._sql[statement], self.replica_id, self.epoch, *arguments)
            if not rows:
                return []
            ids = [row["execution_id"] for row in rows]
            stage_rows = await connection.fetch(self._sql["stages"], ids)
            packet_rows = await connection.fetch(self._sql["conversations"], ids)
        return await self._loading.records(rows, stage_rows, packet_rows)
