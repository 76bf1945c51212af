"""Executions and stages as the documents that clients see."""

from datetime import datetime
from typing import Any

from orchestrator.core.amounts import amounts_document, ratio_document
from orchestrator.core.execution import Execution
from orchestrator.core.stage import SHOWN_AS, Stage


def stage_id(execution_id: str, name: str) -> str:
    """A stage instance's id on the wire: unique everywhere, the same through all its attempts."""
    return f"{execution_id}.{name}"


def stage_name(execution_id: str, identifier: str) -> str | None:
    """The stage's name in a stage id, or None if it is another execution's."""
    prefix, _, name = identifier.rpartition(".")
    return name if prefix == execution_id else None


def stage_document(execution: Execution, stage: Stage) -> dict[str, Any]:
    actual = stage.actual
    return {
        "stageId": stage_id(execution.execution_id, stage.name),
        "name": stage.name,
        "action": execution.spec(stage.name).action,
        "status": SHOWN_AS[stage.status],
        "attempt": stage.attempt,
        "workerId": stage.worker_id,
        "progress": round(stage.progress, 2),
        "message": stage.message,
        "estimatedCompletionMs": stage.estimate.ms,
        "estimate": amounts_document(stage.estimate),
        "actual": amounts_document(actual),
        "ratio": ratio_document(stage.estimate, actual),
        "startedAt": instant(stage.started_at),
        "finishedAt": instant(stage.finished_at),
        "metrics": stage.metrics,
        "error": stage.error.document() if stage.error else None,
        "losses": [{"workerId": loss.worker_id, "reason": loss.reason} for loss in stage.losses],
    }


def execution_document(execution: Execution) -> dict[str, Any]:
    stages = list(execution.stages.values())
    return {
        "executionId": execution.execution_id,
        "template": execution.template.name,
        "version": execution.template.version,
        "status": execution.status.value,
        "priority": execution.priority,
        "progress": execution.progress,
        "stages": [stage_document(execution, stage) for stage in stages],
        "currentStage": next((stage.name for stage in stages if not stage.is_final), None),
        "result": execution.result,
        "error": execution.error.document() if execution.error else None,
        "cost": cost_document(execution),
        "requestId": execution.request_id,
        "retryOf": execution.retry_of,
        "createdAt": instant(execution.created_at),
        "startedAt": instant(execution.started_at),
        "finishedAt": instant(execution.finished_at),
    }


def cost_document(execution: Execution) -> dict[str, Any]:
    """What all attempts of the execution reported: decimal US dollars as a number, tokens."""
    return {"costUsd": float(execution.usage.cost_usd), "tokens": execution.usage.tokens}


def instant(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
