"""The bodies of the HTTP calls to a worker, in both directions.

Only what the original wire format requires is required here: an execution's id. Amounts of money are JSON numbers in
this format, where the packets carry them as decimal strings.
"""

from typing import Any, Final

from pydantic import Field

from protocol.errors import FailureCode
from protocol.packets import (
    ActionName,
    AttemptKey,
    AttemptNumber,
    Failure,
    Fence,
    HandshakeAnswer,
    Identifier,
    Milliseconds,
    Model,
    Reject,
    Resources,
)
from workers.kit.attempts import Attempt

HELD_FOR_MS: Final = 60_000

_UNWANTED: Final = Failure(code=FailureCode.CANCELLED, message="the attempt was stopped; nobody wants its result")


class NamesAttempt(Model):
    """`POST /api/process`, `/api/cancel`, `/api/acknowledge`: which attempt is meant.

    Without a fence it is the newest attempt of the stage, or of the execution where no stage is named.
    """

    execution_id: Identifier
    stage_id: Identifier | None = None
    attempt: AttemptNumber | None = None
    fence: Fence | None = None

    def matches(self, key: AttemptKey) -> bool:
        if key.execution_id != self.execution_id or self.stage_id not in (None, key.stage_id):
            return False
        return self.fence in (None, key.fence) and self.attempt in (None, key.attempt)


class AcknowledgeBody(NamesAttempt):
    """`POST /api/acknowledge`: `failed` says that the result was not taken, any other status that it was."""

    status: str | None = None


class HandshakeBody(NamesAttempt):
    """`POST /api/handshake`: an offer. Without a fence it is a bare call, outside of any orchestrator's book."""

    action: ActionName | None = None
    input_data: Any = Field(default_factory=dict)
    resource_requirements: Resources = Resources()
    offer_expires_ms: Milliseconds = HELD_FOR_MS
    lease_ms: Milliseconds = HELD_FOR_MS
    deadline_at: str | None = None
    limits: dict[str, Any] | None = None
    traceparent: str | None = None


def accepted(body: HandshakeBody, attempt: Attempt, worker_id: str) -> dict[str, Any]:
    answer = HandshakeAnswer(
        execution_id=body.execution_id,
        worker_id=worker_id,
        stage_id=body.stage_id,
        accepted=True,
        estimated_completion_ms=attempt.answer.estimated_completion_ms,
        resource_requirements=attempt.answer.resource_requirements,
    )
    return _with_fence(body, answer)


def rejected(body: HandshakeBody, reject: Reject, worker_id: str) -> dict[str, Any]:
    answer = HandshakeAnswer(
        execution_id=body.execution_id,
        worker_id=worker_id,
        stage_id=body.stage_id,
        accepted=False,
        code=reject.code,
        reason=reject.reason,
        retry_after_ms=reject.retry_after_ms,
    )
    return _with_fence(body, answer)


def processed(attempt: Attempt) -> dict[str, Any]:
    """The result as `POST /api/process` answers it, which knows no other ends than completed and failed."""
    result = attempt.result
    if result is None:
        return {
            **attempt.key.document(),
            "status": "failed",
            "result": None,
            "error": _UNWANTED.document(),
            "metrics": {},
        }
    answer = {
        **attempt.key.document(),
        "status": "completed" if result.status == "completed" else "failed",
        "result": result.result,
        "metrics": _with_numbers(result.metrics.document()),
    }
    return answer if result.error is None else {**answer, "error": result.error.document()}


def progressed(attempt: Attempt, now: float) -> dict[str, Any]:
    return {
        "executionId": attempt.key.execution_id,
        "progress": attempt.progress,
        "stage": attempt.state.value,
        "message": attempt.message or attempt.state.value,
        "estimatedRemainingMs": attempt.remaining_ms(now),
    }


def described(attempt: Attempt) -> dict[str, Any]:
    """The whole of what is known of an attempt; the original calls this document a job."""
    result = attempt.result
    error = None if result is None or result.error is None else result.error.document()
    return {
        **held(attempt),
        "jobId": attempt.key.stage_id,
        "action": attempt.action,
        "status": attempt.state.value,
        "message": attempt.message,
        "result": None if result is None else result.result,
        "error": error,
        "metrics": {} if result is None else _with_numbers(result.metrics.document()),
    }


def held(attempt: Attempt) -> dict[str, Any]:
    return {**attempt.key.document(), "state": attempt.state.value, "progress": attempt.progress}


def _with_fence(body: HandshakeBody, answer: HandshakeAnswer) -> dict[str, Any]:
    document = answer.document()
    if resources := document.get("resourceRequirements"):
        document["resourceRequirements"] = _with_numbers(resources)
    return document if body.fence is None else {**document, "fence": body.fence}


def _with_numbers(document: dict[str, Any]) -> dict[str, Any]:
    cost = document.get("costUsd")
    return document if cost is None else {**document, "costUsd": float(cost)}
