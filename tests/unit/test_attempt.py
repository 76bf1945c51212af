"""The attempt's table: what it allows, what it refuses, and that nobody is caught in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.attempt import FINAL, TRANSITIONS, AttemptEvent, AttemptState, IllegalTransition, advance, diagram

S, E = AttemptState, AttemptEvent


def reachable(start: AttemptState) -> set[AttemptState]:
    """Every state that some history leads to from `start`, itself included."""
    found, new = set[AttemptState](), {start}
    while new:
        found |= new
        new = {target for state in new for target in TRANSITIONS[state].values()} - found
    return found


def history(*events: AttemptEvent) -> AttemptState:
    """Where an attempt stands after these events."""
    state = S.READY
    for event in events:
        state = advance(state, event)
    return state


@pytest.mark.parametrize("state", AttemptState)
@pytest.mark.parametrize("event", AttemptEvent)
def test_every_state_decides_or_refuses_every_event(state: AttemptState, event: AttemptEvent) -> None:
    target = TRANSITIONS[state].get(event)
    if target is not None:
        assert advance(state, event) is target
        return

    with pytest.raises(IllegalTransition) as refused:
        advance(state, event)
    assert (refused.value.state, refused.value.event) == (state, event)
    assert str(refused.value) == f"{event.value} is not allowed while the attempt is {state.value}"


def test_the_final_states_are_those_that_end_an_attempt() -> None:
    assert frozenset({S.COMPLETED, S.FAILED, S.TIMED_OUT, S.CANCELLED}) == FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("event", AttemptEvent)
def test_nothing_leaves_a_final_state(state: AttemptState, event: AttemptEvent) -> None:
    with pytest.raises(IllegalTransition):
        advance(state, event)


def test_every_state_is_reached_from_the_first() -> None:
    assert reachable(S.READY) == set(AttemptState)


@pytest.mark.parametrize("state", AttemptState)
def test_an_end_is_reached_from_every_state(state: AttemptState) -> None:
    assert reachable(state) & FINAL


def test_every_event_is_allowed_somewhere() -> None:
    assert {event for row in TRANSITIONS.values() for event in row} == set(AttemptEvent)


@pytest.mark.parametrize("state", [state for state in AttemptState if state not in FINAL | {S.CANCELLING}])
def test_whatever_has_not_ended_can_be_cancelled(state: AttemptState) -> None:
    expected = S.CANCELLED if state is S.READY else S.CANCELLING

    assert advance(state, E.CANCEL) is expected


@pytest.mark.parametrize("event", [event for event in AttemptEvent if event is not E.SETTLE])
def test_a_cancelled_attempt_hears_of_nothing_but_its_settling(event: AttemptEvent) -> None:
    with pytest.raises(IllegalTransition):
        advance(S.CANCELLING, event)
    assert advance(S.CANCELLING, E.SETTLE) is S.CANCELLED


def test_an_attempt_that_goes_well_is_offered_accepted_run_and_completed() -> None:
    assert history(E.OFFER, E.ACCEPT, E.START, E.PROGRESS, E.PROGRESS, E.COMPLETE) is S.COMPLETED


@pytest.mark.parametrize("answer", [E.REJECT, E.EXPIRE, E.LOSE])
def test_an_offer_that_comes_to_nothing_can_be_made_again(answer: AttemptEvent) -> None:
    assert history(E.OFFER, answer, E.OFFER) is S.OFFERED


@pytest.mark.parametrize("before", [(E.OFFER, E.ACCEPT), (E.OFFER, E.ACCEPT, E.START)])
def test_what_was_accepted_but_did_not_begin_can_be_offered_again(before: tuple[AttemptEvent, ...]) -> None:
    assert history(*before, E.NOT_START, E.OFFER) is S.OFFERED


def test_losing_a_worker_costs_the_attempt_only_if_it_ran() -> None:
    assert history(E.OFFER, E.LOSE) is history(E.OFFER, E.ACCEPT, E.LOSE) is S.READY
    assert history(E.OFFER, E.ACCEPT, E.START, E.LOSE) is S.FAILED


@given(st.lists(st.sampled_from(AttemptEvent), max_size=40))
def test_no_history_leaves_an_end_or_completes_what_never_ran(events: list[AttemptEvent]) -> None:
    state, path = S.READY, [S.READY]
    for event in events:
        try:
            state = advance(state, event)
        except IllegalTransition:
            continue
        path.append(state)

    assert not set(path[:-1]) & FINAL
    if path[-1] in (S.COMPLETED, S.TIMED_OUT, S.FAILED):
        assert path[-2] is S.RUNNING


def test_the_diagram_draws_every_transition_and_nothing_else() -> None:
    first, begin, *arrows = diagram().splitlines()
    drawn = {tuple(arrow.strip().replace(": ", " --> ").split(" --> ")) for arrow in arrows}

    assert (first, begin) == ("stateDiagram-v2", "    [*] --> ready")
    assert drawn == {
        (state.value, target.value, event.value) for state, row in TRANSITIONS.items() for event, target in row.items()
    } | {(state.value, "[*]") for state in FINAL}
