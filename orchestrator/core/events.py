"""What can happen to an execution: facts in the past tense, each a value.

An event of an attempt names its stage and carries its fence; an event whose fence is not the stage's changes nothing.
"""

from dataclasses import dataclass
from typing import Any

from orchestrator.core.amounts import UNKNOWN, Amounts
from orchestrator.core.stage import NOTHING_USED, Life, Usage
from protocol.packets import Failure


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """What all events of one attempt share."""

    stage: str
    fence: int


@dataclass(frozen=True, slots=True)
class Offered(AttemptFact):
    """The stage was offered to a worker under a new fence."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class Accepted(AttemptFact):
    """The worker said yes, and is told to process in the same turn; `estimate` is what it says the attempt takes."""

    estimate: Amounts = UNKNOWN


@dataclass(frozen=True, slots=True)
class Rejected(AttemptFact):
    """The worker said no. Never charged."""


@dataclass(frozen=True, slots=True)
class OfferExpired(AttemptFact):
    """No answer in time: unknown, so the fence is dead and the stage is offered anew. Never charged."""


@dataclass(frozen=True, slots=True)
class NotStarted(AttemptFact):
    """An accepted attempt never began, and the worker said so or could not be told. Never charged."""


@dataclass(frozen=True, slots=True)
class Progressed(AttemptFact):
    """The worker is this far, 0 to 100."""

    percent: float
    message: str | None = None
    metrics: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Completed(AttemptFact):
    """The worker finished with a result."""

    result: Any
    metrics: dict[str, Any] | None = None
    usage: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class Failed(AttemptFact):
    """The attempt failed. `jitter`, 0 to 1, spreads the delay before the next one."""

    failure: Failure
    jitter: float
    metrics: dict[str, Any] | None = None
    usage: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class TimedOut(AttemptFact):
    """The attempt took longer than its stage allows."""

    jitter: float


@dataclass(frozen=True, slots=True)
class WorkerLost(AttemptFact):
    """The lease ran out or the worker vanished. Charged only if the attempt was running.

    `instance_id` is the life in which it held the attempt; `alive` are the lives with which the stage was lost, now or
    before, that are known to go on: they were out of reach, and did not die of it.
    """

    reason: str
    jitter: float
    instance_id: str = ""
    alive: frozenset[Life] = frozenset()


@dataclass(frozen=True, slots=True)
class Settled(AttemptFact):
    """A cancelled attempt has ended at its worker, or nothing more is expected of it."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A replica took the execution up: fresh from the queue, or from an owner that died."""


@dataclass(frozen=True, slots=True)
class PayloadLost:
    """A replica took the execution up, but an input or a result that it needs to go on cannot be had any more."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Unofferable:
    """A ready stage that no offer can help: its input refers to nothing, or is refused for good."""

    stage: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class SignalReceived:
    """A message from outside for the stages that wait for this signal."""

    signal: str
    value: Any


@dataclass(frozen=True, slots=True)
class SignalTimedOut:
    """A waiting stage's signal did not come in time."""

    stage: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A client wants the execution to end."""


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """A client wants no further stage to be offered."""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """A client lifts a pause."""


AttemptEvent = (
    Offered
    | Accepted
    | Rejected
    | OfferExpired
    | NotStarted
    | Progressed
    | Completed
    | Failed
    | TimedOut
    | WorkerLost
    | Settled
)
StageEvent = Unofferable | SignalTimedOut
ExecutionEvent = Owned | PayloadLost | SignalReceived | CancelRequested | PauseRequested | ResumeRequested
Event = AttemptEvent | StageEvent | ExecutionEvent
