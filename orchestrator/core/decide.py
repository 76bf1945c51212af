"""What each event means: one `match`, one case a fact.

Legality of an attempt's events is the table in `protocol.attempt`; of the others, `ALLOWED` here. An event that is not
legal raises `IllegalEvent`, one whose fence is not the stage's raises `StaleFence`; neither changes anything.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from orchestrator.core.amounts import UNKNOWN
from orchestrator.core.draft import Draft
from orchestrator.core.events import (
    Accepted,
    AttemptEvent,
    AttemptFact,
    CancelRequested,
    Completed,
    Event,
    Failed,
    NotStarted,
    Offered,
    OfferExpired,
    Owned,
    PauseRequested,
    PayloadLost,
    Progressed,
    Rejected,
    ResumeRequested,
    Settled,
    SignalReceived,
    SignalTimedOut,
    TimedOut,
    Unofferable,
    WorkerLost,
)
from orchestrator.core.execution import (
    FINAL,
    Execution,
    ExecutionStatus,
    StartProcess,
    Step,
)
from orchestrator.core.stage import Stage, StageStatus
from protocol import attempt
from protocol.errors import FailureCode

KIND: Final[Mapping[type[AttemptEvent], attempt.AttemptEvent]] = {
    Offered: attempt.AttemptEvent.OFFER,
    Accepted: attempt.AttemptEvent.ACCEPT,
    Rejected: attempt.AttemptEvent.REJECT,
    OfferExpired: attempt.AttemptEvent.EXPIRE,
    NotStarted: attempt.AttemptEvent.NOT_START,
    Progressed: attempt.AttemptEvent.PROGRESS,
    Completed: attempt.AttemptEvent.COMPLETE,
    Failed: attempt.AttemptEvent.FAIL,
    TimedOut: attempt.AttemptEvent.TIME_OUT,
    WorkerLost: attempt.AttemptEvent.LOSE,
    Settled: attempt.AttemptEvent.SETTLE,
}

LEGAL: Final[Mapping[StageStatus, frozenset[type[AttemptFact]]]] = {
    status: frozenset(
        event for event, kind in KIND.items() if kind in attempt.TRANSITIONS.get(attempt.AttemptState(status.value), {})
    )
    if status.value in set(attempt.AttemptState)
    else frozenset()
    for status in StageStatus
}
"""The attempt's table, by the stage's states: pending, waiting and skipped have no attempt and allow none of them."""

_UNFINISHED: Final = frozenset(ExecutionStatus) - FINAL
_UNPAUSED: Final = _UNFINISHED - {ExecutionStatus.PAUSED}

ALLOWED: Final[Mapping[type[Event], frozenset[ExecutionStatus]]] = {
    Owned: _UNFINISHED,
    PayloadLost: _UNFINISHED,
    Unofferable: _UNFINISHED,
    SignalTimedOut: _UNFINISHED,
    SignalReceived: _UNFINISHED,
    CancelRequested: _UNFINISHED,
    PauseRequested: _UNPAUSED,
    ResumeRequested: frozenset({ExecutionStatus.PAUSED}),
}


class IllegalEvent(Exception):
    """The present state does not allow this event."""


class StaleFence(Exception):
    """The event speaks of an attempt that no longer rules."""


def decide(execution: Execution, event: Event, at: datetime) -> Step:
    """What `event`, which happened at `at`, changes. Reads only."""
    draft = Draft(execution, at)
    if isinstance(event, AttemptFact):
        stage = _checked(execution, event)
        _decide_attempt(draft, stage, event)
    else:
        if execution.status not in ALLOWED[type(event)]:
            raise IllegalEvent(f"the execution is {execution.status.value}")
        _decide_execution(draft, event)
    return draft.step()


def _checked(execution: Execution, event: AttemptFact) -> Stage:
    stage = execution.stages.get(event.stage)
    if stage is None:
        raise StaleFence(f"{execution.execution_id} has no stage {event.stage}")
    if stage.fence != event.fence and not isinstance(event, Offered):
        raise StaleFence(f"{execution.execution_id}.{stage.name} is not under fence {event.fence}")
    if type(event) not in LEGAL[stage.status]:
        raise IllegalEvent(f"{type(event).__name__} is not allowed while the stage is {stage.status.value}")
    return stage


def _decide_attempt(draft: Draft, stage: Stage, event: AttemptFact) -> None:
    match event:
        case Offered():
            if draft.paused:
                raise IllegalEvent("the execution is paused")
            draft.put(
                stage._replace(
                    status=StageStatus.OFFERED,
                    offer_round=stage.offer_round + 1,
                    fence=event.fence,
                    worker_id=event.worker_id,
                    estimate=UNKNOWN,
                )
            )
        case Accepted():
            draft.begin()
            draft.put(stage._replace(status=StageStatus.RUNNING, estimate=event.estimate, started_at=draft.at))
            draft.effects.append(StartProcess(stage.name))
        case Completed():
            draft.complete(stage, event)
        case Progressed():
            draft.put(
                stage._replace(
                    progress=max(stage.progress, event.percent),
                    message=event.message if event.message is not None else stage.message,
                    metrics=event.metrics if event.metrics is not None else stage.metrics,
                )
            )
        case Rejected() | OfferExpired() | NotStarted():
            draft.make_ready(stage)
        case Failed():
            draft.usage += event.usage
            draft.fail_attempt(
                stage._replace(metrics=event.metrics, settled_fence=event.fence), event.failure, event.jitter
            )
        case TimedOut():
            seconds = draft.execution.spec(stage.name).timeout.total_seconds()
            draft.give_up(stage, "timeout", FailureCode.TIMEOUT, f"took longer than {seconds:g} s", event.jitter)
        case WorkerLost():
            draft.lose(stage, event)
        case Settled():
            draft.finish(stage, StageStatus.CANCELLED)
        case _:
            raise AssertionError(event)


def _decide_execution(draft: Draft, event: Event) -> None:
    execution = draft.execution
    match event:
        case PayloadLost() if execution.ending is None:
            draft.fail(event.failure)
        case Owned() | PayloadLost():
            draft.void_offers()
            draft.take_up()
        case CancelRequested():
            draft.end(ExecutionStatus.CANCELLED)
        case PauseRequested():
            if execution.ending:
                raise IllegalEvent(f"the execution is being {execution.ending.value}")
            draft.paused = True
        case ResumeRequested():
            draft.paused = False
            draft.take_up()
        case SignalReceived():
            waiting = [
                stage
                for stage in execution.stages.values()
                if stage.status is StageStatus.WAITING and _awaits(execution, stage.name, event.signal)
            ]
            if not waiting:
                raise IllegalEvent(f"no stage waits for the signal {event.signal}")
            for stage in waiting:
                draft.finish(stage._replace(result=event.value, progress=100.0), StageStatus.COMPLETED)
                draft.unlock(stage.name)
        case SignalTimedOut():
            draft.signal_timed_out(_in_status(execution, event.stage, StageStatus.WAITING))
        case Unofferable():
            draft.fail_stage(_in_status(execution, event.stage, StageStatus.READY), event.failure)
        case _:
            raise AssertionError(event)


def _awaits(execution: Execution, stage: str, signal: str) -> bool:
    wait = execution.spec(stage).wait
    return wait is not None and wait.signal == signal


def _in_status(execution: Execution, name: str, status: StageStatus) -> Stage:
    stage = execution.stages[name]
    if stage.status is not status:
        raise IllegalEvent(f"the stage is {stage.status.value}")
    return stage
