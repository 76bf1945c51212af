"""Low-water marks: a claim that begins at them takes what one from the front of the queue would take, or nearly so."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from orchestrator.core.execution import Execution
from orchestrator.core.ids import earliest_id
from orchestrator.core.order import OrderKey, order_key
from orchestrator.core.template import parse_template
from orchestrator.store.low_water import RANKS, WHOLE_LOOK_SECONDS, YOUNG, Look, LowWater, rank_of
from orchestrator.store.record import Record
from orchestrator.system import TimeOrderedIds
from tests.driven_clock import START, DrivenClock
from tests.replicas import SINGLE

TEMPLATE = replace(parse_template(SINGLE), version=1)
OLD = START - timedelta(hours=1)
WINDOW = 2


def made(at: float) -> str:
    """The id of an execution that was made so many seconds after the driven clocks' start."""
    return earliest_id("exec", START + timedelta(seconds=at))


def a_record(key: OrderKey) -> Record:
    priority, fresh, execution_id = key
    started_at = None if fresh else OLD
    given: dict[str, int] = {"value": 1}
    execution = Execution(execution_id, "client_1", TEMPLATE, "client_1", given, -priority, OLD, started_at=started_at)
    return Record(execution)


@dataclass
class Queue:
    """The database's queue for one action, and what claims see of it."""

    waiting: set[OrderKey] = field(default_factory=set)

    def found(self, look: Look, limit: int) -> list[OrderKey]:
        """What the claim's statement finds: on each rank what does not sort before the mark."""
        seen = [key for key in self.waiting if key[2] >= look.lows[rank_of(-key[0], not key[1])]]
        return sorted(seen)[:limit]

    def claim(self, marks: LowWater, limit: int = WINDOW) -> list[OrderKey]:
        with marks.look("work") as look:
            taken = self.found(look, limit)
            self.waiting.difference_update(taken)
            look.has_taken([a_record(key) for key in taken], limit)
        return taken

    def enter(self, marks: LowWater, key: OrderKey) -> None:
        """This replica's own flush: the row is there, and its marks are told."""
        self.waiting.add(key)
        marks.entered("work", -key[0], not key[1], key[2])


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


@pytest.fixture
def marks(clock: DrivenClock) -> LowWater:
    return LowWater(clock)


def swept(marks: LowWater) -> LowWater:
    """Marks that have just looked at everything, and found it gone."""
    Queue().claim(marks)
    return marks


def test_an_id_of_a_moment_sorts_after_those_made_before_and_not_after_those_made_since(clock: DrivenClock) -> None:
    ids = TimeOrderedIds()
    new = ids.new("exec")

    assert made(0) < made(0.001) < made(3600)
    assert new > made(0)
    assert len(new) == len(made(0))


def test_ranks_are_in_the_order_of_work() -> None:
    keys = [(priority, started) for priority in range(101) for started in (False, True)]

    by_rank = sorted(keys, key=lambda key: rank_of(*key))

    assert by_rank == sorted(keys, key=lambda key: order_key(key[0], key[1], "exec_1"))
    assert [rank_of(*key) for key in by_rank] == list(range(RANKS))


def test_the_first_claim_looks_at_everything_and_the_next_where_something_may_be(marks: LowWater) -> None:
    with marks.look("work") as first:
        pass
    with marks.look("work") as second:
        pass

    assert (set(first.lows), set(second.lows)) == ({""}, {made(-YOUNG.total_seconds())})


def test_a_claim_that_takes_all_it_may_says_nothing_of_what_comes_after_it(marks: LowWater) -> None:
    queue = Queue(
        {order_key(50, False, made(-3600)), order_key(50, False, made(-1800)), order_key(25, False, made(-9))}
    )

    queue.claim(marks, 1)
    lows = marks.lows("work")

    assert [lows[rank_of(*key)] for key in ((51, False), (50, True), (50, False), (25, False))] == [
        made(-10),
        made(-10),
        made(-3600),
        "",
    ]


