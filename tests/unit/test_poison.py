"""A stage that the workers that took it died with is what kills them: it ends, and no further one is risked."""

import pytest

from orchestrator.core.events import Accepted, Completed, Failed, Offered, Owned, WorkerLost
from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.core.stage import Life, Loss, StageStatus
from protocol.packets import Failure
from tests.factories import a_template, an_execution, happen


def lost_with(execution: Execution, *workers: str, alive: str = "", instance_id: str = "life_1") -> Execution:
    """The stage `a` was offered to each of these in turn, began there, and was lost with it; some of them live on."""
    survivors = frozenset(Life(worker_id, "life_1") for worker_id in alive)
    if execution.stages["a"].status is StageStatus.PENDING:
        happen(execution, Owned())
    for fence, worker_id in enumerate(workers, len(execution.stages["a"].losses) + 1):
        lost = WorkerLost("a", fence, f"{worker_id} is silent", 0.5, instance_id, survivors)
        happen(execution, Offered("a", fence, worker_id), Accepted("a", fence), lost)
    return execution


def test_with_three_different_workers_dead_it_fails_as_poison_and_tells_which_they_were() -> None:
    stage = lost_with(an_execution(a_template(retries=10)), "x", "y", "x", "z").stages["a"]

    told = "the workers that took it died with it: x (x is silent); y (y is silent); x (x is silent); z (z is silent)"
    assert (stage.status, stage.error) == (StageStatus.FAILED, Failure(code="poison", message=told))
    assert stage.losses == tuple(Loss(worker_id, f"{worker_id} is silent", "life_1") for worker_id in "xyxz")


def test_a_worker_that_lives_on_did_not_die_of_it() -> None:
    stage = lost_with(an_execution(a_template(retries=10)), "x", "y", "z", "v", alive="yz").stages["a"]

    assert (stage.status, stage.attempt, stage.lost_workers) == (StageStatus.READY, 5, frozenset("xyzv"))


def test_a_worker_that_turns_out_to_be_dead_later_counts_from_then_on() -> None:
    execution = lost_with(an_execution(a_template(retries=10)), "x", "y", alive="xy")

    assert lost_with(execution, "z").stages["a"].status is StageStatus.FAILED


def test_a_worker_of_which_not_even_its_life_was_known_may_have_been_out_of_reach() -> None:
    stage = lost_with(an_execution(a_template(retries=10)), "x", "y", "z", "v", instance_id="").stages["a"]

    assert (stage.status, stage.attempt) == (StageStatus.READY, 5)


def test_the_execution_fails_with_it() -> None:
    execution = lost_with(an_execution(a_template(retries=10)), "x", "y", "z")

    assert (execution.status, execution.error and execution.error.code) == (ExecutionStatus.FAILED, "poison")


@pytest.mark.parametrize(
    ("retries", "workers", "code"),
    [(2, "xy", "poison"), (2, "xx", "worker_lost"), (3, "xyx", "worker_lost"), (1, "x", "worker_lost")],
)
def test_where_the_attempts_are_used_up_first_it_is_poison_only_if_they_all_went_to_different_workers(
    retries: int, workers: str, code: str
) -> None:
    stage = lost_with(an_execution(a_template(retries=retries)), *workers).stages["a"]

    assert (stage.status, stage.error and stage.error.code) == (StageStatus.FAILED, code)
    assert [loss.worker_id for loss in stage.losses] == list(workers)


def test_two_workers_lost_may_be_bad_luck() -> None:
    stage = lost_with(an_execution(a_template(retries=10)), "x", "y").stages["a"]

    assert (stage.status, stage.attempt) == (StageStatus.READY, 3)
    assert stage.lost_workers == frozenset("xy")


def test_a_worker_lost_before_it_began_is_no_loss_of_the_stage() -> None:
    execution = an_execution(a_template())
    happen(execution, Owned(), Offered("a", 1, "x"), WorkerLost("a", 1, "x is silent", 0.5))

    assert (execution.stages["a"].losses, execution.stages["a"].attempt) == ((), 1)


def test_other_failures_in_between_do_not_make_it_forgotten() -> None:
    execution = lost_with(an_execution(a_template(retries=10)), "x", "y")
    failure = Failure(code="broken", message="no", retryable=True)
    happen(execution, Offered("a", 7, "z"), Accepted("a", 7), Failed("a", 7, failure, 0.5))

    assert lost_with(execution, "z").stages["a"].status is StageStatus.FAILED


def test_what_it_was_lost_with_is_kept_when_it_completes_after_all() -> None:
    execution = lost_with(an_execution(a_template()), "x")
    happen(execution, Offered("a", 7, "y"), Accepted("a", 7), Completed("a", 7, None))

    assert execution.stages["a"].losses == (Loss("x", "x is silent", "life_1"),)
