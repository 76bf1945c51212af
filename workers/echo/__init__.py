"""The bundled worker for trying things out: it echoes, waits, and fails as it is told.

It does nothing by itself and keeps nothing; what an attempt does follows from its input alone.
"""

from typing import Any

from pydantic import BaseModel, Field

from workers.kit import ActionError, Context, Estimate, Worker
from workers.kit.seams import SystemClock

worker = Worker("echo", version="1.0", slots=32, default_action="echo")

_clock = SystemClock()
_STEPS = 20


class Sleep(BaseModel):
    """How long to wait."""

    ms: int = Field(ge=0, le=24 * 3600 * 1000)


class Fail(BaseModel):
    """How to fail. `times`: only that many attempts of the stage fail, the next one completes."""

    code: str = Field("told_to_fail", min_length=1, max_length=100)
    message: str = "the input asked for a failure"
    retryable: bool = False
    times: int | None = Field(None, ge=0)


@worker.action("echo", estimate=1)
async def echo(given: Any) -> Any:
    """Returns its input unchanged."""
    return given


@worker.action("sleep", estimate=lambda given: Estimate(ms=given.ms))
async def sleep(given: Sleep, context: Context) -> dict[str, int]:
    """Waits, reporting progress in steps of 5 %."""
    for step in range(_STEPS):
        await context.progress(100 * step / _STEPS, f"waited {given.ms * step // _STEPS} of {given.ms} ms")
        await _clock.sleep(given.ms / _STEPS / 1000)
    return {"sleptMs": given.ms}


@worker.action("fail", estimate=1)
async def fail(given: Fail, context: Context) -> dict[str, int]:
    """Fails with the given code and message."""
    if given.times is None or context.attempt <= given.times:
        raise ActionError(given.code, given.message, retryable=given.retryable)
    return {"failures": given.times}
