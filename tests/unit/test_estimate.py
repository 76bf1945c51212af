"""Estimates are derived, or they are not there."""

import pytest

from orchestrator.core.estimate import Offering, critical_path, expected_duration, moving_average
from tests.factories import a_template

DIAMOND = a_template("a", "b: a", "c: a", "d: b c")


def test_doubling_a_workers_estimate_doubles_what_is_expected() -> None:
    assert expected_duration([Offering(2, 100.0)], None) == 100.0
    assert expected_duration([Offering(2, 200.0)], None) == 200.0


def test_workers_estimates_count_by_their_slots() -> None:
    assert expected_duration([Offering(3, 100.0), Offering(1, 500.0)], 7.0) == 200.0


def test_without_estimates_history_speaks_and_without_history_nobody() -> None:
    assert expected_duration([Offering(3, None)], 40.0) == 40.0
    assert expected_duration([], None) is None


def test_an_execution_takes_as_long_as_its_longest_chain() -> None:
    assert critical_path(DIAMOND, {"a": 10.0, "b": 5.0, "c": 30.0, "d": 1.0}) == 41.0


def test_an_estimate_with_a_hole_is_no_estimate() -> None:
    assert critical_path(DIAMOND, {"a": 10.0, "b": None, "c": 30.0, "d": 1.0}) is None


@pytest.mark.parametrize(("before", "newest", "after"), [(None, 50.0, 50.0), (100.0, 200.0, 120.0)])
def test_history_moves_towards_what_was_measured_last(before: float | None, newest: float, after: float) -> None:
    assert moving_average(before, newest) == after