def test_no_mark_rises_to_what_is_young(marks: LowWater, clock: DrivenClock) -> None:
    queue = Queue({order_key(50, False, made(-1))})

    queue.claim(marks)
    queue.waiting.add(late := order_key(50, False, made(-2)))

    assert queue.claim(marks) == [late]


def test_what_this_replica_gives_back_is_found_by_its_next_claim_however_old(marks: LowWater) -> None:
    queue, key = Queue(), order_key(90, True, made(-86400))

    queue.enter(swept(marks), key)

    assert queue.claim(marks) == [key]


def test_what_enters_while_a_claim_is_under_way_is_found_by_the_next(marks: LowWater) -> None:
    queue, key = Queue(), order_key(50, False, made(-3600))
    with marks.look("work"):
        queue.enter(marks, key)

    assert queue.claim(marks) == [key]


def test_what_another_replica_gives_back_is_found_at_the_next_whole_look(marks: LowWater, clock: DrivenClock) -> None:
    queue, key = Queue(), order_key(50, True, made(-3600))
    swept(marks)
    queue.waiting.add(key)

    before = queue.claim(marks)
    clock.advance(WHOLE_LOOK_SECONDS)

    assert (before, queue.claim(marks)) == ([], [key])


def test_a_whole_look_that_takes_long_is_made_less_often(marks: LowWater, clock: DrivenClock) -> None:
    queue, key = Queue(), order_key(50, False, made(-3600))
    with marks.look("work"):
        clock.advance(1)  # going over what is dead
    queue.waiting.add(key)

    clock.advance(19)
    before = queue.claim(marks)
    clock.advance(1)

    assert (before, queue.claim(marks)) == ([], [key])


def test_what_a_failed_claim_had_locked_is_found_though_others_passed_it_over(marks: LowWater) -> None:
    queue, key = Queue(), order_key(50, False, made(-3600))
    # The first of these ends after the claim that fails, the one within before it.
    with marks.look("work"), suppress(ConnectionResetError), marks.look("work"):
        swept(marks)
        raise ConnectionResetError
    queue.waiting.add(key)

    assert queue.claim(marks) == [key]


def test_a_new_life_looks_at_everything(marks: LowWater) -> None:
    queue = Queue({order_key(50, False, made(-3600))})
    swept(marks)

    marks.forget_all()

    assert len(queue.claim(marks)) == 1


keys = st.builds(
    order_key, st.sampled_from([0, 50, 51, 100]), st.booleans(), st.floats(-60, 60).map(lambda at: made(round(at, 3)))
)
moments = st.floats(0, WHOLE_LOOK_SECONDS)


@given(st.lists(st.one_of(keys, st.integers(1, 4), moments), max_size=40))
def test_alone_a_replica_claims_exactly_what_it_would_claim_from_the_front(
    steps: list[OrderKey | int | float],
) -> None:
    clock = DrivenClock()
    queue, marks = Queue(), LowWater(clock)
    for step in steps:
        match step:
            case int(limit):
                first = sorted(queue.waiting)[:limit]
                assert queue.claim(marks, limit) == first
            case float(seconds):
                clock.advance(seconds)
            case key:
                queue.enter(marks, key)


@given(st.lists(st.tuples(st.integers(0, 1), st.one_of(keys, moments)), max_size=40))
def test_beside_others_nothing_starves_and_nothing_young_is_overtaken(
    steps: list[tuple[int, OrderKey | float]],
) -> None:
    clock = DrivenClock()
    queue, replicas = Queue(), [LowWater(clock), LowWater(clock)]
    for place, step in steps:
        if not isinstance(step, float):
            queue.enter(replicas[place], step)
            continue
        clock.advance(step)
        young = sorted(key for key in queue.waiting if key[2] >= made(clock.seconds - YOUNG.total_seconds()))
        taken = queue.claim(replicas[place])
        if len(taken) == WINDOW:
            assert [key for key in young if key < taken[-1]] == [key for key in taken[:-1] if key in young]
        else:
            assert not queue.waiting.intersection(young)

    clock.advance(WHOLE_LOOK_SECONDS)
    while queue.claim(replicas[0]):
        clock.advance(WHOLE_LOOK_SECONDS)

    assert queue.waiting == set()
