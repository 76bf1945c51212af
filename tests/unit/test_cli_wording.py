"""Durations, times, money and headings, as people say them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.cli.wording import duration, heading, milliseconds_between, money, value, when

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (850.4, "850 ms"),
        (999.6, "1.0 s"),
        (12_340, "12.3 s"),
        (59_960, "1 min 00 s"),
        (245_000, "4 min 05 s"),
        (3_599_700, "1 h 00 min"),
        (7_380_000, "2 h 03 min"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_a_duration_is_told_in_the_two_units_that_matter(milliseconds: float, words: str) -> None:
    assert duration(milliseconds) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-01-01T11:59:47.700Z", "12.3 s ago"),
        ("2026-01-01T12:04:05+00:00", "in 4 min 05 s"),
        ("2026-01-01T13:00:00+01:00", "now"),
        ("2025-12-24T18:30:00Z", "2025-12-24 18:30 UTC"),
        ("2026-01-01T11:59:50", "10.0 s ago"),
        ("soon", "soon"),
        (None, "–"),
    ],
)
def test_a_time_is_told_from_now_and_by_its_date_when_it_is_far(moment: object, words: str) -> None:
    assert when(moment, NOW) == words


def test_a_span_that_ends_before_it_starts_is_no_time_at_all() -> None:
    assert milliseconds_between("2026-01-01T12:00:01Z", NOW) == 0


def test_a_span_with_an_unknown_end_is_unknown() -> None:
    assert milliseconds_between(None, NOW) is None


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0, "$0.00"),
        ("0.003", "$0.0030"),
        (0.00000012, "$0.00000012"),
        ("0.25", "$0.25"),
        (1234.5, "$1,234.50"),
        ("a lot", "a lot"),
        ("NaN", "NaN"),
    ],
)
def test_money_shows_a_small_sum_as_more_than_nothing(usd: object, words: str) -> None:
    assert money(usd) == words


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("estimatedStartAt", "Estimated start"),
        ("retryAfterMs", "Retry after"),
        ("costUsd", "Cost"),
        ("workerId", "Worker"),
        ("snake_case", "Snake case"),
        ("Id", "Id"),
        ("websocketURL", "Websocket url"),
    ],
)
def test_a_heading_is_the_fields_words_without_the_unit(field: str, words: str) -> None:
    assert heading(field) == words


@pytest.mark.parametrize(
    ("field", "content", "words"),
    [
        ("finishedAt", "2026-01-01T11:59:00Z", "1 min 00 s ago"),
        ("waitMs", 1_500, "1.5 s"),
        ("costUsd", "0.5", "$0.50"),
        ("tokens", 1500, "1500"),
        ("held", True, "yes"),
        ("reason", None, "–"),
        ("capabilities", ["a", "b"], "a, b"),
        ("labels", [], "–"),
        ("limits", {"costUsd": 1}, '{"costUsd": 1}'),
    ],
)
def test_a_value_is_told_by_the_unit_in_its_fields_name(field: str, content: Any, words: str) -> None:
    assert value(field, content, NOW) == words
