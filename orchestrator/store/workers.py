"""The worker registry's table: who may be offered work, and which replica is each worker's home."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import orjson

from orchestrator.store.database import Database
from orchestrator.store.statements import statements
from protocol.packets import Registration


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """A worker as the registry has it."""

    worker_id: str
    instance_id: str
    display_name: str | None
    version: str
    url: str | None
    packet_arrays: bool
    capabilities: tuple[str, ...]
    slots: int
    labels: dict[str, str]
    resources: dict[str, Any]
    home: str | None
    draining: bool
    registered_at: datetime
    home_since: datetime


class WorkerRegistry(Protocol):
    """Who there is. Every method may raise one of `UNAVAILABLE`."""

    async def register(self, registration: Registration, instance_id: str, home: str) -> datetime:
        """Enter the worker, or refresh it; its home is the replica `home` from now on: the database's time of that."""

    async def drain(self, worker_id: str) -> bool:
        """Whether there is such a worker; it is then offered nothing more."""

    async def take_home(self, replica_id: str) -> Sequence[RegisteredWorker]:
        """Workers reached by URL that have no living home elsewhere; theirs is now this replica."""

    async def list(self) -> Sequence[RegisteredWorker]:
        """All workers, by id."""


class PostgresWorkerRegistry:
    """The table worker_registry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("workers")

    async def register(self, registration: Registration, instance_id: str, home: str) -> datetime:
        async with self._database.acquire() as connection:
            since: datetime = await connection.fetchval(
                self._sql["register"],
                registration.worker_id,
                instance_id,
                registration.display_name,
                registration.version,
                registration.url,
                list(registration.capabilities),
                registration.max_concurrent_executions,
                orjson.dumps(registration.labels).decode(),
                orjson.dumps(registration.resources).decode(),
                home,
                registration.packet_arrays,
            )
        return since

    async def drain(self, worker_id: str) -> bool:
        async with self._database.acquire() as connection:
            return await connection.fetchval(self._sql["drain"], worker_id) is not None

    async def take_home(self, replica_id: str) -> list[RegisteredWorker]:
        async with self._database.acquire() as connection:
            return [_worker(row) for row in await connection.fetch(self._sql["homeless"], replica_id)]

    async def list(self) -> list[RegisteredWorker]:
        async with self._database.acquire() as connection:
            return [_worker(row) for row in await connection.fetch(self._sql["list"])]


def _worker(row: asyncpg.Record) -> RegisteredWorker:
    return RegisteredWorker(
        worker_id=row["worker_id"],
        instance_id=row["instance_id"],
        display_name=row["display_name"],
        version=row["version"],
        url=row["url"],
        packet_arrays=row["packet_arrays"],
        capabilities=tuple(row["capabilities"]),
        slots=row["slots"],
        labels=orjson.loads(row["labels"]),
        resources=orjson.loads(row["resources"]),
        home=row["home"],
        draining=row["draining"],
        registered_at=row["registered_at"],
        home_since=row["home_since"],
    )
