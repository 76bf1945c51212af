"""A step in the making: what an event has changed so far, over the execution as it is.

The execution is only read. `step` closes the draft: it counts, and says what the status and progress have become.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.amounts import UNKNOWN
from orchestrator.core.events import Completed, WorkerLost
from orchestrator.core.execution import (
    FINAL,
    AwaitSignal,
    Effect,
    Enqueue,
    Execution,
    ExecutionStatus,
    Step,
    StopAttempt,
    Tally,
)
from orchestrator.core.reference import UnresolvedReference
from orchestrator.core.stage import Loss, Stage, StageStatus, Usage
from protocol.errors import FailureCode
from protocol.packets import Failure

MOST_YIELDS: Final = 20
"""So often is a stage tried again uncharged; a worker that takes it and always stops must not have it for ever."""

MOST_DEAD_WORKERS: Final = 3
"""With so many workers dead, the stage is what kills them, and no further one is risked."""


class Draft:
    """A step in the making: the stages changed so far, over the execution as it is."""

    def __init__(self, execution: Execution, at: datetime) -> None:
        self.execution = execution
        self.at = at
        self.effects: list[Effect] = []
        self.usage: Usage = execution.usage
        self.paused = execution.paused
        self.ending = execution.ending
        self._error = execution.error
        self._started_at = execution.started_at
        self._changed: dict[str, Stage] = {}
        self._met: list[str] = []

    def put(self, stage: Stage) -> None:
        self._changed[stage.name] = stage

    def begin(self) -> None:
        self._started_at = self._started_at or self.at

    def make_ready(self, stage: Stage, delay: timedelta = timedelta(0)) -> None:
        """Back to be offered: the fence is dead from here on."""
        self.put(
            stage._replace(status=StageStatus.READY, fence=None, worker_id=None, started_at=None, estimate=UNKNOWN)
        )
        self._enqueue(stage.name, delay)

    def finish(self, stage: Stage, status: StageStatus) -> None:
        self.put(stage._replace(status=status, finished_at=self.at))

    def complete(self, stage: Stage, event: Completed) -> None:
        self.usage += event.usage
        self.put(
            stage._replace(
                status=StageStatus.COMPLETED,
                progress=100.0,
                result=event.result,
                metrics=event.metrics,
                error=None,
                settled_fence=event.fence,
                finished_at=self.at,
            )
        )
        self.unlock(stage.name)

    def fail_attempt(self, stage: Stage, failure: Failure, jitter: float) -> None:
        """Try again if the failure allows it and tries are left, else the stage has failed.

        That a worker stopped is no fault of the stage: it goes on at once, and the try is not charged.
        """
        retry = self.execution.spec(stage.name).retry
        if _is_yield(failure) and stage.yields < MOST_YIELDS and self.ending is None:
            self.make_ready(stage._replace(yields=stage.yields + 1, progress=0.0, error=failure))
        elif failure.retryable and stage.attempt < retry.max_attempts and self.ending is None:
            again = stage._replace(attempt=stage.attempt + 1, offer_round=0, progress=0.0, error=failure)
            self.make_ready(again, retry.delay(stage.attempt, jitter))
        else:
            self.fail_stage(stage, failure)

    def lose(self, stage: Stage, event: WorkerLost) -> None:
        """Only work that had begun is charged. A stage that too many workers died with is not tried again."""
        if stage.status is not StageStatus.RUNNING:
            self.make_ready(stage)
            return
        self.stop(stage, "stale")
        lost = stage._replace(losses=(*stage.losses, Loss(stage.worker_id or "", event.reason, event.instance_id)))
        deaths = [loss for loss in lost.losses if loss.instance_id and loss.life not in event.alive]
        if self._is_poison(stage.name, deaths):
            self.fail_stage(lost, Failure(code=FailureCode.POISON, message=_history(deaths)))
        else:
            failure = Failure(code=FailureCode.WORKER_LOST, message=event.reason, retryable=True)
            self.fail_attempt(lost, failure, event.jitter)

    def _is_poison(self, stage: str, deaths: Sequence[Loss]) -> bool:
        most = min(self.execution.spec(stage).retry.max_attempts, MOST_DEAD_WORKERS)
        return most > 1 and len({loss.worker_id for loss in deaths}) >= most

    def give_up(self, stage: Stage, reason: str, code: FailureCode, message: str, jitter: float) -> None:
        """Stop waiting for a running attempt. Another try may well succeed."""
        self.stop(stage, reason)
        self.fail_attempt(stage, Failure(code=code, message=message, retryable=True), jitter)

    def fail_stage(self, stage: Stage, failure: Failure) -> None:
        self.finish(stage._replace(error=failure), StageStatus.FAILED)
        self.fail(failure.model_copy(update={"message": f"stage {stage.name}: {failure.message}"}))

    def fail(self, failure: Failure) -> None:
        """The execution fails, unless it is ending already; the first failure is the one that is told."""
        if self._error is None:
            self._error = failure
        if self.ending is None:
            self.end(ExecutionStatus.FAILED)

    def end(self, ending: ExecutionStatus) -> None:
        """Nothing new begins; what lives at workers is stopped, and the status follows when it has ended."""
        self.ending = ending
        self.paused = False
        untouched = StageStatus.CANCELLED if ending is ExecutionStatus.CANCELLED else StageStatus.SKIPPED
        for name, before in self.execution.stages.items():
            stage = self._changed.get(name, before)
            if stage.is_final or stage.status is StageStatus.CANCELLING:
                continue
            if stage.is_live:
                self.stop(stage, "cancelled")
                self.put(stage._replace(status=StageStatus.CANCELLING))
            else:
                self.finish(stage, untouched)

    def stop(self, stage: Stage, reason: str) -> None:
        if stage.fence is not None and stage.worker_id is not None:
            self.effects.append(StopAttempt(stage.name, stage.fence, stage.worker_id, reason))

    def signal_timed_out(self, stage: Stage) -> None:
        wait = self.execution.spec(stage.name).wait
        if wait is not None and wait.on_timeout == "skip":
            self.finish(stage, StageStatus.SKIPPED)
            self.unlock(stage.name)
        else:
            message = f"the signal {wait.signal if wait else ''} did not come in time"
            self.fail_stage(stage, Failure(code=FailureCode.SIGNAL_TIMEOUT, message=message))

    def void_offers(self) -> None:
        """A new owner: whatever a worker says to an offer, it has said to the former one. It is offered anew."""
        for stage in self.execution.stages.values():
            if stage.status is StageStatus.OFFERED:
                self.make_ready(stage)

    def take_up(self) -> None:
        """A new owner, or the end of a pause: whatever can go on is set going."""
        for stage in self.execution.stages.values():
            if stage.status is StageStatus.PENDING and self.execution.unmet[stage.name] == 0:
                self._activate(stage.name)
            elif stage.status is StageStatus.READY:
                self._enqueue(stage.name)
            elif stage.status is StageStatus.WAITING:
                self._await_signal(stage.name)
            elif stage.status is StageStatus.CANCELLING:
                self.stop(stage, "cancelled")

    def unlock(self, name: str) -> None:
        """`name` is done: the stages whose last need it was can begin."""
        if self.ending is not None:
            return
        earlier = Counter(self._met) if self._met else {}
        for dependent in self.execution.template.dependents[name]:
            self._met.append(dependent)
            if self.execution.unmet[dependent] == earlier.get(dependent, 0) + 1:
                self._activate(dependent)

    def _activate(self, name: str) -> None:
        stage = self._changed.get(name) or self.execution.stages[name]
        if self.execution.spec(name).wait is not None:
            self.begin()
            self.put(stage._replace(status=StageStatus.WAITING, started_at=self.at))
            self._await_signal(name)
        else:
            self.put(stage._replace(status=StageStatus.READY))
            self._enqueue(name)

    def _await_signal(self, name: str) -> None:
        wait = self.execution.spec(name).wait
        self.effects.append(AwaitSignal(name, wait.timeout if wait else None))

    def _enqueue(self, name: str, delay: timedelta = timedelta(0)) -> None:
        if not self.paused:
            self.effects.append(Enqueue(name, delay))

    def step(self) -> Step:
        execution = self.execution
        tally = execution.tally
        for name, stage in self._changed.items():
            tally = tally.after(execution.stages[name], stage)
        result = execution.result
        if tally.open == 0 and self.ending is None:
            try:
                result = execution.template.result({**execution.scope, "stages": self._outputs()})
            except UnresolvedReference as error:
                self.ending = ExecutionStatus.FAILED
                self._error = Failure(code=FailureCode.UNRESOLVED_REFERENCE, message=f"output: {error}")
        status = self._status(tally)
        return Step(
            stages=tuple(self._changed.values()),
            met=tuple(self._met),
            tally=tally,
            status=status,
            ending=self.ending,
            paused=self.paused,
            progress=self._progress(status, tally),
            error=self._error if status is not ExecutionStatus.COMPLETED else None,
            result=result,
            usage=self.usage,
            started_at=self._started_at,
            finished_at=self.at if status in FINAL else None,
            effects=tuple(self.effects),
        )

    def _outputs(self) -> dict[str, object]:
        outputs: dict[str, object] = dict(self.execution.scope["stages"])
        for name, stage in self._changed.items():
            if stage.status in (StageStatus.COMPLETED, StageStatus.SKIPPED):
                outputs[name] = {"output": stage.result}
        return outputs

    def _status(self, tally: Tally) -> ExecutionStatus:
        if tally.open == 0:
            return self.ending or ExecutionStatus.COMPLETED
        if self.paused:
            return ExecutionStatus.PAUSED
        if self._started_at is None:
            return ExecutionStatus.QUEUED
        if tally.waiting and not tally.active:
            return ExecutionStatus.WAITING
        return ExecutionStatus.RUNNING

    def _progress(self, status: ExecutionStatus, tally: Tally) -> int:
        execution = self.execution
        if status is ExecutionStatus.COMPLETED:
            return 100
        if self.ending is not None or tally is execution.tally:
            return execution.progress
        return max(execution.progress, min(int(tally.percent / len(execution.stages)), 99))


def _history(deaths: Sequence[Loss]) -> str:
    told = "; ".join(f"{loss.worker_id} ({loss.reason})" for loss in deaths)
    return f"the workers that took it died with it: {told}"


def _is_yield(failure: Failure) -> bool:
    return failure.retryable and failure.code == FailureCode.WORKER_STOPPED
