"""Each event's meaning, one sentence a test."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest

from orchestrator.core.amounts import Amounts
from orchestrator.core.decide import ALLOWED, KIND, LEGAL, IllegalEvent, StaleFence, decide
from orchestrator.core.events import (
    Accepted,
    AttemptEvent,
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
from orchestrator.core.execution import AwaitSignal, Enqueue, ExecutionStatus, StartProcess, StopAttempt
from orchestrator.core.stage import Stage, StageStatus, Usage
from orchestrator.core.template import parse_template
from protocol.packets import Failure
from tests.factories import NOON, a_running, a_template, an_execution, happen

FLAKY = Failure(code="flaky", message="try again", retryable=True)
BROKEN = Failure(code="broken", message="never works")
APPROVAL = "template: asks\nstages:\n  ok: {wait: {signal: approval, timeout: 1h}}\n  go: {needs: [ok], action: work}\n"


def test_taking_up_a_fresh_execution_sets_its_first_stages_going() -> None:
    execution = an_execution(a_template("a", "b", "c: a b"))

    [step] = happen(execution, Owned())

    assert step.effects == (Enqueue("a"), Enqueue("b"))
    assert step.stages == (Stage("a", StageStatus.READY), Stage("b", StageStatus.READY))
    assert execution.status is ExecutionStatus.QUEUED


def test_what_a_former_owner_had_offered_is_offered_anew_and_what_it_had_begun_goes_on() -> None:
    execution = an_execution(a_template("a", "b"))
    happen(execution, Owned(), Offered("a", 7, "w"), Accepted("a", 7), Offered("b", 8, "w"))

    [step] = happen(execution, Owned())

    assert step.effects == (Enqueue("b"),)
    assert step.stages == (Stage("b", StageStatus.READY, offer_round=1),)
    assert (execution.stages["a"].status, execution.stages["a"].fence) == (StageStatus.RUNNING, 7)


def test_an_accepted_offer_begins_the_execution_and_is_to_be_processed() -> None:
    execution = an_execution()

    *_, step = happen(execution, Owned(), Offered("a", 7, "w"), Accepted("a", 7, Amounts(250, 1500, Decimal("0.003"))))

    assert step.effects == (StartProcess("a"),)
    assert step.stages == (
        Stage(
            "a",
            StageStatus.RUNNING,
            offer_round=1,
            fence=7,
            worker_id="w",
            estimate=Amounts(250, 1500, Decimal("0.003")),
            started_at=NOON,
        ),
    )
    assert (step.status, step.started_at) == (ExecutionStatus.RUNNING, NOON)


@pytest.mark.parametrize("refused", [Rejected("a", 7), OfferExpired("a", 7), WorkerLost("a", 7, "gone", 0.5)])
def test_an_offer_that_came_to_nothing_is_made_again_and_not_charged(refused: Event) -> None:
    execution = an_execution()

    *_, step = happen(execution, Owned(), Offered("a", 7, "w"), refused)

    assert step.stages == (Stage("a", StageStatus.READY, attempt=1, offer_round=1),)
    assert step.effects == (Enqueue("a"),)


def test_an_attempt_that_never_began_is_not_charged() -> None:
    execution = a_running(an_execution(), "a", fence=7)

    [step] = happen(execution, NotStarted("a", 7))

    assert step.stages == (Stage("a", StageStatus.READY, attempt=1, offer_round=1),)


def test_a_result_sets_free_the_stages_whose_last_need_it_was() -> None:
    execution = an_execution(a_template("a", "b", "c: a b"))
    happen(execution, Owned())
    a_running(execution, "a", 1)
    a_running(execution, "b", 2)

    first, second = happen(execution, Completed("b", 2, {"b": 1}), Completed("a", 1, {"a": 1}))

    assert first.effects == ()
    assert second.effects == (Enqueue("c"),)
    assert execution.progress == 66


def test_the_last_result_completes_the_execution_with_the_last_stages_outputs() -> None:
    execution = a_running(an_execution(), "a", 1)

    [step] = happen(execution, Completed("a", 1, {"x": 1}, {"tokensUsed": 3}, Usage(Decimal("0.5"), 3)))

    assert (step.status, step.progress, step.result) == (ExecutionStatus.COMPLETED, 100, {"a": {"x": 1}})
    assert step.usage == Usage(Decimal("0.5"), 3)
    assert step.finished_at == NOON


def test_an_output_that_refers_to_nothing_fails_the_execution() -> None:
    template = parse_template("template: t\nstages: {a: {action: work}}\noutput: {x: '${stages.a.output.missing}'}\n")
    execution = a_running(an_execution(template), "a", 1)

    [step] = happen(execution, Completed("a", 1, {}))

    assert step.status is ExecutionStatus.FAILED
    assert step.error is not None
    assert step.error.code == "unresolved_reference"


@pytest.mark.parametrize(
    ("attempt", "delay"), [(1, timedelta(seconds=1)), (2, timedelta(seconds=2))], ids=["first", "second"]
)
def test_a_retryable_failure_is_tried_again_after_a_doubling_delay(attempt: int, delay: timedelta) -> None:
    execution = an_execution(a_template("a", retries=3), kept={"a": Stage("a", StageStatus.READY, attempt=attempt)})
    a_running(execution, "a", 7)

    [step] = happen(execution, Failed("a", 7, FLAKY, jitter=1.0))

    assert step.effects == (Enqueue("a", delay),)
    assert step.stages == (Stage("a", StageStatus.READY, attempt=attempt + 1, settled_fence=7, error=FLAKY),)


def test_the_last_attempts_failure_is_final_and_fails_the_execution() -> None:
    execution = a_running(an_execution(a_template("a", "b: a", retries=1)), "a", 7)

    [step] = happen(execution, Failed("a", 7, FLAKY, jitter=0.0))

    assert step.status is ExecutionStatus.FAILED
    assert step.error == Failure(code="flaky", message="stage a: try again", retryable=True)
    assert {stage.name: stage.status for stage in step.stages} == {"a": StageStatus.FAILED, "b": StageStatus.SKIPPED}


def test_a_failure_that_is_not_retryable_is_final_at_once() -> None:
    execution = a_running(an_execution(), "a", 7)

    [step] = happen(execution, Failed("a", 7, BROKEN, jitter=0.0))

    assert step.status is ExecutionStatus.FAILED


@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [(TimedOut("a", 7, 0.0), "timeout", "timeout"), (WorkerLost("a", 7, "gone", 0.0), "worker_lost", "stale")],
)
def test_a_running_attempt_that_is_given_up_is_charged_and_its_worker_is_told(
    event: Event, code: str, reason: str
) -> None:
    execution = a_running(an_execution(), "a", 7)

    [step] = happen(execution, event)

    assert step.effects == (StopAttempt("a", 7, "w", reason), Enqueue("a", timedelta(seconds=0.5)))
    assert [(stage.status, stage.attempt, stage.error and stage.error.code) for stage in step.stages] == [
        (StageStatus.READY, 2, code)
    ]


def test_progress_never_falls() -> None:
    execution = a_running(an_execution(), "a", 7)

    happen(execution, Progressed("a", 7, 60.0, "most"), Progressed("a", 7, 20.0))

    assert (execution.progress, execution.stages["a"].progress, execution.stages["a"].message) == (60, 60.0, "most")


def test_a_retry_does_not_take_the_executions_progress_back() -> None:
    execution = a_running(an_execution(), "a", 7)

    happen(execution, Progressed("a", 7, 60.0), Failed("a", 7, FLAKY, 0.0))

    assert (execution.progress, execution.stages["a"].progress) == (60, 0.0)


def test_a_cancel_stops_what_lives_and_ends_when_it_has_stopped() -> None:
    execution = a_running(an_execution(a_template("a", "b: a")), "a", 7)

    cancelled, settled = happen(execution, CancelRequested(), Settled("a", 7))

    assert cancelled.effects == (StopAttempt("a", 7, "w", "cancelled"),)
    assert (cancelled.status, cancelled.ending) == (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLED)
    assert settled.status is ExecutionStatus.CANCELLED
    assert [stage.status for stage in execution.stages.values()] == [StageStatus.CANCELLED, StageStatus.CANCELLED]


def test_a_result_that_arrives_after_a_cancel_is_not_taken() -> None:
    execution = a_running(an_execution(), "a", 7)
    happen(execution, CancelRequested())

    with pytest.raises(IllegalEvent):
        decide(execution, Completed("a", 7, {}), NOON)


def test_a_cancel_of_what_nobody_works_on_is_immediate() -> None:
    execution = an_execution()

    [step] = happen(execution, CancelRequested())

    assert (step.status, step.finished_at) == (ExecutionStatus.CANCELLED, NOON)


def test_a_pause_offers_nothing_more_and_lets_what_runs_finish() -> None:
    execution = a_running(an_execution(a_template("a", "b: a")), "a", 7)

    paused, done = happen(execution, PauseRequested(), Completed("a", 7, {}))
    with pytest.raises(IllegalEvent):
        decide(execution, Offered("b", 8, "w"), NOON)
    [resumed] = happen(execution, ResumeRequested())

    assert paused.status is ExecutionStatus.PAUSED
    assert (done.status, done.effects) == (ExecutionStatus.PAUSED, ())
    assert (resumed.status, resumed.effects) == (ExecutionStatus.RUNNING, (Enqueue("b"),))


def test_only_a_paused_execution_can_be_resumed() -> None:
    with pytest.raises(IllegalEvent):
        decide(an_execution(), ResumeRequested(), NOON)


def test_a_signal_completes_the_stage_that_waits_for_it_with_its_value() -> None:
    execution = an_execution(parse_template(APPROVAL))

    waiting, signalled = happen(execution, Owned(), SignalReceived("approval", {"by": "ann"}))

    assert waiting.effects == (AwaitSignal("ok", timedelta(hours=1)),)
    assert waiting.status is ExecutionStatus.WAITING
    assert signalled.effects == (Enqueue("go"),)
    assert execution.stages["ok"] == Stage(
        "ok", StageStatus.COMPLETED, progress=100.0, result={"by": "ann"}, started_at=NOON, finished_at=NOON
    )


def test_a_signal_that_no_stage_waits_for_is_refused() -> None:
    execution = an_execution(parse_template(APPROVAL))
    happen(execution, Owned())

    with pytest.raises(IllegalEvent, match="no stage waits for the signal other"):
        decide(execution, SignalReceived("other", {}), NOON)


@pytest.mark.parametrize(("on_timeout", "status"), [("fail", ExecutionStatus.FAILED), ("skip", ExecutionStatus.QUEUED)])
def test_a_signal_that_does_not_come_fails_or_skips_its_stage(on_timeout: str, status: ExecutionStatus) -> None:
    text = APPROVAL.replace("timeout: 1h", f"timeout: 1h, onTimeout: {on_timeout}")
    execution = an_execution(parse_template(text))
    happen(execution, Owned())

    [step] = happen(execution, SignalTimedOut("ok"))

    expected = ExecutionStatus.FAILED if on_timeout == "fail" else ExecutionStatus.RUNNING
    assert step.status is expected


def test_an_input_that_refers_to_nothing_fails_the_stage() -> None:
    execution = an_execution()
    happen(execution, Owned())

    [step] = happen(execution, Unofferable("a", Failure(code="unresolved_reference", message="nothing there")))

    assert step.error == Failure(code="unresolved_reference", message="stage a: nothing there")
    assert step.status is ExecutionStatus.FAILED


def test_an_execution_that_lost_a_payload_fails_and_what_runs_of_it_is_stopped() -> None:
    execution = an_execution(a_template("a", "b"))
    a_running(execution, "a", 1)
    lost = Failure(code="artifact_lost", message="its input is lost")

    step, settled = happen(execution, PayloadLost(lost), Settled("a", 1))

    assert (step.error, step.effects) == (lost, (StopAttempt("a", 1, "w", "cancelled"),))
    assert (settled.status, settled.error) == (ExecutionStatus.FAILED, lost)


def test_an_execution_that_lost_a_payload_while_it_is_being_cancelled_is_cancelled() -> None:
    execution = an_execution()
    a_running(execution, "a", 1)

    _, step, settled = happen(
        execution, CancelRequested(), PayloadLost(Failure(code="artifact_lost", message="gone")), Settled("a", 1)
    )

    assert step.effects == (StopAttempt("a", 1, "w", "cancelled"),)
    assert (settled.status, settled.error) == (ExecutionStatus.CANCELLED, None)


def test_a_failure_stops_the_stages_beside_it() -> None:
    execution = an_execution(a_template("a", "b"))
    a_running(execution, "a", 1)
    a_running(execution, "b", 2)

    failed, settled = happen(execution, Failed("a", 1, BROKEN, 0.0), Settled("b", 2))

    assert failed.effects == (StopAttempt("b", 2, "w", "cancelled"),)
    assert failed.status is ExecutionStatus.RUNNING
    assert settled.status is ExecutionStatus.FAILED


def test_a_retried_execution_keeps_its_completed_stages() -> None:
    kept = {"a": Stage("a", StageStatus.COMPLETED, progress=100.0, result={"n": 1}, finished_at=NOON)}
    execution = an_execution(a_template("a", "b: a"), kept=kept)

    [step] = happen(execution, Owned())

    assert step.effects == (Enqueue("b"),)
    assert execution.scope["stages"] == {"a": {"output": {"n": 1}}}


@pytest.mark.parametrize(
    "event",
    [
        Accepted("a", 99),
        Rejected("a", 99),
        Progressed("a", 99, 50.0),
        Completed("a", 99, {}),
        Failed("a", 99, FLAKY, 0.0),
        TimedOut("a", 99, 0.0),
        Settled("a", 99),
        Completed("unknown", 7, {}),
    ],
    ids=lambda event: f"{type(event).__name__} of {event.stage}",
)
def test_an_event_under_another_fence_changes_nothing(event: Event) -> None:
    execution = a_running(an_execution(), "a", 7)
    before = replace(execution, stages=dict(execution.stages))

    with pytest.raises(StaleFence):
        decide(execution, event, NOON)

    assert execution == before


@pytest.mark.parametrize("status", StageStatus)
@pytest.mark.parametrize("event", get_args(AttemptEvent), ids=lambda event: event.__name__)
def test_every_state_of_a_stage_decides_or_refuses_every_event_of_an_attempt(
    status: StageStatus, event: type[AttemptEvent]
) -> None:
    assert event in KIND
    assert (event in LEGAL[status]) in (True, False)


def test_every_event_that_is_no_attempts_has_its_states() -> None:
    others = {event for event in get_args(Event) if event not in get_args(AttemptEvent)}

    assert set(ALLOWED) == others
