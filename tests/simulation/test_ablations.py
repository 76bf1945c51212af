"""Without any one of its safeguards the real code breaks an invariant, and the simulation notices which.

The same seeds pass with all safeguards in place: `test_simulation.py`.
"""

from collections.abc import Callable

import pytest

from tests.simulation.ablations import replaced
from tests.simulation.exploration import simulated
from tests.simulation.test_simulation import FIXED_SEEDS

pytestmark = pytest.mark.timeout(240)

Catches = Callable[[str, str], bool]


@pytest.fixture
def catches(record_property: Callable[[str, object], None]) -> Catches:
    """Whether one of the fixed seeds breaks the invariant without the safeguard; the first that does is told."""

    def is_caught(name: str, invariant: str) -> bool:
        for seed in FIXED_SEEDS:
            if any(violation.invariant == invariant for violation in simulated(name, seed).violations):
                record_property("told", f"without {name}: seed {seed} breaks {invariant}")
                return True
        return False

    return is_caught


def test_without_the_fence_a_result_is_committed_that_another_attempt_made(catches: Catches) -> None:
    assert catches("fence", "I3")


def test_without_the_idempotency_key_a_request_that_is_sent_again_makes_another_execution(catches: Catches) -> None:
    assert catches("idempotency-key", "I2")


def test_without_the_reaper_executions_are_stuck(catches: Catches) -> None:
    assert catches("reaper", "I5")


def test_without_the_slot_limit_a_worker_is_offered_more_than_it_takes(catches: Catches) -> None:
    assert catches("slot-limit", "I6")


def test_without_slots_that_outlive_their_owners_life_a_worker_begins_what_it_was_not_offered(catches: Catches) -> None:
    assert catches("slots-across-lives", "I12")


def test_without_the_retry_cap_a_stage_is_tried_for_ever(catches: Catches) -> None:
    assert catches("retry-cap", "I10")


def test_without_durable_before_ack_workers_are_told_of_commits_that_never_happen(catches: Catches) -> None:
    assert catches("durable-before-ack", "durable before acked")


def test_without_a_look_elsewhere_a_stream_is_never_told_the_end(catches: Catches) -> None:
    assert catches("watch-elsewhere", "streams")


def test_an_ablation_whose_target_is_gone_fails() -> None:
    class Renamed:
        pass

    with (
        pytest.raises(LookupError, match="sweep is gone"),
        replaced(Renamed, "sweep", lambda original: original),
    ):
        pass
