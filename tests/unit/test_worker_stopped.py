"""A worker that stops gives its attempts back: the stage goes on at once, and that costs it nothing."""

from datetime import timedelta

import pytest

from orchestrator.core.draft import MOST_YIELDS
from orchestrator.core.events import Failed, Progressed
from orchestrator.core.execution import Enqueue, Execution, ExecutionStatus
from orchestrator.core.stage import Stage, StageStatus, Usage
from protocol.errors import FailureCode
from protocol.packets import Failure
from tests.factories import a_running, a_template, an_execution, happen

STOPPED = Failure(code="worker_stopped", message="the worker is shut down", retryable=True)


def given_back(execution: Execution, times: int) -> Execution:
    """The execution after so many workers have accepted its stage and stopped."""
    for fence in range(1, times + 1):
        happen(a_running(execution, "a", fence), Failed("a", fence, STOPPED, 0.5))
    return execution


def test_an_attempt_whose_worker_stopped_goes_on_at_once_under_the_same_number() -> None:
    execution = a_running(an_execution(a_template(retries=1)), "a", fence=7)

    *_, step = happen(execution, Progressed("a", 7, 40.0), Failed("a", 7, STOPPED, 0.5, None, Usage(tokens=5)))

    assert step.effects == (Enqueue("a", timedelta(0)),)
    assert step.stages == (
        Stage("a", StageStatus.READY, attempt=1, offer_round=1, settled_fence=7, error=STOPPED, yields=1),
    )
    assert step.usage == Usage(tokens=5)


def test_what_was_given_back_leaves_the_stage_all_its_retries() -> None:
    flaky = Failure(message="again", retryable=True)
    execution = given_back(an_execution(a_template(retries=2)), 3)

    happen(a_running(execution, "a", 10), Failed("a", 10, flaky, 0.5))
    again = execution.stages["a"]
    happen(a_running(execution, "a", 11), Failed("a", 11, flaky, 0.5))

    assert (again.status, again.attempt, again.yields) == (StageStatus.READY, 2, 3)
    assert execution.status is ExecutionStatus.FAILED


def test_a_stage_that_is_always_given_back_fails_in_the_end() -> None:
    execution = given_back(an_execution(a_template(retries=1)), MOST_YIELDS)
    assert (execution.stages["a"].status, execution.stages["a"].attempt) == (StageStatus.READY, 1)

    given_back(execution, 1)

    assert execution.stages["a"].error == STOPPED
    assert execution.status is ExecutionStatus.FAILED


@pytest.mark.parametrize(
    "failure",
    [
        Failure(code="worker_stopped", message="for good"),
        Failure(code=FailureCode.WORKER_LOST, message="gone", retryable=True),
    ],
)
def test_any_other_end_is_charged(failure: Failure) -> None:
    execution = a_running(an_execution(a_template(retries=1)), "a")

    happen(execution, Failed("a", 1, failure, 0.5))

    assert execution.status is ExecutionStatus.FAILED
