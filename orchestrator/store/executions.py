"""What clients read of executions: one whole, a page of them, packets, the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from orchestrator.core.document import instant, stage_id
from orchestrator.core.execution import Execution
from orchestrator.core.fence import epoch_of
from orchestrator.core.stage import Stage
from orchestrator.store.database import Database
from orchestrator.store.loading import Loading, Row
from orchestrator.store.low_water import LowWater, rank_of
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


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """An attempt as the database has it: who drives its execution, and whether the fence may be its stage's.

    `taken` is the stage with its result, where this attempt's result is the one that it took last.
    """

    owner: str | None
    rules: bool
    taken: Stage | None = None


def whereabouts_of(owner: str | None, epoch: int | None, stage: Stage | None, fence: int) -> Whereabouts:
    """What the rows of an execution and its stage say of the attempt under this fence.

    An offer leaves before it is durable. So a fence of the owner's present epoch that is later than the stage's may be
    one that the database does not know yet: only the owner can tell.
    """
    if stage is not None and stage.settled_fence == fence:
        return Whereabouts(owner, rules=False, taken=stage)
    if stage is not None and stage.fence == fence:
        return Whereabouts(owner, rules=stage.is_live)
    is_newer = stage is None or (not stage.is_final and (stage.fence or 0) < fence)
    return Whereabouts(owner, rules=epoch == epoch_of(fence) and is_newer)


class Executions(Protocol):
    """What is durable of executions. Every method may raise one of `UNAVAILABLE`."""

    async def find(self, client_id: str, execution_id: str, *, whole: bool = False) -> Snapshot | None:
        """The execution with its stages; None if this client has none of that id.

        Unless it has to be `whole`, what no document shows is left out where it is an artifact: the input, and the
        stages' results; and a result that is one is a fragment of JSON, which can be encoded but not looked into.
        Raises `ArtifactLost` or `BlobsAway` as well.
        """

    async def page(
        self, client_id: str, status: str | None, template: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Executions, newest first, without their stages; `before` is the last id of the page before."""

    async def packets(self, client_id: str, execution_id: str) -> list[dict[str, Any]]:
        """Every packet of the execution's handshakes, in order of sequence."""

    async def client_of(self, execution_id: str) -> str | None:
        """Whose execution it is."""

    async def whereabouts(self, execution_id: str, stage: str, fence: int) -> Whereabouts | None:
        """Where the attempt under this fence stands; None if there is no such execution."""

    async def sequences(self, execution_ids: Sequence[str]) -> dict[str, int]:
        """The sequence number of the last thing that is told of each; one that is not there is left out."""

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

    def __init__(self, database: Database, loading: Loading, low_water: LowWater) -> None:
        self._database = database
        self._loading = loading
        self._low_water = low_water
        self._sql = statements("executions")

    async def find(self, client_id: str, execution_id: str, *, whole: bool = False) -> Snapshot | None:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(self._sql["find"], execution_id, client_id)
            if row is None:
                return None
            stage_rows = await connection.fetch(self._sql["stages"], execution_id)
        execution = await self._loading.snapshot(row, stage_rows, whole=whole)
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

    async def whereabouts(self, execution_id: str, stage: str, fence: int) -> Whereabouts | None:
        async with self._database.acquire() as connection:
            execution = await connection.fetchrow(self._sql["owner_of"], execution_id)
            row = await connection.fetchrow(self._sql["stage"], execution_id, stage)
        if execution is None:
            return None
        found = None if row is None else await self._loading.stage(row, settled_fence=fence)
        return whereabouts_of(execution["owner"], execution["owner_epoch"], found, fence)

    async def sequences(self, execution_ids: Sequence[str]) -> dict[str, int]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["sequences"], list(execution_ids))
        return {row["execution_id"]: row["sequence"] for row in rows}

    async def waiting(self) -> list[Waiting]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["waiting"])
        return [Waiting(row["execution_id"], row["client_id"], row["priority"], row["action"]) for row in rows]

    async def ahead(self, action: str, priority: int, execution_id: str) -> int:
        lows = self._low_water.lows(action)[: rank_of(priority, started=False) + 1]
        async with self._database.acquire() as connection:
            count: int = await connection.fetchval(self._sql["ahead"], action, execution_id, lows)
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
