"""Estimates are derived, or they are not there."""

import pytest

from orchestrator.core.estimate import History, Offering, expected_hold, history_after


def test_doubling_a_workers_estimate_doubles_what_is_expected() -> None:
    assert expected_hold([Offering(2, 100.0)], None) == 100.0
    assert expected_hold([Offering(2, 200.0)], None) == 200.0


def test_workers_estimates_count_by_their_slots() -> None:
    assert expected_hold([Offering(3, 100.0), Offering(1, 500.0)], History(7.0)) == 200.0


def test_an_estimate_is_stretched_as_those_before_it_were() -> None:
    assert expected_hold([Offering(3, 100.0)], History(held_ms=7.0, stretch=1.5)) == 150.0


def test_without_estimates_history_speaks_and_without_history_nobody() -> None:
    assert expected_hold([Offering(3, None)], History(40.0)) == 40.0
    assert expected_hold([], None) is None


def test_the_estimate_of_a_worker_of_which_no_slot_can_be_had_does_not_count() -> None:
    assert expected_hold([Offering(0, 100.0), Offering(1, 500.0)], None) == 500.0
    assert expected_hold([Offering(0, 100.0)], History(40.0)) == 40.0
    assert expected_hold([Offering(0, 100.0)], None) is None


@pytest.mark.parametrize(
    ("before", "held_ms", "estimate_ms", "after"),
    [
        (None, 50.0, None, History(50.0)),
        (None, 50.0, 25.0, History(50.0, 1.1)),
        (History(100.0, 2.0), 200.0, 200.0, History(110.0, 1.9)),
        (History(100.0, 2.0), 200.0, None, History(110.0, 2.0)),
        (History(100.0), 200.0, 0.0, History(110.0)),
        (History(100.0), 200.0, 1.0, History(110.0, 1.9)),
    ],
)
def test_history_moves_towards_what_was_measured_last(
    before: History | None, held_ms: float, estimate_ms: float | None, after: History
) -> None:
    assert history_after(before, held_ms, estimate_ms) == pytest.approx(after)
