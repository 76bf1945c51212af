"""One stage of an execution as a value, and which of its states are live or final.

The attempt's part of the states (ready to cancelled) follows `protocol.attempt.TRANSITIONS`. `accepted` is passed
through: the orchestrator answers an accept with `process` in the same turn. `pending`, `waiting` and `skipped` exist
only on the orchestrator's side.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from orchestrator.core.amounts import UNKNOWN, Amounts
from protocol.packets import Failure


class StageStatus(StrEnum):
    PENDING = "pending"
    READY = "ready"
    OFFERED = "offered"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({StageStatus.COMPLETED, StageStatus.FAILED, StageStatus.SKIPPED, StageStatus.CANCELLED})
"""No event leaves these."""

BEGUN: Final = frozenset({StageStatus.RUNNING, StageStatus.CANCELLING})
"""A worker was told to begin, or to stop again: it may be at work."""

LIVE: Final = BEGUN | {StageStatus.OFFERED}
"""A worker may hold an attempt: a fence and a slot belong to the stage."""

ACTIVE: Final = LIVE | {StageStatus.READY}
"""The execution moves by itself: something is offered, at work, or about to be."""

SHOWN_AS: Final = {
    StageStatus.PENDING: "pending",
    StageStatus.READY: "pending",
    StageStatus.OFFERED: "offered",
    StageStatus.RUNNING: "running",
    StageStatus.WAITING: "waiting",
    StageStatus.CANCELLING: "running",
    StageStatus.COMPLETED: "completed",
    StageStatus.FAILED: "failed",
    StageStatus.SKIPPED: "skipped",
    StageStatus.CANCELLED: "cancelled",
}
"""The eight words that clients see."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What attempts reported that they spent: US dollars and tokens."""

    cost_usd: Decimal = Decimal(0)
    tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        if other is NOTHING_USED:
            return self
        return Usage(self.cost_usd + other.cost_usd, self.tokens + other.tokens)


NOTHING_USED: Final = Usage()


class Life(NamedTuple):
    """One life of a worker, from its start to its end. Without an `instance_id` it is not known which one it was."""

    worker_id: str
    instance_id: str = ""


class Loss(NamedTuple):
    """A worker that was lost while it worked at the stage, how that was noticed, and in which of its lives it was."""

    worker_id: str
    reason: str
    instance_id: str = ""

    @property
    def life(self) -> Life:
        return Life(self.worker_id, self.instance_id)


class Stage(NamedTuple):
    """Where a stage stands. A named tuple, because a stage is replaced four times in its life and this is the value
    that Python replaces fastest.

    `attempt` is the number of the present (or next) charged try, from 1; `offer_round` counts the offers made for it,
    and `yields` the tries that were given back because their worker stopped, which are not charged.
    `fence` belongs to the worker that may report now, `settled_fence` to the attempt whose result was taken last.
    `losses` are the workers that were lost with it, the first one first.
    """

    name: str
    status: StageStatus = StageStatus.PENDING
    attempt: int = 1
    offer_round: int = 0
    fence: int | None = None
    settled_fence: int | None = None
    worker_id: str | None = None
    progress: float = 0.0
    message: str | None = None
    estimate: Amounts = UNKNOWN
    result: Any = None
    metrics: dict[str, Any] | None = None
    error: Failure | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    yields: int = 0
    losses: tuple[Loss, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Ready, and never offered: nothing is known of the stage but that its needs are met."""
        return self.status is StageStatus.READY and self.attempt == 1 and self.offer_round == 0

    @property
    def is_kept(self) -> bool:
        """Completed by no attempt of this execution: a retry has it from the execution that it takes the place of."""
        return self.status is StageStatus.COMPLETED and self.fence is None and self.settled_fence is None

    @property
    def lost_workers(self) -> frozenset[str]:
        """The ids of the workers that were lost with it."""
        return frozenset(loss.worker_id for loss in self.losses)

    @property
    def is_ready(self) -> bool:
        return self.status is StageStatus.READY

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def actual(self) -> Amounts:
        """What the attempt took that ended the stage, from its accept on; unknown until then.

        Time is told as estimates are: in whole milliseconds, and what takes less than one takes one.
        """
        if self.started_at is None or self.finished_at is None:
            return UNKNOWN
        metrics = self.metrics or {}
        cost_usd = metrics.get("costUsd")
        return Amounts(
            ms=max(round((self.finished_at - self.started_at) / timedelta(milliseconds=1)), 1),
            tokens=metrics.get("tokensUsed"),
            cost_usd=None if cost_usd is None else Decimal(str(cost_usd)),
        )
