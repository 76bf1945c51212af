"""What holds in every history of an execution, whatever happens in whatever order.

The machine drives one execution through the core as a replica would, with workers that answer, refuse, vanish, lie and
report again; hypothesis looks for a history that breaks a rule.
"""

from collections import Counter

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.core.amounts import Amounts
from orchestrator.core.decide import IllegalEvent, StaleFence, decide
from orchestrator.core.events import (
    Accepted,
    CancelRequested,
    Completed,
    Event,
    Failed,
    NotStarted,
    Offered,
    OfferExpired,
    Owned,
    PauseRequested,
    Progressed,
    Rejected,
    ResumeRequested,
    Settled,
    TimedOut,
    WorkerLost,
)
from orchestrator.core.execution import Enqueue, Execution, ExecutionStatus, StartProcess, evolve, prepare
from orchestrator.core.stage import Stage, StageStatus
from protocol.packets import Failure
from tests.factories import NOON, a_template, an_execution

RETRIES = 3
SHAPES = (
    ("a",),
    ("a", "b: a", "c: b"),
    ("a", "b: a", "c: a", "d: b c"),
    ("a", "b", "c", "d: a b c"),
    ("a", "b", "c: a", "d: a b", "e: c d"),
)


class Histories(RuleBasedStateMachine):
    """One execution, its ready stages, and every fence that was ever issued."""

    @initialize(shape=st.sampled_from(SHAPES))
    def begin(self, shape: tuple[str, ...]) -> None:
        self.execution = an_execution(a_template(*shape, retries=RETRIES))
        self.ready: set[str] = set()
        self.fences: list[tuple[str, int]] = []
        self.commits: Counter[str] = Counter()
        self.charged: Counter[str] = Counter()
        self.progress = 0
        self.final: ExecutionStatus | None = None
        self.final_stages: dict[str, Stage] = {}
        self.happen(Owned())

    def happen(self, event: Event) -> bool:
        before = self.snapshot()
        try:
            step = decide(self.execution, event, NOON)
        except (IllegalEvent, StaleFence):
            assert self.snapshot() == before, "a refused event changed the state"
            return False
        assert self.snapshot() == before, "decide changed the state"
        evolve(self.execution, step)
        for effect in step.effects:
            match effect:
                case Enqueue(stage):
                    self.ready.add(stage)
                case StartProcess(stage):
                    self.charged[stage] += 1
        return True

    def snapshot(self) -> object:
        execution = self.execution
        return (execution.status, execution.progress, dict(execution.stages), dict(execution.unmet), execution.result)

    def offerable(self) -> list[str]:
        stages = self.execution.stages
        return sorted(name for name in self.ready if stages[name].status is StageStatus.READY)

    @precondition(lambda self: self.offerable() and not self.execution.paused)
    @rule(data=st.data())
    def offer(self, data: st.DataObject) -> None:
        stage = data.draw(st.sampled_from(self.offerable()))
        fence = len(self.fences) + 1
        self.fences.append((stage, fence))
        self.ready.discard(stage)
        assert self.happen(Offered(stage, fence, "w"))

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def a_worker_says_something(self, data: st.DataObject) -> None:
        stage, fence = data.draw(st.sampled_from(self.fences))
        jitter = 0.5
        events: list[Event] = [
            Accepted(stage, fence, Amounts(ms=5)),
            Rejected(stage, fence),
            Progressed(stage, fence, 40.0),
            Failed(stage, fence, Failure(message="again", retryable=True), jitter),
            Failed(stage, fence, Failure(message="never"), jitter),
            Failed(stage, fence, Failure(code="worker_stopped", message="later", retryable=True), jitter),
            NotStarted(stage, fence),
            Settled(stage, fence),
        ]
        self.happen(data.draw(st.sampled_from(events)))

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def a_worker_reports_a_result(self, data: st.DataObject) -> None:
        stage, fence = data.draw(st.sampled_from(self.fences))
        if self.happen(Completed(stage, fence, {"fence": fence})):
            self.commits[stage] += 1

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def time_runs_out(self, data: st.DataObject) -> None:
        stage, fence = data.draw(st.sampled_from(self.fences))
        events: list[Event] = [
            OfferExpired(stage, fence),
            TimedOut(stage, fence, 0.5),
            WorkerLost(stage, fence, "gone", 0.5),
        ]
        self.happen(data.draw(st.sampled_from(events)))

    @rule(event=st.sampled_from([PauseRequested(), ResumeRequested(), CancelRequested()]), often=st.integers(0, 5))
    def a_client_asks(self, event: Event, often: int) -> None:
        if often == 0 or isinstance(event, ResumeRequested):
            self.happen(event)

    @rule()
    def the_owner_dies(self) -> None:
        """A successor has the durable state and nothing else."""
        old = self.execution
        if old.is_final:
            return
        successor = an_execution(old.template)
        for name in ("status", "ending", "paused", "progress", "error", "usage", "started_at"):
            setattr(successor, name, getattr(old, name))
        prepare(successor, old.stages)
        assert (successor.scope, successor.tally) == (old.scope, old.tally)
        if old.ending is None:
            assert successor.unmet == old.unmet
        self.execution = successor
        self.ready.clear()
        self.happen(Owned())

    @invariant()
    def a_final_state_is_never_left(self) -> None:
        execution = self.execution
        if self.final is not None:
            assert execution.status is self.final
        if execution.is_final:
            self.final = execution.status
        for name, stage in self.final_stages.items():
            assert execution.stages[name] == stage
        self.final_stages = {name: stage for name, stage in execution.stages.items() if stage.is_final}

    @invariant()
    def no_stage_commits_twice(self) -> None:
        assert all(count == 1 for count in self.commits.values())

    @invariant()
    def attempts_stay_within_the_retry_limit(self) -> None:
        for stage in self.execution.stages.values():
            assert stage.attempt <= RETRIES

    @invariant()
    def a_stage_begins_only_after_all_its_needs(self) -> None:
        execution = self.execution
        for spec in execution.template.stages:
            if self.charged[spec.name]:
                assert all(self.commits[need] for need in spec.needs)

    @invariant()
    def progress_never_falls(self) -> None:
        assert self.progress <= self.execution.progress <= 100
        self.progress = self.execution.progress

    @invariant()
    def nothing_starves(self) -> None:
        """Unless it is final or paused, something is ready, waiting or at a worker: the history can go on."""
        execution = self.execution
        if execution.is_final or execution.paused:
            return
        assert self.offerable() or any(stage.is_live for stage in execution.stages.values()), execution.stages

    def teardown(self) -> None:
        """From wherever the history stopped, honest workers bring the execution to an end."""
        if not hasattr(self, "execution"):
            return
        self.happen(ResumeRequested())
        for _ in range(10 * len(self.execution.stages)):
            if self.execution.is_final:
                break
            finish_one(self)
        assert self.execution.is_final


def finish_one(history: Histories) -> None:
    execution: Execution = history.execution
    for stage in list(execution.stages.values()):
        if stage.status is StageStatus.READY:
            fence = len(history.fences) + 1
            history.fences.append((stage.name, fence))
            history.happen(Offered(stage.name, fence, "w"))
            history.happen(Accepted(stage.name, fence))
            history.happen(Completed(stage.name, fence, {}))
        elif stage.is_live and stage.fence is not None:
            history.happen(Accepted(stage.name, stage.fence))
            history.happen(Completed(stage.name, stage.fence, {}))
            history.happen(Settled(stage.name, stage.fence))


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
