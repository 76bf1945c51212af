"""The heart of a replica: owned executions, and the one way a fact changes them.

`apply` takes a fact through the core (`decide`, `evolve`), notes it in the journal, and carries out the effects. What
others rely on waits for the flush: a result's ack, the stages that a result sets free, the answer to a command.
What may be overtaken does not: an offer may leave before it is durable, because no successor reissues its fence.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, Final, Protocol

import structlog

from orchestrator.core.decide import IllegalEvent, StaleFence, decide
from orchestrator.core.document import execution_document, stage_document
from orchestrator.core.events import (
    CancelRequested,
    Completed,
    Event,
    Failed,
    Owned,
    PauseRequested,
    PayloadLost,
    ResumeRequested,
    SignalReceived,
    SignalTimedOut,
)
from orchestrator.core.execution import (
    FINAL,
    AwaitSignal,
    Effect,
    Enqueue,
    Execution,
    StartProcess,
    Step,
    StopAttempt,
    evolve,
)
from orchestrator.core.order import OrderKey, order_key
from orchestrator.core.seams import Clock
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.dispatch.owned import Owned as OwnedExecutions
from orchestrator.dispatch.ready import ReadyQueue
from orchestrator.dispatch.watch import Hub, Notice
from orchestrator.store.journal import Journal
from orchestrator.store.record import Conversation, Record
from protocol.packets import Failure

AWAITED: Final = frozenset({Completed, Failed, SignalReceived, CancelRequested, PauseRequested, ResumeRequested})
"""Facts that somebody waits for: they are flushed at once, and their effects follow the flush."""

log = structlog.get_logger()


class Outlet(Protocol):
    """Where effects go that leave the engine: to workers, and to the pump that makes offers."""

    def wake(self) -> None:
        """A stage became ready."""

    def start_process(self, record: Record, stage: str) -> None: ...

    def stop_attempt(self, record: Record, effect: StopAttempt) -> None: ...

    def finished(self, execution_id: str) -> None:
        """The execution's end is durable; nothing need be remembered of it."""


