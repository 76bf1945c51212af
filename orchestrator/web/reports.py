"""Routes by which a worker that answered `process` with 202 reports later. Each answer waits until it is durable.

A report counts only under the fence of the attempt that the worker holds; a stale one is told to stop, and changes
nothing.
"""

from typing import Any, Literal

from aiohttp import web

from orchestrator.web.call import Call, answer
from orchestrator.web.refusal import Refused
from protocol.packets import Failure, Fence, Metrics, Model, Percent, Progress, Result, Text


class ProgressReport(Model):
    """How far the attempt is, 0 to 100."""

    fence: Fence
    progress: Percent
    message: Text | None = None
    metrics: Metrics | None = None


class CompleteReport(Model):
    """What the attempt made, and what it took."""

    fence: Fence
    result: Any = None
    metrics: Metrics = Metrics()


class FailReport(Model):
    """Why the attempt failed; only `retryable: true` has it tried again."""

    fence: Fence
    error: Failure
    metrics: Metrics = Metrics()


class Nothing(Model):
    """No field is needed, and none is looked at."""


async def progress(call: Call, report: ProgressReport) -> web.Response:
    """`POST /api/executions/{executionId}/stages/{stageId}/progress`."""
    packet = Progress(
        execution_id=call.named("executionId"),
        stage_id=call.named("stageId"),
        fence=report.fence,
        progress=report.progress,
        message=report.message,
        metrics=report.metrics,
    )
    if not await call.services.reports.progress(call.worker_id, packet):
        raise stale()
    return answer({"status": "taken"})


async def complete(call: Call, report: CompleteReport) -> web.Response:
    """`POST /api/executions/{executionId}/stages/{stageId}/complete`."""
    return await _end(call, report.fence, "completed", report.metrics, result=report.result)


async def fail(call: Call, report: FailReport) -> web.Response:
    """`POST /api/executions/{executionId}/stages/{stageId}/fail`."""
    return await _end(call, report.fence, "failed", report.metrics, error=report.error)


async def check_queue(call: Call, _: Nothing) -> web.Response:
    """`POST /api/test/queue-execution`: the built-in check, through the real queue."""
    queued = await call.services.queue_check.submit()
    return answer({"executionId": queued.execution_id}, 202)


async def _end(
    call: Call,
    fence: int,
    status: Literal["completed", "failed"],
    metrics: Metrics,
    result: Any = None,
    error: Failure | None = None,
) -> web.Response:
    packet = Result(
        execution_id=call.named("executionId"),
        stage_id=call.named("stageId"),
        fence=fence,
        status=status,
        result=result,
        metrics=metrics,
        error=error,
    )
    if not await call.services.reports.result(call.worker_id, packet):
        raise stale()
    return answer({"status": "committed"})


def stale() -> Refused:
    """409, with the directive to stop."""
    stop = {"directive": "stop"}
    message = "another attempt rules, or the stage is over: stop, and forget this one"
    return Refused(409, "stale_fence", message, stop, beside=stop)
