"""Without any one of its safeguards the real code breaks an invariant, and the simulation notices which.

The same seeds pass with all safeguards in place: `test_simulation.py`.
"""

from contextlib import AbstractContextManager

import click
import pytest

from tests.simulation.ablations import ABLATIONS, replaced
from tests.simulation.simulation import simulate
from tests.simulation.test_simulation import FIXED_SEEDS

BUDGET = FIXED_SEEDS

pytestmark = pytest.mark.timeout(240)


def caught(name: str, invariant: str) -> int | None:
    """The first seed whose history breaks this invariant without the safeguard."""
    ablation: AbstractContextManager[None] = ABLATIONS[name]()
    with ablation:
        for seed in BUDGET:
            if any(violation.invariant == invariant for violation in simulate(seed).violations):
                click.echo(f"without {name}: seed {seed} breaks {invariant}")
                return seed
    return None


def test_without_the_fence_a_result_is_committed_that_another_attempt_made() -> None:
    assert caught("fence", "I3") in BUDGET


def test_without_the_idempotency_key_a_request_that_is_sent_again_makes_another_execution() -> None:
    assert caught("idempotency-key", "I2") in BUDGET


def test_without_the_reaper_executions_are_stuck() -> None:
    assert caught("reaper", "I5") in BUDGET


def test_without_the_slot_limit_a_worker_is_offered_more_than_it_takes() -> None:
    assert caught("slot-limit", "I6") in BUDGET


def test_without_slots_that_outlive_their_owners_life_a_worker_is_offered_more_than_it_takes() -> None:
    assert caught("slots-across-lives", "I6") in BUDGET


def test_without_the_retry_cap_a_stage_is_tried_for_ever() -> None:
    assert caught("retry-cap", "I10") in BUDGET


def test_without_durable_before_ack_workers_are_told_of_commits_that_never_happen() -> None:
    assert caught("durable-before-ack", "durable before acked") in BUDGET


def test_an_ablation_whose_target_is_gone_fails() -> None:
    class Renamed:
        pass

    with (
        pytest.raises(LookupError, match="sweep is gone"),
        replaced(Renamed, "sweep", lambda original: original),
    ):
        pass
