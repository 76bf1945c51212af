"""What is seen of an event stream that goes back, leaves something out, or goes on after its end."""

from typing import Any

import pytest

from orchestrator.event_stream import Event
from tests.torture.watching import Followed


def a_document(status: str, progress: int, **stages: str) -> dict[str, Any]:
    told = [{"name": name, "status": status} for name, status in stages.items()]
    return {"status": status, "progress": progress, "stages": told}


def a_stage_event(name: str, status: str, progress: int, number: int) -> Event:
    data = {"status": "running", "progress": progress, "stage": {"name": name, "status": status}}
    return Event("stage", data, str(number))


SNAPSHOT = Event("snapshot", a_document("running", 0, one="running", two="pending"), "3")
ONE = a_stage_event("one", "completed", 50, 4)
TWO = a_stage_event("two", "completed", 100, 5)
END = Event("end", a_document("completed", 100, one="completed", two="completed"), "6")


def followed(*events: Event) -> Followed:
    followed = Followed("e")
    for event in events:
        followed.take(event)
    return followed


def test_a_stream_that_tells_everything_in_order_to_its_end_is_as_it_should_be() -> None:
    seen = followed(SNAPSHOT, Event("log", {"line": "hello"}, None), ONE, TWO, END)
    assert (seen.violations, seen.end, seen.last_id) == ([], "completed", 6)


def test_a_snapshot_stands_for_what_was_missed_before_it() -> None:
    later = Event("snapshot", a_document("running", 50, one="completed", two="running"), "4")
    assert followed(SNAPSHOT, later, TWO, END).violations == []


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ((SNAPSHOT, TWO, END), "ended with"),
        ((SNAPSHOT, ONE, TWO, END, END), "was told of end after its end"),
        ((SNAPSHOT, TWO, ONE, END), "went back from 5 to 4"),
        ((SNAPSHOT, TWO, a_stage_event("one", "completed", 50, 6), END), "fell from 100 % to 50 %"),
    ],
)
def test_what_is_left_out_goes_back_or_comes_too_late_is_seen(events: tuple[Event, ...], what: str) -> None:
    [first, *_] = followed(*events).violations
    assert what in first
