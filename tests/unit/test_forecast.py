"""When what waits is worked off: told where every duration that it hangs on is known, else not told."""

import pytest

from orchestrator.core.forecast import UNTOLD, Held, Leg, Passage, Pool, Route, forecast, share_ms

WORK = frozenset({"read", "make", "index", "judge"})
DIAMOND = Route((Leg("read", 400.0), Leg("make", 220.0, (0,)), Leg("index", 150.0, (0,)), Leg("judge", 70.0, (1, 2))))


def single(ms: float | None = 100.0, action: str = "read") -> Route:
    return Route((Leg(action, ms),))


def chain(*ms: float | None) -> Route:
    return Route(tuple(Leg("read", each, (place - 1,) if place else ()) for place, each in enumerate(ms)))


def workers(slots: int, *actions: str) -> Pool:
    return Pool(frozenset(actions or WORK), slots)


def test_what_finds_a_free_slot_starts_now_and_the_next_when_one_becomes_free() -> None:
    line = [single(100.0), single(300.0), single(50.0), single(50.0)]

    assert forecast([workers(2)], [], line) == [
        Passage(0, 100),
        Passage(0, 300),
        Passage(100, 150),
        Passage(150, 200),
    ]


def test_a_stage_waits_for_all_that_it_needs() -> None:
    assert forecast([workers(4)], [], [DIAMOND]) == [Passage(0, 690)]
    assert DIAMOND.length_ms == 690


def test_a_slot_goes_to_who_is_first_in_line_before_it_goes_to_fresh_work() -> None:
    assert forecast([workers(1)], [], [chain(100.0, 100.0), single(10.0)]) == [Passage(0, 200), Passage(200, 210)]


def test_what_is_at_work_is_followed_to_its_end() -> None:
    held = [Held(30.0, 0, 0, 0)]

    assert forecast([workers(1)], held, [chain(100.0, 100.0), single(10.0)]) == [Passage(0, 130), Passage(130, 140)]


def test_a_slot_of_a_worker_that_takes_nothing_more_is_not_waited_for() -> None:
    held = [Held(30.0, 0, 0, None), Held(500.0, 1, 0, 0)]

    assert forecast([workers(1)], held, [single(), single(), single()]) == [
        Passage(0, 30),
        Passage(0, 500),
        Passage(500, 600),
    ]


def test_each_action_waits_for_its_own_workers() -> None:
    line = [single(1000.0, "make"), single(1000.0, "make"), single(10.0, "read")]

    assert forecast([workers(1, "make"), workers(1, "read")], [], line)[2] == Passage(0, 10)


def test_workers_that_offer_more_take_work_of_several_kinds() -> None:
    line = [single(100.0, "make"), single(100.0, "make"), single(100.0, "read")]

    assert forecast([workers(1, "make"), workers(1, "make", "read")], [], line) == [
        Passage(0, 100),
        Passage(0, 100),
        Passage(100, 200),
    ]


def test_nothing_is_told_of_what_waits_for_an_end_that_nobody_knows() -> None:
    line = [single(None), single(100.0), single(100.0), single(100.0)]

    assert forecast([workers(2)], [], line) == [Passage(0, None), Passage(0, 100), UNTOLD, UNTOLD]
    assert forecast([workers(1)], [Held(None, 0, 0, 0)], [single(), single()]) == [Passage(0, None), UNTOLD]


def test_nothing_is_told_of_a_stage_that_waits_for_a_signal_or_that_nobody_offers() -> None:
    waiting = Route((Leg("read", 10.0), Leg(None, None, (0,))))

    assert forecast([workers(1)], [], [waiting, single(5.0), single(5.0, "unheard_of")]) == [
        Passage(0, None),
        Passage(10, 15),
        UNTOLD,
    ]
    assert waiting.length_ms is None


@pytest.mark.parametrize(
    ("route", "pools", "share"),
    [
        (DIAMOND, [workers(4)], 210.0),
        (DIAMOND, [workers(4, "read"), workers(1, "make", "index", "judge")], 440.0),
        (chain(100.0, 50.0), [workers(2, "read"), workers(1, "read", "make")], 50.0),
        (chain(100.0, None), [workers(2)], None),
        (DIAMOND, [workers(4, "read")], None),
        (chain(100.0), [workers(0)], None),
        (Route(()), [workers(4)], 0.0),
    ],
)
def test_one_more_in_line_adds_its_work_over_the_slots_that_can_do_it(
    route: Route, pools: list[Pool], share: float | None
) -> None:
    assert share_ms(route, pools) == share


def test_everybody_further_back_follows_at_the_share_of_those_before() -> None:
    passages = forecast([workers(16)], [], [DIAMOND] * 400)
    share = share_ms(DIAMOND, [workers(16)])

    assert share is not None
    finished = [passage.finish_ms for passage in passages]
    assert finished[-1] == pytest.approx(finished[199] + 200 * share, rel=0.02)  # type: ignore[operator]
