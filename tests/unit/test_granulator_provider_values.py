"""The providers' small values: prices, sums of what was spent, and events cut out of bytes."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.granulator.providers.events import EventReader, MalformedStream, ServerEvent
from workers.granulator.providers.prices import prices_from
from workers.granulator.providers.provider import NOTHING, Spent
from workers.granulator.providers.refusal import asked_wait_s

PRICES = prices_from({})
STREAM = (
    "\ufeff: a comment\r\nevent: greeting\r\ndata: grüß\r\ndata:dich\r\n\r\nid: 7\n\n\ndata: 🥖\n\ndata: unfinished\n"
)
EVENTS = [ServerEvent("greeting", "grüß\ndich"), ServerEvent("message", "🥖")]


@given(st.lists(st.integers(0, len(STREAM.encode()))))
def test_events_are_the_same_wherever_their_bytes_are_cut(places: list[int]) -> None:
    whole = STREAM.encode()
    edges = [0, *sorted(places), len(whole)]
    reader = EventReader()

    events = [event for start, end in pairwise(edges) for event in reader.feed(whole[start:end])]

    assert events == EVENTS


def test_bytes_that_are_not_utf_8_are_no_event_stream() -> None:
    with pytest.raises(MalformedStream, match="the text is not UTF-8"):
        list(EventReader().feed(b"data: \xff\n"))


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "claude-3-haiku-20240307", "claude-3-5-haiku-latest"]
)
def test_editions_of_a_model_share_its_price(model: str) -> None:
    assert PRICES.of(model) is not None


@pytest.mark.parametrize("model", ["gpt-4o-mini-audio-preview", "gpt-4", "llama3", ""])
def test_a_model_that_is_not_in_the_table_has_no_price(model: str) -> None:
    assert PRICES.cost(model, 1_000, 1_000) is None


def test_a_cost_is_exact_and_is_unknown_where_an_amount_is() -> None:
    assert PRICES.cost("gpt-4o-mini", 1_234_567, 89) == Decimal("0.18523845")
    assert PRICES.cost("gpt-4o-mini", 1_000, None) is None


def test_what_was_spent_adds_up_and_the_unknown_stays_unknown() -> None:
    some, unknown = Spent(10, 20, Decimal("0.5")), Spent(1, None, None)

    assert NOTHING + some + some == Spent(20, 40, Decimal("1.0"))
    assert (some + unknown, (some + unknown).tokens) == (Spent(11, None, None), None)
    assert some.tokens == 30


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:17 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 17),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:17 GMT"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:17 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:17 GMT", "Date": "Wed, 21 Oct 2026 07:28:00"}, None),
    ],
)
def test_the_pause_a_server_asks_for_is_read_or_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait_s(headers) == seconds
