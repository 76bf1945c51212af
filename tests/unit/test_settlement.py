"""Which result was taken, and which attempt rules, by what is known of a stage."""

from typing import Any

import pytest

from orchestrator.core.fence import epoch_of, fence_of
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.dispatch.settlement import is_repeat
from orchestrator.store.executions import Whereabouts, whereabouts_of
from protocol.packets import Failure, Result

NOW = fence_of(7, 10)
EARLIER, LATER, OF_ANOTHER_LIFE = fence_of(7, 9), fence_of(7, 11), fence_of(6, 99)
BROKEN = Failure(code="broken", message="no", retryable=True)


def a_result(fence: int = NOW, **fields: Any) -> Result:
    about = {"execution_id": "exec_1", "stage_id": "exec_1.a", "fence": fence, "status": "completed"}
    return Result.model_validate({**about, **fields})


COMPLETED = Stage("a", StageStatus.COMPLETED, fence=NOW, settled_fence=NOW, result={"n": 1})
FAILED = Stage("a", StageStatus.READY, attempt=2, fence=None, settled_fence=NOW, error=BROKEN)


@pytest.mark.parametrize(
    ("stage", "packet", "repeats"),
    [
        (COMPLETED, a_result(result={"n": 1}), True),
        (COMPLETED, a_result(result={"n": 1}, metrics={"tokens_used": 5}), True),
        (COMPLETED, a_result(result={"n": 2}), False),
        (COMPLETED, a_result(result={"n": True}), False),
        (COMPLETED, a_result(EARLIER, result={"n": 1}), False),
        (COMPLETED, a_result(status="failed", error=BROKEN), False),
        (FAILED, a_result(status="failed", error=BROKEN), True),
        (FAILED, a_result(status="failed"), False),
        (FAILED, a_result(result=None), False),
    ],
)
def test_a_result_repeats_the_one_that_was_taken_if_fence_and_outcome_are_the_same(
    stage: Stage, packet: Result, repeats: bool
) -> None:
    assert is_repeat(stage, packet) is repeats


@pytest.mark.parametrize(
    ("stage", "fence", "where"),
    [
        (Stage("a", StageStatus.RUNNING, fence=NOW), NOW, Whereabouts("me", rules=True)),
        (Stage("a", StageStatus.RUNNING, fence=NOW), EARLIER, Whereabouts("me", rules=False)),
        (Stage("a", StageStatus.RUNNING, fence=NOW), LATER, Whereabouts("me", rules=True)),
        (Stage("a", StageStatus.RUNNING, fence=NOW), OF_ANOTHER_LIFE, Whereabouts("me", rules=False)),
        (Stage("a", StageStatus.READY), LATER, Whereabouts("me", rules=True)),
        (None, LATER, Whereabouts("me", rules=True)),
        (None, OF_ANOTHER_LIFE, Whereabouts("me", rules=False)),
        (COMPLETED, NOW, Whereabouts("me", rules=False, taken=COMPLETED)),
        (COMPLETED, LATER, Whereabouts("me", rules=False)),
    ],
)
def test_an_attempt_rules_that_its_stage_names_or_that_its_owner_may_have_offered_since(
    stage: Stage | None, fence: int, where: Whereabouts
) -> None:
    assert whereabouts_of("me", 7, stage, fence) == where


def test_a_fence_is_taken_apart_as_it_was_put_together() -> None:
    assert epoch_of(fence_of(2_097_151, 2**32 - 1)) == 2_097_151
    assert fence_of(2_097_151, 2**32 - 1) < 2**53
    with pytest.raises(OverflowError):
        fence_of(1, 2**32)
