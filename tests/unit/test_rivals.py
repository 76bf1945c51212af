"""Whose stage gets the next free slot, where several owners want one."""

from orchestrator.core.order import order_key
from orchestrator.dispatch.rivals import WANT_LASTS_SECONDS, Rivals

HIGH, NORMAL, LOW = (order_key(priority, False, "exec_1") for priority in (75, 50, 25))


def test_a_better_placed_stage_of_another_owner_goes_before_ones_own() -> None:
    rivals = Rivals()
    rivals.want("other", {"work": NORMAL}, now=0.0)

    before = [rivals.goes_before("work", own, 1.0) for own in (HIGH, NORMAL, LOW)]

    assert before == [False, False, True]


def test_it_wants_slots_of_its_action_only() -> None:
    rivals = Rivals()
    rivals.want("other", {"work": HIGH}, now=0.0)

    assert not rivals.goes_before("play", LOW, 1.0)


def test_a_wish_that_is_not_said_again_is_void() -> None:
    rivals = Rivals()
    rivals.want("other", {"work": HIGH}, now=0.0)

    assert not rivals.goes_before("work", LOW, WANT_LASTS_SECONDS)


def test_a_wish_that_was_granted_holds_up_nobody() -> None:
    rivals = Rivals()
    rivals.want("other", {"work": HIGH}, now=0.0)
    rivals.granted("other", "work")

    assert not rivals.goes_before("work", LOW, 1.0)


def test_an_owner_is_given_the_slot_only_for_what_is_better_placed() -> None:
    rivals = Rivals()
    rivals.want("other", {"work": NORMAL}, now=0.0)

    outranked = [rivals.outranks("other", "work", own, 1.0) for own in (HIGH, NORMAL, LOW)]

    assert outranked == [False, False, True]
    assert not rivals.outranks("third", "work", LOW, 1.0)


def test_an_owner_that_is_gone_wants_nothing() -> None:
    rivals = Rivals()
    rivals.want("other", {"work": HIGH}, now=0.0)
    rivals.forget("other")

    assert not rivals
