"""Server-sent events, however their bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.event_stream import Event, EventParser

STREAM = (
    "\ufeff: a comment\r\nretry: 250\r\n\r\n"
    'id: 7\r\nevent: stage\ndata: {"name":\ndata: "čtení"}\n\n'
    "data: 1\r\rnonsense: x\nid\nevent: end\ndata:null\n\n"
    "event: empty\n\ndata: unfinished"
).encode()
EVENTS = [Event("stage", {"name": "čtení"}, "7"), Event("message", 1, "7"), Event("end", None, "")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_events_are_the_same_however_the_stream_is_cut(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(STREAM)]
    parser = EventParser()

    heard = [event for start, end in pairwise(cuts) for event in parser.feed(STREAM[start:end])]

    assert (heard, parser.reconnect_s) == (EVENTS, 0.25)


def test_an_id_with_a_nul_is_not_an_id() -> None:
    assert EventParser().feed(b"id: 1\nid: 2\0\ndata: 1\n\n") == [Event("message", 1, "1")]


def test_data_that_is_not_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        EventParser().feed(b"data: hello\n\n")
