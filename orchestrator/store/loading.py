"""Rows to the core's values: an execution with its stages, as it is durable."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson

from orchestrator.core.execution import Execution, ExecutionStatus, prepare
from orchestrator.core.stage import Stage, StageStatus, Usage
from orchestrator.store.blobs import Blobs
from orchestrator.store.record import Conversation, Record
from orchestrator.store.templates import Templates
from protocol.packets import Failure


class Loading:
    """Builds records from rows; templates come from their cache, artifacts from the blob store."""

    def __init__(self, templates: Templates, blobs: Blobs) -> None:
        self._templates = templates
        self._blobs = blobs

    async def records(
        self,
        rows: Sequence[asyncpg.Record],
        stage_rows: Sequence[asyncpg.Record],
        packet_rows: Sequence[asyncpg.Record],
    ) -> list[Record]:
        stages: dict[str, dict[str, Stage]] = defaultdict(dict)
        clients = {row["execution_id"]: row["client_id"] for row in rows}
        for row in stage_rows:
            result = await self.payload(clients[row["execution_id"]], row["result"], row["result_sha256"])
            stages[row["execution_id"]][row["name"]] = stage_of(row, result)
        conversations: dict[str, dict[int, Conversation]] = defaultdict(dict)
        for row in packet_rows:
            conversation = Conversation(row["stage_name"], row["fence"], row["attempt"], row["worker_id"])
            conversation.packets = [orjson.dumps(packet).decode() for packet in orjson.loads(row["packets"])]
            conversations[row["execution_id"]][row["fence"]] = conversation
        records = []
        for row in rows:
            execution = await self._execution(row)
            prepare(execution, stages[execution.execution_id])
            record = Record(execution, row["revision"], row["sequence"], conversations[execution.execution_id])
            record.input_bytes = len(row["input"]) if row["input"] is not None else len(orjson.dumps(execution.input))
            records.append(record)
        return records

    async def _execution(self, row: asyncpg.Record) -> Execution:
        return Execution(
            execution_id=row["execution_id"],
            client_id=row["client_id"],
            template=await self._templates.version(row["template_client_id"], row["template"], row["version"]),
            template_client_id=row["template_client_id"],
            input=await self.payload(row["client_id"], row["input"], row["input_sha256"]),
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

    async def payload(self, client_id: str, text: str | None, digest: str | None) -> Any:
        if digest is not None:
            return orjson.loads(await self._blobs.get(client_id, digest))
        return None if text is None else orjson.loads(text)


def stage_of(row: asyncpg.Record, result: Any) -> Stage:
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
        estimate_ms=row["estimate_ms"],
        result=result,
        metrics=None if row["metrics"] is None else orjson.loads(row["metrics"]),
        error=failure_of(row["error"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def failure_of(text: str | None) -> Failure | None:
    return None if text is None else Failure.model_validate(orjson.loads(text))
