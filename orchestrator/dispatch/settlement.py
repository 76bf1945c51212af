"""Whether a result that comes under a settled fence is the one that was taken, or another one."""

from orchestrator.core.stage import Stage, StageStatus
from protocol.codec import dumps
from protocol.errors import FailureCode
from protocol.packets import Failure, Result


def is_repeat(stage: Stage, packet: Result) -> bool:
    """Whether the stage took this very result: the same fence, the same outcome.

    What an attempt spent is left out: it was counted once, with the first.
    """
    if stage.settled_fence != packet.fence:
        return False
    if packet.status == "completed":
        return stage.status is StageStatus.COMPLETED and dumps(stage.result) == dumps(packet.result)
    return stage.status is not StageStatus.COMPLETED and stage.error == failure_of(packet)


def failure_of(packet: Result) -> Failure:
    """Why the attempt failed, by a result that is not `completed`."""
    if packet.status == "cancelled":
        return Failure(code=FailureCode.CANCELLED, message="the worker stopped by itself", retryable=True)
    return packet.error or Failure(code=FailureCode.WORKER_ERROR, message="the worker gave no reason")