class Engine:
    """The executions that this replica owns. Synchronous: it runs on the event loop and never awaits."""

    def __init__(self, journal: Journal, clock: Clock, hub: Hub, outlet: Outlet) -> None:
        self.journal = journal
        self.clock = clock
        self.hub = hub
        self.outlet = outlet
        self.owned = OwnedExecutions()
        self.ready = ReadyQueue()
        self._delayed: list[tuple[float, str, str]] = []
        self._signals: list[tuple[float, str, str]] = []

    def begin(self) -> None:
        """A new life: nothing is owned yet, and nothing that was put off counts any more."""
        self.owned.clear()
        self._delayed.clear()
        self._signals.clear()
        for _, ready in self.ready.items():
            ready.entries.clear()

    def take_up(self, record: Record, lost: Failure | None = None) -> None:
        """Drive this execution from now on: it is durable, and this replica's. With a payload `lost` it has to end."""
        self.owned.add(record)
        # Who watches here was last told by a look at the database; what its owner did after that nobody else tells.
        self.hub.stands_at(record.execution.execution_id, record.sequence)
        self.apply(record, Owned() if lost is None else PayloadLost(lost))

    def drop(self, execution_id: str) -> None:
        """Another replica owns it now; whatever memory says of it is void."""
        self.owned.remove(execution_id)

    def apply(
        self,
        record: Record,
        event: Event,
        conversations: Sequence[Conversation] = (),
        durable: Callable[[], None] | None = None,
    ) -> Step:
        """Make the event so. Raises `IllegalEvent` or `StaleFence`, and then nothing has changed."""
        execution = record.execution
        step = decide(execution, event, self.clock.now())
        evolve(execution, step)
        # One number for each notice that the step may become, so that every event of a stream has an id of its own.
        first = record.sequence + 1
        record.sequence += len(step.stages) + 1
        awaited = type(event) in AWAITED or execution.is_final
        then = self._then(record, step, first, awaited, durable)
        # That a fresh stage has become ready follows from what it needs: a successor derives it, nobody writes it.
        changed = [stage.name for stage in step.stages if not stage.is_fresh]
        if changed or conversations or then is not None:
            self.journal.note(record, changed, conversations, then, urgent=awaited or durable is not None)
        if not awaited:
            self._carry_out(record, step.effects)
        return step

    def apply_if_valid(self, record: Record, event: Event, conversations: Sequence[Conversation] = ()) -> bool:
        """Apply an event that a race may have made void; says whether it held."""
        try:
            self.apply(record, event, conversations)
        except (IllegalEvent, StaleFence) as refusal:
            execution_id = record.execution.execution_id
            log.debug("event.void", execution_id=execution_id, event_type=type(event).__name__, why=str(refusal))
            return False
        return True

    def note_packets(self, record: Record, conversation: Conversation) -> None:
        """Packets were exchanged that change no state."""
        self.journal.note(record, (), (conversation,), None, urgent=False)

    def is_offerable(self, record: Record, stage: str) -> bool:
        execution = record.execution
        return execution.stages[stage].status is StageStatus.READY and not execution.paused

    def key(self, execution: Execution) -> OrderKey:
        return order_key(execution.priority, execution.started_at is not None, execution.execution_id)

    def enqueue(self, record: Record, stage: str, delay: float = 0.0) -> None:
        """The stage may be offered, after `delay` seconds."""
        if delay > 0:
            heappush(self._delayed, (self.clock.monotonic() + delay, record.execution.execution_id, stage))
            return
        action = record.execution.spec(stage).action
        if action is not None:
            self.ready[action].add((self.key(record.execution), stage))
            self.outlet.wake()

    def release_due(self) -> None:
        """Offer what was put off until now; end waits whose signal did not come."""
        now = self.clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            _, execution_id, stage = heappop(self._delayed)
            record = self.owned.get(execution_id)
            if record is not None and self.is_offerable(record, stage):
                self.enqueue(record, stage)
        while self._signals and self._signals[0][0] <= now:
            _, execution_id, stage = heappop(self._signals)
            record = self.owned.get(execution_id)
            if record is not None and record.execution.stages[stage].status is StageStatus.WAITING:
                self.apply(record, SignalTimedOut(stage))

    def publish(self, record: Record, kind: str, data: dict[str, Any]) -> None:
        """Tell watchers of something that is not kept: a log line."""
        execution_id = record.execution.execution_id
        if self.hub.is_watched(execution_id):
            notice = Notice(record.next_sequence(), kind, {"executionId": execution_id, **data})
            self.hub.publish(execution_id, notice)

    def _then(
        self, record: Record, step: Step, first: int, awaited: bool, durable: Callable[[], None] | None
    ) -> Callable[[], None] | None:
        """What follows the flush of a step, or None if nothing does."""
        execution_id = record.execution.execution_id
        if not (awaited or durable or self.hub.is_watched(execution_id)):
            return None

        def then() -> None:
            if step.status in FINAL:
                self.owned.remove(execution_id)
                self.outlet.finished(execution_id)
            if durable is not None:
                durable()
            if awaited:
                self._carry_out(record, step.effects)
            # Asked now and not when the step was made: who began to watch in between has read the state before it.
            if self.hub.is_watched(execution_id):
                for notice in _notices(record.execution, step, first):
                    self.hub.publish(execution_id, notice)

        return then

    def _carry_out(self, record: Record, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Enqueue(stage, delay):
                    if self.is_offerable(record, stage):
                        self.enqueue(record, stage, delay.total_seconds())
                case StartProcess(stage):
                    self.outlet.start_process(record, stage)
                case StopAttempt():
                    self.outlet.stop_attempt(record, effect)
                case AwaitSignal(stage, timeout):
                    if timeout is not None:
                        due = self.clock.monotonic() + timeout.total_seconds()
                        heappush(self._signals, (due, record.execution.execution_id, stage))


def _as_told(execution: Execution, stage: Stage) -> Stage:
    """The stage of a step that became durable, no less far than what was told of the same attempt meanwhile.

    Progress leaves before its flush, and so before the notice of the step that came before it.
    """
    now = execution.stages[stage.name]
    return stage._replace(progress=now.progress) if now.fence == stage.fence else stage


def _notices(execution: Execution, step: Step, first: int) -> list[Notice]:
    """What watchers are told of a step once it is durable."""
    about = {"executionId": execution.execution_id, "status": step.status.value, "progress": step.progress}
    notices = [
        Notice(number, "stage", {**about, "stage": stage_document(execution, _as_told(execution, stage))})
        for number, stage in enumerate(step.stages, first)
    ]
    last = first + len(step.stages)
    if step.status in FINAL:
        notices.append(Notice(last, "end", execution_document(execution)))
    elif not step.stages:
        notices.append(Notice(last, "execution", about))
    return notices
