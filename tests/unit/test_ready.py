"""A window of the queue in memory keeps the order of the whole queue."""

import hypothesis.strategies as st
from hypothesis import given

from orchestrator.core.order import OrderKey, order_key
from orchestrator.dispatch.ready import Parked, ReadyStages

WINDOW = 4

fresh = st.builds(lambda priority, number: order_key(priority, False, f"{number:04}"), st.integers(0, 3), st.integers())


class Queue:
    """The window and the database beside it, moved as `dispatch/claims.py` moves them."""

    def __init__(self) -> None:
        self.ready = ReadyStages()
        self.database: list[OrderKey] = []

    def submit(self, key: OrderKey) -> None:
        if not self.ready.admits(key, WINDOW):
            self.give_back(key)
            return
        self.ready.add((key, "stage"))
        while len(self.ready.entries) > WINDOW:
            worst, _ = self.ready.entries.pop()
            self.give_back(worst)

    def give_back(self, key: OrderKey) -> None:
        self.ready.has_given_back(key)
        self.database.append(key)

    def claim(self) -> None:
        self.ready.begin_claim()
        wanted = WINDOW - len(self.ready.entries)
        claimed = sorted(self.database)[:wanted]
        for key in claimed:
            self.database.remove(key)
            self.ready.add((key, "stage"))
        self.ready.end_claim(max(claimed) if len(claimed) == wanted and claimed else None)

    def offer(self) -> OrderKey | None:
        if not self.ready.entries:
            self.claim()
        return self.ready.pop()[0] if self.ready.entries else None


@given(st.lists(st.one_of(fresh, st.none()), max_size=60))
def test_what_is_offered_is_always_the_first_of_all_that_waits(steps: list[OrderKey | None]) -> None:
    queue = Queue()
    for step in steps:
        if step is not None:
            queue.submit(step)
            continue
        waiting = sorted([key for key, _ in queue.ready.entries] + queue.database)
        assert queue.offer() == (waiting[0] if waiting else None)


def test_what_is_given_back_during_a_claim_still_bounds_what_waits() -> None:
    ready = ReadyStages()
    ready.begin_claim()
    ready.has_given_back(order_key(50, False, "2"))

    ready.end_claim(None)

    assert not ready.admits(order_key(50, False, "3"), WINDOW)
    assert ready.admits(order_key(50, False, "1"), WINDOW)


def test_started_work_goes_before_fresh_work_of_its_priority_and_after_higher() -> None:
    keys = [order_key(50, False, "1"), order_key(50, True, "2"), order_key(100, False, "3")]

    assert sorted(keys) == [keys[2], keys[1], keys[0]]


def test_what_is_set_aside_comes_back_at_its_time_or_when_it_is_called_for() -> None:
    parked = Parked()
    parked.put("exec_1", "a", until=5.0)
    parked.put("exec_1", "b", until=9.0)
    parked.put("exec_2", "a", until=7.0)

    assert parked.take_due(4.0) == []
    assert parked.take_due(7.0) == [("exec_1", "a"), ("exec_2", "a")]
    assert parked.take("exec_1") == ["b"]
    assert parked.take_due(10.0) == []


def test_what_is_set_aside_twice_comes_back_once() -> None:
    parked = Parked()
    parked.put("exec_1", "a", until=5.0)
    parked.put("exec_1", "a", until=8.0)

    assert parked.take_due(6.0) == []
    assert parked.take_due(8.0) == [("exec_1", "a")]
