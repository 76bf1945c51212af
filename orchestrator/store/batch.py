"""What one flush writes: rows gathered from memory, in the shape of the types that the schema has for them."""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson

from orchestrator.core.amounts import UNKNOWN, Amounts, amounts_document
from orchestrator.core.execution import FINAL, Execution
from orchestrator.core.stage import Stage
from orchestrator.store.record import Conversation, Durable, Record, Standing, Submission

INLINE_BYTES: Final = 64 * 1024
"""A payload up to this size stands in its row; a larger one becomes an artifact."""

SHORTEST_REFERENCE: Final = 66
"""Bytes of a quoted hash: what is shorter refers to no artifact."""

_HASH: Final = re.compile(rb'"([0-9a-f]{64})"')


@dataclass(slots=True)
class Dirty:
    """What changed in one execution since its last flush. `queue_action` is set when it is given back to the queue;
    `due` is the monotonic time in seconds by which it has to be flushed."""

    record: Record
    due: float
    stages: set[str] = field(default_factory=set)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    then: list[Durable] = field(default_factory=list)
    queue_action: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A payload that is too large for a row."""

    client_id: str
    sha256: str
    data: bytes


@dataclass(slots=True)
class Batch:
    """The rows of one flush, and who waits for each."""

    keys: list[tuple[Any, ...]] = field(default_factory=list)
    submissions: list[tuple[Any, ...]] = field(default_factory=list)
    changes: list[tuple[Any, ...]] = field(default_factory=list)
    stages: list[tuple[Any, ...]] = field(default_factory=list)
    packets: list[tuple[Any, ...]] = field(default_factory=list)
    queue: list[tuple[Any, ...]] = field(default_factory=list)
    artifacts: list[tuple[Any, ...]] = field(default_factory=list)
    uses: list[tuple[str, str, str, bool]] = field(default_factory=list)
    payloads: dict[tuple[str, str], Artifact] = field(default_factory=dict)
    inbox: list[int] = field(default_factory=list)
    dirty: dict[str, Dirty] = field(default_factory=dict)
    submitted: dict[str, Submission] = field(default_factory=dict)
    _large: dict[tuple[str, int], str] = field(default_factory=dict)
    """The hashes of large values, so that one which is a stage's result and the execution's is encoded once."""

    def add_submission(self, submission: Submission) -> None:
        record, execution = submission.record, submission.record.execution
        self.submitted[execution.execution_id] = submission
        text, reference = self._payload(execution, execution.input)
        keyed = submission.key is not None
        if keyed:
            self.keys.append((execution.client_id, submission.key, submission.body_hash, execution.execution_id))
        self.submissions.append(
            (
                execution.execution_id,
                execution.client_id,
                execution.template_client_id,
                execution.template.name,
                execution.template.version,
                execution.priority,
                text,
                reference,
                execution.request_id,
                execution.retry_of,
                execution.created_at,
                submission.owned,
                keyed,
            )
        )
        # What happened since it was begun is in the flush after this one, with its packets and the execution's state.
        self.stages += [self._stage(execution, stage) for stage in execution.stages.values() if stage.is_kept]
        if not submission.owned:
            self._add_queue(record, submission.action)

    def add_dirty(self, dirty: Dirty) -> None:
        record, execution = dirty.record, dirty.record.execution
        self.dirty[execution.execution_id] = dirty
        kept = dirty.queue_action is None and execution.status not in FINAL
        self.changes.append(self._change(record, kept))
        record.revision += 1
        for name in dirty.stages:
            self.stages.append(self._stage(execution, execution.stages[name]))
        for conversation in dirty.conversations.values():
            self.packets.append(
                (
                    execution.execution_id,
                    conversation.fence,
                    execution.client_id,
                    conversation.stage,
                    conversation.attempt,
                    conversation.worker_id,
                    conversation.encoded(),
                )
            )
        if dirty.queue_action is not None:
            self._add_queue(record, dirty.queue_action)

    def ids(self) -> list[str]:
        """The executions that this batch writes."""
        return [*self.submitted, *self.dirty]

    def standings(self, epoch: int) -> list[tuple[str, Standing]]:
        """How each changed execution stands once this batch is written under this epoch, and not otherwise."""
        return [(change[0], Standing(change[2], epoch if change[-1] else None)) for change in self.changes]

    def only(self, execution_id: str) -> "Batch":
        """The same rows for one execution alone."""
        alone = Batch(artifacts=self.artifacts, inbox=self.inbox)
        alone.keys = [row for row in self.keys if row[3] == execution_id]
        for noun in ("submissions", "changes", "stages", "packets", "queue", "uses"):
            setattr(alone, noun, [row for row in getattr(self, noun) if row[0] == execution_id])
        alone.dirty = {key: dirty for key, dirty in self.dirty.items() if key == execution_id}
        alone.submitted = {key: new for key, new in self.submitted.items() if key == execution_id}
        return alone

    def rows(self) -> list[list[Any]]:
        """The flush statement's arguments after the replica and its epoch."""
        return [
            self.keys,
            self.submissions,
            self.changes,
            self.stages,
            self.packets,
            self.queue,
            self.artifacts,
            self.uses,
            self.inbox,
        ]

    def _add_queue(self, record: Record, action: str) -> None:
        execution = record.execution
        self.queue.append(
            (
                execution.execution_id,
                execution.client_id,
                action,
                execution.priority,
                execution.started_at is not None,
            )
        )

    def _change(self, record: Record, kept: bool) -> tuple[Any, ...]:
        execution = record.execution
        result, reference = self._payload(execution, execution.result)
        return (
            execution.execution_id,
            record.revision,
            record.revision + 1,
            record.sequence,
            execution.status.value,
            execution.ending.value if execution.ending else None,
            execution.progress,
            result,
            reference,
            _document(execution.error),
            execution.usage.cost_usd,
            execution.usage.tokens,
            execution.started_at,
            execution.finished_at,
            kept,
        )

    def _stage(self, execution: Execution, stage: Stage) -> tuple[Any, ...]:
        result, reference = self._payload(execution, stage.result)
        return (
            execution.execution_id,
            stage.name,
            execution.client_id,
            execution.spec(stage.name).action,
            stage.status.value,
            stage.attempt,
            stage.offer_round,
            stage.fence,
            stage.settled_fence,
            stage.worker_id,
            stage.message,
            stage.progress,
            _estimate(stage.estimate),
            result,
            reference,
            _document(stage.metrics),
            _document(stage.error),
            stage.started_at,
            stage.finished_at,
            stage.yields,
            _losses(stage),
        )

    def _payload(self, execution: Execution, value: Any) -> tuple[str | None, str | None]:
        """A JSON payload's text, or the hash of the artifact it becomes; (None, None) for nothing."""
        if value is None:
            return None, None
        client_id = execution.client_id
        if (digest := self._large.get((client_id, id(value)))) is not None:
            self._use(execution, digest, made=True)
            return None, digest
        data = orjson.dumps(value)
        if len(data) >= SHORTEST_REFERENCE:
            # Whatever looks like a hash may be a reference: one too many kept is harmless, one too few is a loss.
            for found in sorted(set(_HASH.findall(data))):
                self._use(execution, found.decode(), made=False)
        if len(data) <= INLINE_BYTES:
            return data.decode(), None
        digest = sha256(data).hexdigest()
        if (client_id, digest) not in self.payloads:
            self.payloads[client_id, digest] = Artifact(client_id, digest, data)
            self.artifacts.append((client_id, digest, len(data), ""))
        self._large[client_id, id(value)] = digest
        self._use(execution, digest, made=True)
        return None, digest

    def _use(self, execution: Execution, digest: str, *, made: bool) -> None:
        """The execution refers to this artifact; `made` are those that this batch itself makes."""
        self.uses.append((execution.execution_id, execution.client_id, digest, made))


def _estimate(estimate: Amounts) -> str | None:
    return None if estimate == UNKNOWN else orjson.dumps(amounts_document(estimate)).decode()


def _losses(stage: Stage) -> str | None:
    return orjson.dumps([list(loss) for loss in stage.losses]).decode() if stage.losses else None


def _document(value: Any) -> str | None:
    if value is None:
        return None
    if hasattr(value, "document"):
        value = value.document()
    return orjson.dumps(value, default=str).decode()
