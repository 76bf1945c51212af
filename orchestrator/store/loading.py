"""Rows to the core's values: an execution with its stages, as it is durable."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Protocol

import orjson
import structlog

from orchestrator.core.amounts import UNKNOWN, amounts_from
from orchestrator.core.execution import Execution, ExecutionStatus, prepare
from orchestrator.core.stage import Loss, Stage, StageStatus, Usage
from orchestrator.core.template import Template
from orchestrator.store.blobs import ArtifactLost, Blobs
from orchestrator.store.record import Conversation, Record, Unread
from protocol.packets import Failure

log = structlog.get_logger()


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
    ) -> list[Record]:
        """The records of these executions; inputs and stages' results that are artifacts are yet `unread`."""
        stages: dict[str, dict[str, Stage]] = defaultdict(dict)
        unread: dict[str, list[Unread]] = defaultdict(list)
        for row in rows:
            if row["input_sha256"] is not None:
                unread[row["execution_id"]].append(Unread(None, row["input_sha256"]))
        for row in stage_rows:
            stages[row["execution_id"]][row["name"]] = stage_of(row)
            if row["result_sha256"] is not None:
                unread[row["execution_id"]].append(Unread(row["name"], row["result_sha256"]))
        conversations: dict[str, dict[int, Conversation]] = defaultdict(dict)
        for row in packet_rows:
            conversation = Conversation(row["stage_name"], row["fence"], row["attempt"], row["worker_id"])
            conversation.packets = orjson.loads(row["packets"])
            conversations[row["execution_id"]][row["fence"]] = conversation
        records = []
        for row in rows:
            execution = await self._execution(row)
            prepare(execution, stages[execution.execution_id])
            record = Record(execution, row["revision"], row["sequence"], conversations[execution.execution_id])
            record.input_bytes = len(row["input"] or "")
            record.unread = tuple(unread[execution.execution_id])
            records.append(record)
        return records

    async def complete(self, record: Record) -> None:
        """Read what is `unread` of a record. Raises `ArtifactLost` or `BlobsAway`, and then nothing has changed."""
        execution, stages = record.execution, dict(record.execution.stages)
        given, input_bytes = execution.input, record.input_bytes
        for name, digest in record.unread:
            what = "its input" if name is None else f"the result of its stage {name}"
            data = await self._read(execution.client_id, digest, what)
            value = await asyncio.to_thread(orjson.loads, data)
            if name is None:
                given, input_bytes = value, len(data)
            else:
                stages[name] = stages[name]._replace(result=value)
        execution.input, record.input_bytes, record.unread = given, input_bytes, ()
        prepare(execution, stages)

    async def _execution(self, row: Row) -> Execution:
        return Execution(
            execution_id=row["execution_id"],
            client_id=row["client_id"],
            template=await self._templates.version(row["template_client_id"], row["template"], row["version"]),
            template_client_id=row["template_client_id"],
            input=_value(row["input"]),
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

    async def snapshot(self, row: Row, stage_rows: Sequence[Row], *, whole: bool) -> Execution:
        """An execution with its result, and with its input and its stages' results as far as they stand in the rows.

        With `whole`, all that are artifacts are read. Without it a result that is one stays the JSON that it is, which
        `dumps` puts in as it stands. Raises `ArtifactLost` or `BlobsAway`.
        """
        [record] = await self.records([row], stage_rows, ())
        if whole:
            await self.complete(record)
        execution, digest = record.execution, row["result_sha256"]
        if digest is None:
            execution.result = _value(row["result"])
        else:
            data = await self._read(execution.client_id, digest, "its result")
            execution.result = await asyncio.to_thread(orjson.loads, data) if whole else orjson.Fragment(data)
        return execution

    async def stage(self, row: Row, *, settled_fence: int) -> Stage:
        """A stage's row alone; a result that is an artifact is read if it was taken under this fence and is not lost.

        Raises `BlobsAway`.
        """
        stage, digest = stage_of(row), row["result_sha256"]
        if digest is None or stage.settled_fence != settled_fence:
            return stage
        try:
            data = await self._read(row["client_id"], digest, f"the result of the stage {stage.name}")
        except ArtifactLost as lost:
            log.error("artifact.lost", execution_id=row["execution_id"], why=str(lost))
            return stage
        return stage._replace(result=await asyncio.to_thread(orjson.loads, data))

    async def _read(self, client_id: str, digest: str, what: str) -> bytes:
        try:
            data = await self._blobs.get(client_id, digest)
        except ArtifactLost as lost:
            raise ArtifactLost(f"{what} is lost: {lost}") from lost
        if await asyncio.to_thread(_hash_of, data) != digest:
            raise ArtifactLost(
                f"{what} is spoilt: the bytes of the artifact {digest} are not those that were put there"
            )
        return data


def _hash_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def _value(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def stage_of(row: Row) -> Stage:
    """A stage's row as the core's value; a result that is an artifact is None."""
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
        result=_value(row["result"]),
        metrics=None if row["metrics"] is None else orjson.loads(row["metrics"]),
        error=failure_of(row["error"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        yields=row["yields"],
        losses=tuple(Loss(*loss) for loss in orjson.loads(row["losses"] or "[]")),
    )


def failure_of(text: str | None) -> Failure | None:
    return None if text is None else Failure.model_validate(orjson.loads(text))
