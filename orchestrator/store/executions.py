"""What clients read of executions: one whole, a page of them, packets, the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from orchestrator.core.document import instant, stage_id
from orchestrator.core.execution import Execution
from orchestrator.store.database import Database
from orchestrator.store.loading import Loading, Row
from orchestrator.store.statements import statements


@dataclass(frozen=True, slots=True)
class Waiting:
    """One execution in the queue, in the order of work; `action` is None for one that a replica holds ready."""

    execution_id: str
    client_id: str
    priority: int
    action: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An execution as it is durable, with the sequence number of the last thing that is told of it."""

    execution: Execution
    sequence: int
    owner: str | None


class Executions(Protocol):
    """What is durable of executions. Every method may raise one of `UNAVAILABLE`."""

    async def find(self, client_id: str, execution_id: str, *, whole: bool = False) -> Snapshot | None:
        """The execution with its stages; None if this client has none of that id.

        Unless it has to be `whole`, what no document shows is left out where it is an artifact: the input, and the
        stages' results; and a result that is one is a fragment of JSON, which can be encoded but not looked into.
        """

    async def page(
        self, client_id: str, status: str | None, template: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Executions, newest first, without their stages; `before` is the last id of the page before."""

    async def packets(self, client_id: str, execution_id: str) -> list[dict[str, Any]]:
        """Every packet of the execution's handshakes, in order of sequence."""

    async def client_of(self, execution_id: str) -> str | None:
        """Whose execution it is."""

    async def was_taken(self, execution_id: str, stage: str, fence: int) -> bool:
        """Whether this fence's result is the one that the stage took last."""

    async def waiting(self) -> list[Waiting]:
        """The first 1,000 of the queue, of all clients."""

    async def ahead(self, action: str, priority: int, execution_id: str) -> int:
        """How many executions of the database's queue for this action go first; past 1,000 it is only a lower bound."""

    async def counts(self) -> tuple[int, int, int]:
        """How many executions wait, go on, and wait with a high priority in the database's queue."""

    async def durations(self) -> dict[str, float]:
        """How long recent stages took, by action, in milliseconds."""


class PostgresExecutions:
    """Reads of pipeline_executions, stage_executions and handshake_packets."""

    def __init__(self, database: Database, loading: Loading) -> None:
        self._database = database
        self._loading = loading
        self._sql = statements("executions")

    async def find(self, client_id: str, execution_id: str, *, whole: bool = False) -> Snapshot | None:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(self._sql["find"], execution_id, client_id)
            if row is None:
                return None
            stage_rows = await connection.fetch(self._sql["stages"], execution_id)
        records = await self._loading.records([row], stage_rows, (), whole=whole)
        execution = records[0].execution
        read = self._loading.payload if whole else self._loading.shown
        execution.result = await read(client_id, row["result"], row["result_sha256"])
        return Snapshot(execution, row["sequence"], row["owner"])

    async def page(
        self, client_id: str, status: str | None, template: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["list"], client_id, status, template, before, limit)
        return [summary_of(row) for row in rows]

    async def packets(self, client_id: str, execution_id: str) -> list[dict[str, Any]]:
        async with self._database.acquire() as connection:
            return packets_of(execution_id, await connection.fetch(self._sql["packets"], execution_id, client_id))

    async def client_of(self, execution_id: str) -> str | None:
        async with self._database.acquire() as connection:
            client_id: str | None = await connection.fetchval(self._sql["client_of"], execution_id)
        return client_id

    async def was_taken(self, execution_id: str, stage: str, fence: int) -> bool:
        async with self._database.acquire() as connection:
            settled: int | None = await connection.fetchval(self._sql["settled_fence"], execution_id, stage)
        return settled == fence

    async def waiting(self) -> list[Waiting]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["waiting"])
        return [Waiting(row["execution_id"], row["client_id"], row["priority"], row["action"]) for row in rows]

    async def ahead(self, action: str, priority: int, execution_id: str) -> int:
        async with self._database.acquire() as connection:
            count: int = await connection.fetchval(self._sql["ahead"], action, priority, execution_id)
        return count

    async def counts(self) -> tuple[int, int, int]:
        async with self._database.acquire() as connection:
            owned = await connection.fetchrow(self._sql["counts"])
            queue = await connection.fetchrow(self._sql["queue_length"])
        return owned["queued"] + queue["queued"], owned["running"], queue["high_priority"]

    async def durations(self) -> dict[str, float]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["durations"])
        return {row["action"]: row["milliseconds"] for row in rows if row["action"] is not None}


def packets_of(execution_id: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The packets in rows of handshake_packets, in order of sequence, each with the attempt that it belongs to."""
    packets = []
    for row in rows:
        about = {
            "stageId": stage_id(execution_id, row["stage_name"]),
            "stage": row["stage_name"],
            "attempt": row["attempt"],
            "fence": row["fence"],
            "workerId": row["worker_id"],
        }
        for packet in orjson.loads(row["packets"]):
            packet["at"] = packet["at"][:23] + "Z"
            packets.append({**about, **packet})
    return sorted(packets, key=lambda packet: packet["seq"])


def summary_of(row: Row) -> dict[str, Any]:
    """A row of pipeline_executions as a list shows it."""
    return {
        "executionId": row["execution_id"],
        "clientId": row["client_id"],
        "template": row["template"],
        "version": row["version"],
        "status": row["status"],
        "priority": row["priority"],
        "progress": row["progress"],
        "error": None if row["error"] is None else orjson.loads(row["error"]),
        "cost": {"costUsd": float(row["cost_usd"]), "tokens": row["tokens"]},
        "requestId": row["request_id"],
        "retryOf": row["retry_of"],
        "createdAt": instant(row["created_at"]),
        "startedAt": instant(row["started_at"]),
        "finishedAt": instant(row["finished_at"]),
    }
