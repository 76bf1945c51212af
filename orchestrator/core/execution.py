"""The execution's state machine: `decide(execution, event, at)` says what an event changes, `evolve` makes it so.

`decide` reads and never writes; what it refuses changes nothing. `Step` holds only what changed, so both cost as much
as the event touches, not as much as the execution is wide. The journal writes exactly what `evolve` applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from orchestrator.core.stage import ACTIVE, Stage, StageStatus, Usage
from orchestrator.core.template import StageSpec, Template
from protocol.packets import Failure


class ExecutionStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Offer this stage, after the delay."""

    stage: str
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class StartProcess:
    """Tell the worker that accepted to begin."""

    stage: str


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """Tell the worker to stop; nothing it reports under this fence is taken any more."""

    stage: str
    fence: int
    worker_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class AwaitSignal:
    """The stage waits; without a signal by the timeout (None: for ever) it times out."""

    stage: str
    timeout: timedelta | None


Effect = Enqueue | StartProcess | StopAttempt | AwaitSignal


class Tally(NamedTuple):
    """How many stages are in the conditions that the execution's status and progress hang on."""

    open: int = 0
    active: int = 0
    waiting: int = 0
    percent: float = 0.0

    def after(self, before: Stage, stage: Stage) -> "Tally":
        """The counts when `stage` has taken the place of `before`."""
        if before.status in ACTIVE and stage.status in ACTIVE and before.progress == stage.progress:
            return self
        return self.exchanged(_counted(before), _counted(stage))

    def exchanged(self, gone: "Tally", come: "Tally") -> "Tally":
        """The counts with something less and something more."""
        return Tally(
            self.open - gone.open + come.open,
            self.active - gone.active + come.active,
            self.waiting - gone.waiting + come.waiting,
            self.percent - gone.percent + come.percent,
        )


NOTHING_COUNTED: Final = Tally()
ONE_FINAL: Final = Tally(percent=100.0)


def _counted(stage: Stage) -> Tally:
    if stage.is_final:
        return ONE_FINAL
    return Tally(1, stage.status in ACTIVE, stage.status is StageStatus.WAITING, stage.progress)


class Step(NamedTuple):
    """What one event changes: the stages' new values, the execution's new fields, and what the shell has to do.

    A named tuple, as a stage is: ten of these are made for an execution of three stages.
    """

    stages: tuple[Stage, ...]
    met: tuple[str, ...]
    tally: Tally
    status: ExecutionStatus
    ending: ExecutionStatus | None
    paused: bool
    progress: int
    error: Failure | None
    result: Any
    usage: Usage
    started_at: datetime | None
    finished_at: datetime | None
    effects: tuple[Effect, ...]


@dataclass(slots=True)
class Execution:
    """One execution as its owner holds it in memory. Only `evolve` changes it."""

    execution_id: str
    client_id: str
    template: Template
    template_client_id: str
    input: Any
    priority: int
    created_at: datetime
    status: ExecutionStatus = ExecutionStatus.QUEUED
    ending: ExecutionStatus | None = None
    paused: bool = False
    progress: int = 0
    error: Failure | None = None
    result: Any = None
    usage: Usage = field(default_factory=Usage)
    request_id: str | None = None
    retry_of: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stages: dict[str, Stage] = field(default_factory=dict)
    unmet: dict[str, int] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)
    tally: Tally = NOTHING_COUNTED

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    def spec(self, stage: str) -> StageSpec:
        return self.template.by_name[stage]


def prepare(execution: Execution, stages: Mapping[str, Stage]) -> None:
    """Fill in what is derived: all stages (those without a value are pending), unmet needs, outputs, the tally."""
    specs = execution.template.stages
    execution.stages = {spec.name: stages.get(spec.name) or Stage(spec.name) for spec in specs}
    execution.unmet = {
        spec.name: sum(1 for need in spec.needs if not _satisfied(execution.stages[need])) for spec in specs
    }
    outputs = {stage.name: {"output": stage.result} for stage in execution.stages.values() if _satisfied(stage)}
    execution.scope = {"input": execution.input, "stages": outputs}
    execution.tally = NOTHING_COUNTED
    for stage in execution.stages.values():
        execution.tally = execution.tally.exchanged(NOTHING_COUNTED, _counted(stage))


def evolve(execution: Execution, step: Step) -> None:
    """Apply a step that was decided on this very state."""
    for stage in step.stages:
        execution.stages[stage.name] = stage
        if _satisfied(stage):
            execution.scope["stages"][stage.name] = {"output": stage.result}
    for name in step.met:
        execution.unmet[name] -= 1
    execution.tally = step.tally
    execution.status = step.status
    execution.ending = step.ending
    execution.paused = step.paused
    execution.progress = step.progress
    execution.error = step.error
    execution.result = step.result
    execution.usage = step.usage
    execution.started_at = step.started_at
    execution.finished_at = step.finished_at


def _satisfied(stage: Stage) -> bool:
    return stage.status in (StageStatus.COMPLETED, StageStatus.SKIPPED)
