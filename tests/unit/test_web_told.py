"""The events of a stream, from snapshots and notices: each kept fact once, in order, under ids that never go back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.document import execution_document
from orchestrator.core.events import CancelRequested
from orchestrator.dispatch.watch import Notice
from orchestrator.event_stream import EventParser
from orchestrator.store.executions import Snapshot
from orchestrator.web.told import KEPT, Event, Told
from tests.factories import an_execution, happen


def a_snapshot(sequence: int, *, final: bool = False) -> Snapshot:
    execution = an_execution()
    if final:
        happen(execution, CancelRequested())
    return Snapshot(execution, sequence, None)


def a_notice(sequence: int, kind: str = "stage", **data: Any) -> Notice:
    return Notice(sequence, kind, data)


def told_up_to(sequence: int) -> Told:
    told = Told(None)
    told.of_snapshot(a_snapshot(sequence))
    return told


def test_a_stream_begins_with_the_whole_execution() -> None:
    snapshot = a_snapshot(7)

    assert Told(None).of_snapshot(snapshot) == [Event("snapshot", execution_document(snapshot.execution), 7)]


def test_a_stream_that_resumes_where_nothing_has_happened_tells_nothing_again() -> None:
    assert Told(7).of_snapshot(a_snapshot(7)) == []


@pytest.mark.parametrize("last_event_id", [6, 8])
def test_a_stream_that_resumes_elsewhere_begins_with_the_whole_execution(last_event_id: int) -> None:
    assert [event.id for event in Told(last_event_id).of_snapshot(a_snapshot(7))] == [7]


def test_a_final_execution_is_told_and_ended() -> None:
    told = Told(None)
    events = told.of_snapshot(a_snapshot(7, final=True))

    assert [(event.name, event.id) for event in events] == [("snapshot", 7), ("end", 7)]
    assert told.ended


def test_a_final_execution_that_was_told_is_ended_again() -> None:
    told = Told(7)

    assert [event.name for event in told.of_snapshot(a_snapshot(7, final=True))] == ["end"]
    assert told.ended


def test_notices_that_the_snapshot_holds_are_dropped() -> None:
    events = told_up_to(7).of_notices([a_notice(6), a_notice(7), a_notice(8, name="a"), a_notice(9, "execution")])

    assert events == [Event("stage", {"name": "a"}, 8), Event("execution", {}, 9)]


def test_what_is_not_kept_bears_no_id_and_hides_nothing_that_is_older() -> None:
    events = told_up_to(4).of_notices([a_notice(9, "progress"), a_notice(5), a_notice(10, "metrics"), a_notice(6)])

    assert [(event.name, event.id) for event in events] == [
        ("progress", None),
        ("stage", 5),
        ("metrics", None),
        ("stage", 6),
    ]


def test_progress_that_the_snapshot_is_past_is_dropped_but_lines_are_not() -> None:
    events = told_up_to(9).of_notices([a_notice(8, "progress"), a_notice(8, "metrics"), a_notice(8, "log", line="hi")])

    assert events == [Event("log", {"line": "hi"})]


def test_nothing_follows_the_end() -> None:
    told = told_up_to(4)
    events = told.of_notices([a_notice(5), a_notice(6, "end"), a_notice(7, "log")])

    assert [event.name for event in events] == ["stage", "end"]
    assert told.ended


def test_nothing_follows_the_end_that_a_snapshot_told() -> None:
    told = Told(None)
    told.of_snapshot(a_snapshot(7, final=True))

    assert told.of_notices([a_notice(6), a_notice(7, "end"), a_notice(8, "log")]) == []


@given(
    st.lists(
        st.lists(st.builds(a_notice, st.integers(0, 30), st.sampled_from([*KEPT, "log", "progress"])), max_size=5)
        | st.builds(a_snapshot, st.integers(0, 30)),
        max_size=20,
    )
)
def test_a_notices_id_is_greater_than_any_told_before(happenings: list[Any]) -> None:
    told = Told(None)
    highest = -1
    for happening in happenings:
        if isinstance(happening, Snapshot):
            if happening.sequence >= highest:
                highest = max([highest, *(event.id or -1 for event in told.of_snapshot(happening))])
            continue
        for event in told.of_notices(happening):
            if event.id is not None:
                assert event.id > highest
                highest = event.id


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.sampled_from(["stage", "log"]), st.dictionaries(TEXT, TEXT | st.integers(0, 9)), st.none() | st.integers(0))
def test_an_event_is_read_back_as_it_was_written(name: str, data: dict[str, Any], number: int | None) -> None:
    [read] = EventParser().feed(Event(name, data, number).encode())

    assert (read.name, read.data, read.id) == (name, data, None if number is None else str(number))
