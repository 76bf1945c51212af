"""The attempts that a worker holds, and the slots they take.

An attempt takes a slot from its accept until its handler has ended, or until its offer has expired unstarted. All of
it is synchronous, so two offers cannot be given the same slot. Time comes in as `now`, monotonic seconds.
"""

import asyncio
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from protocol.attempt import FINAL, AttemptEvent, AttemptState, advance
from protocol.packets import Accept, AttemptKey, Heartbeat, Result
from workers.kit.action import Action
from workers.kit.answers import Estimate
from workers.kit.context import Context
from workers.kit.stage_folders import StageKey

Identity = tuple[str, str, int]
"""executionId, stageId, fence: what every packet about an attempt carries."""

ENDED_KEPT_FOR_HTTP: Final = 1_000
_LEAST_RETRY_MS: Final = 50
_ENDED_BY: Final = {
    "completed": AttemptEvent.COMPLETE,
    "failed": AttemptEvent.FAIL,
    "cancelled": AttemptEvent.SETTLE,
}


class Named(Protocol):
    """Whatever says which attempt it speaks of: a key, an offer, a cancel, a result."""

    @property
    def execution_id(self) -> str: ...

    @property
    def stage_id(self) -> str: ...

    @property
    def fence(self) -> int: ...


def identity_of(named: Named) -> Identity:
    """What an attempt is found by, whichever packet speaks of it."""
    return (named.execution_id, named.stage_id, named.fence)


class Origin(StrEnum):
    """Where an offer came from, and so where its result goes: pushed over the link, or asked for over HTTP."""

    LINK = "link"
    HTTP = "http"


class StopReason(StrEnum):
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    STALE = "stale"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do: the action, its validated input, and what the author estimated for it."""

    action: Action
    given: Any
    estimate: Estimate


@dataclass(slots=True, eq=False)
class Attempt:
    """One accepted attempt. `is_local`: a bare HTTP call made it, of which the orchestrator knows nothing.

    `accepted_at` and `began_at` are when its accept was made and when its handler began.

    `timeout_s` is how long the offer says that it may run, and `ends_at` when that will be over.
    """

    key: AttemptKey
    action: str
    origin: Origin
    is_local: bool
    answer: Accept
    work: Work | None = None
    expires_at: float = math.inf
    state: AttemptState = AttemptState.ACCEPTED
    accepted_at: float = 0.0
    began_at: float | None = None
    stop_reason: StopReason | None = None
    progress: float = 0.0
    message: str | None = None
    context: Context | None = None
    handler: "asyncio.Task[None] | None" = None
    result: Result | None = None
    is_filed: bool = False
    timeout_s: float | None = None
    ends_at: float | None = None
    identity: Identity = field(init=False)
    stage: StageKey = field(init=False)

    def __post_init__(self) -> None:
        self.identity = identity_of(self.key)
        self.stage = (self.key.execution_id, self.key.stage_id)

    @property
    def is_alive(self) -> bool:
        """Whether its handler really runs and was not told to stop."""
        return self.handler is not None and not self.handler.done() and self.stop_reason is None

    @property
    def is_reported(self) -> bool:
        """Whether a heartbeat lists it: alive, and made by the orchestrator."""
        return self.is_alive and not self.is_local

    def apply(self, event: AttemptEvent) -> None:
        """Moves along the protocol's table; raises `IllegalTransition` without a change."""
        self.state = advance(self.state, event)

    def remaining_ms(self, now: float) -> int | None:
        """What the accepted estimate leaves of the time, or None where no estimate was given."""
        estimate_ms = self.answer.estimated_completion_ms
        if estimate_ms is None or self.state in FINAL:
            return None
        passed_s = 0.0 if self.began_at is None else now - self.began_at
        return max(0, round(estimate_ms - passed_s * 1000))

    def time_left_s(self, now: float) -> float | None:
        """What the offer leaves of the time, or None where it set no limit."""
        return None if self.ends_at is None else max(0.0, self.ends_at - now)

    def ended_its_stage(self, is_committed: bool) -> bool:
        """Whether no other attempt of the stage will follow, now that the orchestrator has dealt with the result."""
        if self.stop_reason is StopReason.CANCELLED:
            return True
        if not is_committed or self.result is None or self.result.status == "cancelled":
            return False
        return self.result.error is None or not self.result.error.retryable


