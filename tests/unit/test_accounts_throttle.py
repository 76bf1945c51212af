"""How many tries each key has, and when it has another."""

from contextlib import suppress

import pytest

from orchestrator.accounts.throttle import Throttle, Throttled
from tests.driven_clock import DrivenClock


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock(1000.0)


@pytest.fixture
def throttle(clock: DrivenClock) -> Throttle:
    return Throttle(clock, b"salt", burst=3, seconds=10)


def wait_of(throttle: Throttle, key: str) -> float:
    """The seconds after which the key may try again; 0 for a try that was allowed."""
    try:
        throttle.take(key)
    except Throttled as throttled:
        return throttled.retry_after
    return 0.0


def test_a_burst_is_allowed_and_then_one_try_each_interval(throttle: Throttle, clock: DrivenClock) -> None:
    waits = []
    for advance in (0, 0, 0, 0, 4, 6, 0):
        clock.advance(advance)
        waits.append(wait_of(throttle, "ann"))

    assert waits == [0, 0, 0, 10, 6, 0, 10]


def test_a_key_that_was_quiet_has_its_burst_again_and_no_more(throttle: Throttle, clock: DrivenClock) -> None:
    for _ in range(3):
        throttle.take("ann")
    clock.advance(3600)

    assert [wait_of(throttle, "ann") for _ in range(4)] == [0, 0, 0, 10]


def test_a_refused_try_does_not_lengthen_the_wait(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.take("ann")

    assert [wait_of(throttle, "ann") for _ in range(100)] == [10] * 100


def test_a_try_that_is_given_back_does_not_count(throttle: Throttle) -> None:
    for _ in range(100):
        throttle.take("ann")
        throttle.give_back("ann")

    assert [wait_of(throttle, "ann") for _ in range(4)] == [0, 0, 0, 10]


def test_each_key_has_its_own_tries(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.take("ann")

    assert (wait_of(throttle, "ann"), wait_of(throttle, "ben")) == (10, 0)


def test_no_flood_of_other_keys_makes_it_forget_one(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.take("ann")

    for number in range(70_000):
        with suppress(Throttled):
            throttle.take(f"stranger {number}")

    assert wait_of(throttle, "ann") == 10


def test_the_refusal_says_when_to_come_again(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.take("ann")

    with pytest.raises(Throttled, match="too many tries; again in 10 s"):
        throttle.take("ann")
