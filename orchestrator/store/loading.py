"""Rows to the core's values: an execution with its stages, as it is durable."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from orchestrator.core.amounts import UNKNOWN, amounts_from
from orchestrator.core.execution import Execution, ExecutionStatus, prepare
from orchestrator.core.stage import Loss, Stage, StageStatus, Usage
from orchestrator.core.template import Template
from orchestrator.store.blobs import Blobs
from orchestrator.store.record import Conversation, Record
from protocol.packets import Failure


class Row(Protocol):
    """A row's columns by name."""

    def __getitem__(self, column: str, /) -> Any: ...


class Versions(Protocol):
    """Published templates."""

    async def version(self, client_id: str, name: str, version: int) -> Template:
        """One published version, by exactly where it stands."""


class Loading:
    """Builds records from rows; templates come from their cache, artifacts from the blob store."""

    def __init__(self, templates: Versions, blobs: Blobs) -> None:
        self._templates = templates
        self._blobs = blobs

    async def records(
        self,
        rows: Sequence[Row],
        stage_rows: Sequence[Row],
        packet_rows: Sequence[Row],
        *,
        whole: bool = True,
    ) -> list[Record]:
        """The records of these executions; without `whole`, inputs and stages' results that are artifacts are None."""
        stages: dict[str, dict[str, Stage]] = defaultdict(dict)
        clients = {row["execution_id"]: row["client_id"] for row in rows}
        for row in stage_rows:
            digest = row["result_sha256"] if whole else None
            result = await self.payload(clients[row["execution_id"]], row["result"], digest)
            stages[row["execution_id"]][row["name"]] = stage_of(row, result)
        conversations: dict[str, dict[int, Conversation]] = defaultdict(dict)
        for row in packet_rows:
            conversation = Conversation(row["stage_name"], row["fence"], row["attempt"], row["worker_id"])
            conversation.packets = orjson.loads(row["packets"])
            conversations[row["execution_id"]][row["fence"]] = conversation
        records = []
        for row in rows:
            execution = await self._execution(row, whole=whole)
            prepare(execution, stages[execution.execution_id])
            record = Record(execution, row["revision"], row["sequence"], conversations[execution.execution_id])
            record.input_bytes = len(row["input"]) if row["input"] is not None else len(orjson.dumps(execution.input))
            records.append(record)
        return records

    async def _execution(self, row: Row, *, whole: bool) -> Execution:
        return Execution(
            execution_id=row["execution_id"],
            client_id=row["client_id"],
            template=await self._templates.version(row["template_client_id"], row["template"], row["version"]),
            template_client_id=row["template_client_id"],
            input=await self.payload(row["client_id"], row["input"], row["input_sha256"] if whole else None),
            priority=row["priority"],
            created_at=row["created_at"],
            status=ExecutionStatus(row["status"]),
            ending=ExecutionStatus(row["ending"]) if row["ending"] else None,
            paused=row["status"] == ExecutionStatus.PAUSED,
            progress=row["progress"],
            error=failure_of(row["error"]),
            usage=Usage(row["cost_usd"], row["tokens"]),
            request_id=row["request_id"],
            retry_of=row["retry_of"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
        )

    async def stage(self, row: Row, *, whole: bool) -> Stage:
        """A stage's row alone; without `whole`, a result that is an artifact is None."""
        digest = row["result_sha256"] if whole else None
        return stage_of(row, await self.payload(row["client_id"], row["result"], digest))

    async def payload(self, client_id: str, text: str | None, digest: str | None) -> Any:
        """The value that stands in a row, or that is the artifact of this hash; None for neither."""
        if digest is not None:
            return await asyncio.to_thread(orjson.loads, await self._blobs.get(client_id, digest))
        return None if text is None else orjson.loads(text)

    async def shown(self, client_id: str, text: str | None, digest: str | None) -> Any:
        """As `payload`, for a document: an artifact stays the JSON that it is, which `dumps` puts in as it stands."""
        if digest is not None:
            return orjson.Fragment(await self._blobs.get(client_id, digest))
        return await self.payload(client_id, text, None)


def stage_of(row: Row, result: Any) -> Stage:
    """A stage's row as the core's value."""
    return Stage(
        name=row["name"],
        status=StageStatus(row["status"]),
        attempt=row["attempt"],
        offer_round=row["offer_round"],
        fence=row["fence"],
        settled_fence=row["settled_fence"],
        worker_id=row["worker_id"],
        progress=row["progress"],
        message=row["message"],
        estimate=UNKNOWN if row["estimate"] is None else amounts_from(orjson.loads(row["estimate"])),
        result=result,
        metrics=None if row["metrics"] is None else orjson.loads(row["metrics"]),
        error=failure_of(row["error"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        yields=row["yields"],
        losses=tuple(Loss(*loss) for loss in orjson.loads(row["losses"] or "[]")),
    )


def failure_of(text: str | None) -> Failure | None:
    return None if text is None else Failure.model_validate(orjson.loads(text))