class Attempts:
    """The attempts held: reserved, running, and ended ones whose result is still wanted."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._reserved: dict[Identity, Attempt] = {}
        self._running: dict[Identity, Attempt] = {}
        self._ended: dict[Identity, Attempt] = {}
        self._at_work: dict[StageKey, Attempt] = {}
        self._next_expiry = math.inf

    def reserve(self, attempt: Attempt) -> None:
        """Takes a slot for an accepted attempt; the caller has just seen that one is free."""
        self._reserved[attempt.identity] = attempt
        self._next_expiry = min(self._next_expiry, attempt.expires_at)

    def start(self, attempt: Attempt, now: float) -> None:
        """Its handler is about to begin; the time that it has runs from here."""
        attempt.apply(AttemptEvent.START)
        attempt.ends_at = None if attempt.timeout_s is None else now + attempt.timeout_s
        self._at_work[attempt.stage] = attempt
        del self._reserved[attempt.identity]
        self._running[attempt.identity] = attempt

    def stop(self, attempt: Attempt, reason: StopReason) -> None:
        """Marks a live attempt as told to stop. `stale` may follow another reason: it settles that no result is owed.

        A shutdown leaves the attempt as it is for the orchestrator, which did not ask for it: it will have failed.
        """
        if reason is StopReason.SHUTDOWN:
            attempt.stop_reason = attempt.stop_reason or reason
            return
        if attempt.state is not AttemptState.CANCELLING:
            attempt.apply(AttemptEvent.CANCEL)
        attempt.stop_reason = reason

    def withdraw(self, attempt: Attempt) -> None:
        """Forgets an attempt that never started."""
        self._reserved.pop(attempt.identity, None)

    def end(self, attempt: Attempt, result: Result) -> None:
        """The handler has ended with `result`: the slot is free, the result stays until `forget`."""
        attempt.apply(_ENDED_BY[result.status])
        attempt.result = result
        self._leave(attempt)
        self._ended[attempt.identity] = attempt

    def drop(self, attempt: Attempt) -> None:
        """The handler of a superseded attempt has ended: the slot is free, nobody wants the result."""
        attempt.apply(AttemptEvent.SETTLE)
        self._leave(attempt)

    def restore(self, attempt: Attempt) -> None:
        """Takes back an ended attempt that a former life of this worker had kept."""
        self._ended[attempt.identity] = attempt

    def forget(self, identity: Identity) -> Attempt | None:
        """The ended attempt that is wanted no longer, or None where none is held."""
        return self._ended.pop(identity, None)

    def overdue_for_http(self) -> list[Attempt]:
        """The oldest ended HTTP attempts beyond the number that is kept: nobody may ever acknowledge those."""
        ended = [attempt for attempt in self._ended.values() if attempt.origin is Origin.HTTP]
        return ended[: max(0, len(ended) - ENDED_KEPT_FOR_HTTP)]

    def find(self, identity: Identity) -> Attempt | None:
        return self._reserved.get(identity) or self._running.get(identity) or self._ended.get(identity)

    def is_at_work(self, stage: StageKey) -> bool:
        """Whether the handler of an attempt of this stage has not ended, be it that it was told to."""
        return stage in self._at_work

    def stages_held(self) -> set[StageKey]:
        """The stages of all attempts held."""
        return {attempt.stage for attempt in self.held()}

    def latest(self, matches: Callable[[AttemptKey], bool]) -> Attempt | None:
        """The newest attempt whose key matches: live ones come before ended ones."""
        for held in (self._reserved, self._running, self._ended):
            for attempt in reversed(held.values()):
                if matches(attempt.key):
                    return attempt
        return None

    def sweep(self, now: float) -> None:
        """Releases the slots of offers that expired unstarted."""
        if now < self._next_expiry:
            return
        for attempt in [held for held in self._reserved.values() if held.expires_at <= now]:
            attempt.apply(AttemptEvent.NOT_START)
            del self._reserved[attempt.identity]
        self._next_expiry = min((held.expires_at for held in self._reserved.values()), default=math.inf)

    def free(self, now: float) -> int:
        self.sweep(now)
        return self.slots - len(self._reserved) - len(self._running)

    def retry_after_ms(self, now: float) -> int | None:
        """When a slot is likely to be free: the shortest remaining estimate, or None where nothing was estimated."""
        remaining = [left for attempt in self.live() if (left := attempt.remaining_ms(now)) is not None]
        return max(_LEAST_RETRY_MS, min(remaining)) if remaining else None

    def live(self) -> Iterator[Attempt]:
        """Those that take a slot."""
        yield from self._reserved.values()
        yield from self._running.values()

    def held(self) -> Iterator[Attempt]:
        """All of them: reserved, running, ended and not yet acknowledged."""
        yield from self.live()
        yield from self._ended.values()

    def owed(self) -> tuple[AttemptKey, ...]:
        """What this worker can still deliver: attempts whose handler is alive, and results without an ack."""
        alive = [attempt.key for attempt in self._running.values() if attempt.is_reported]
        return (*alive, *(attempt.key for attempt in self._ended.values() if not attempt.is_local))

    def heartbeat(self, now: float, draining: bool) -> Heartbeat:
        """The worker's state in one packet. It lists what runs, and what has ended with a result that is on its way.

        The heartbeat's thread calls this while the event loop may be changing the tables or may be blocked. It changes
        nothing and waits for nothing: `dict.copy` is one step of the interpreter.
        """
        running = self._running.copy()
        reserved = self._reserved.copy()
        ended = self._ended.copy()
        taken = len(running) + sum(attempt.expires_at > now for attempt in reserved.values())
        return Heartbeat(
            load=taken / self.slots,
            free_slots=max(0, self.slots - taken),
            draining=draining,
            running=(
                *(attempt.key for attempt in running.values() if attempt.is_reported),
                *(attempt.key for attempt in ended.values() if attempt.origin is Origin.LINK),
            ),
        )

    def _leave(self, attempt: Attempt) -> None:
        # Its context refers to it: without this the two of them would wait for the cyclic collector.
        attempt.work = attempt.context = None
        self._running.pop(attempt.identity, None)
        if self._at_work.get(attempt.stage) is attempt:
            del self._at_work[attempt.stage]
        self._reserved.pop(attempt.identity, None)
