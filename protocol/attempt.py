"""The attempt's state machine as a literal table.

Rule: whatever decides which message is legal when stands in `TRANSITIONS`; what is not in it is refused and changes
nothing. Orchestrator, worker kit, simulation and the diagram in README.md all read this one table.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class AttemptState(StrEnum):
    READY = "ready"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


class AttemptEvent(StrEnum):
    OFFER = "offer"
    ACCEPT = "accept"
    REJECT = "reject"
    EXPIRE = "expire"
    START = "start"
    NOT_START = "not_start"
    PROGRESS = "progress"
    COMPLETE = "complete"
    FAIL = "fail"
    TIME_OUT = "time_out"
    LOSE = "lose"
    CANCEL = "cancel"
    SETTLE = "settle"


S, E = AttemptState, AttemptEvent

TRANSITIONS: Final[Mapping[AttemptState, Mapping[AttemptEvent, AttemptState]]] = {
    S.READY: {E.OFFER: S.OFFERED, E.CANCEL: S.CANCELLED},
    S.OFFERED: {
        E.ACCEPT: S.ACCEPTED,
        E.REJECT: S.READY,
        E.EXPIRE: S.READY,
        E.LOSE: S.READY,
        E.CANCEL: S.CANCELLING,
    },
    S.ACCEPTED: {
        E.START: S.RUNNING,
        E.NOT_START: S.READY,
        E.LOSE: S.READY,
        E.CANCEL: S.CANCELLING,
    },
    S.RUNNING: {
        E.PROGRESS: S.RUNNING,
        E.COMPLETE: S.COMPLETED,
        E.FAIL: S.FAILED,
        E.TIME_OUT: S.TIMED_OUT,
        E.LOSE: S.FAILED,
        E.NOT_START: S.READY,
        E.CANCEL: S.CANCELLING,
    },
    S.CANCELLING: {E.SETTLE: S.CANCELLED},
    S.COMPLETED: {},
    S.FAILED: {},
    S.TIMED_OUT: {},
    S.CANCELLED: {},
}

FINAL: Final = frozenset(state for state, row in TRANSITIONS.items() if not row)


class IllegalTransition(Exception):
    """An event that the attempt's present state does not allow; nothing was changed."""

    def __init__(self, state: AttemptState, event: AttemptEvent) -> None:
        super().__init__(f"{event.value} is not allowed while the attempt is {state.value}")
        self.state = state
        self.event = event


def advance(state: AttemptState, event: AttemptEvent) -> AttemptState:
    """The state after `event`; raises `IllegalTransition` for what the table does not hold."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def diagram() -> str:
    """The table as the Mermaid state diagram that README.md shows."""
    lines = ["stateDiagram-v2", "    [*] --> ready"]
    for state, row in TRANSITIONS.items():
        lines += [f"    {state.value} --> {target.value}: {event.value}" for event, target in row.items()]
    lines += [f"    {state.value} --> [*]" for state in TRANSITIONS if state in FINAL]
    return "\n".join(lines)
