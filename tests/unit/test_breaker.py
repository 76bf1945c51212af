"""Calls are turned away while the database is away, and let through one by one until it is back."""

import pytest

from orchestrator.store.breaker import (
    FAILURES,
    FIRST_SECONDS,
    LONGEST_SECONDS,
    SPREAD_SECONDS,
    TRIAL_SECONDS,
    Breaker,
    DatabaseAway,
)
from tests.driven_clock import DrivenClock


class Drawn:
    """Chance that always draws the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def draw(self) -> float:
        return self.value

    def token(self, size: int) -> str:
        raise NotImplementedError("nothing here is secret")


def a_breaker(clock: DrivenClock, chance: float = 1.0) -> Breaker:
    return Breaker(clock, Drawn(chance))


def an_open_one(clock: DrivenClock, chance: float = 1.0) -> Breaker:
    breaker = a_breaker(clock, chance)
    for _ in range(FAILURES):
        breaker.failed()
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_a_success_between_them_counts_anew() -> None:
    breaker = a_breaker(DrivenClock())
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.admit()
    breaker.failed()

    with pytest.raises(DatabaseAway):
        breaker.admit()


def test_who_is_turned_away_is_told_when_to_come_back_and_not_all_are_told_the_same() -> None:
    waits = []
    for chance in (0.0, 1.0):
        with pytest.raises(DatabaseAway) as refused:
            an_open_one(DrivenClock(), chance).admit()
        waits.append(refused.value.retry_after)

    assert waits == [FIRST_SECONDS / 2, FIRST_SECONDS + SPREAD_SECONDS]


def test_after_a_while_one_call_is_let_through_and_no_other_before_it_has_ended() -> None:
    clock = DrivenClock()
    breaker = an_open_one(clock)
    clock.advance(FIRST_SECONDS)
    breaker.admit()

    with pytest.raises(DatabaseAway):
        breaker.admit()
    breaker.succeeded()
    breaker.admit()


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another() -> None:
    clock = DrivenClock()
    breaker = an_open_one(clock)
    clock.advance(FIRST_SECONDS)
    breaker.admit()
    clock.advance(TRIAL_SECONDS)

    breaker.admit()


def test_it_stays_open_for_longer_with_each_trial_that_fails_up_to_a_limit() -> None:
    clock = DrivenClock()
    breaker = an_open_one(clock)
    waits = []
    for _ in range(8):
        with pytest.raises(DatabaseAway) as refused:
            breaker.admit()
        waits.append(refused.value.retry_after - SPREAD_SECONDS)
        clock.advance(waits[-1])
        breaker.admit()
        breaker.failed()

    assert waits == [min(FIRST_SECONDS * 2**times, LONGEST_SECONDS) for times in range(8)]
