"""Durations, times and money as people say them, and the headings of the fields that hold them.

The contract puts the unit into a field's name (`...At`, `...Ms`, `...Usd`); here it is read back. Pure.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

NOTHING: Final = "–"

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_UNITS: Final = ("At", "Ms", "Usd", "Id")


def duration(milliseconds: float) -> str:
    """`850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`, `3 d 4 h`."""
    if round(milliseconds) < 1_000:
        return f"{round(milliseconds)} ms"
    if round(milliseconds / 1_000, 1) < _MINUTE:
        return f"{milliseconds / 1_000:.1f} s"
    seconds = round(milliseconds / 1_000)
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE:02} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def instant(text: object) -> datetime | None:
    """The time that ISO 8601 text names, in UTC where it names no zone; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        named = datetime.fromisoformat(text)
    except ValueError:
        return None
    return named if named.tzinfo else named.replace(tzinfo=UTC)


def milliseconds_between(start: object, end: object) -> float | None:
    """From one ISO time (or datetime) to another, never below 0: two machines' clocks need not agree."""
    first, last = (moment if isinstance(moment, datetime) else instant(moment) for moment in (start, end))
    return None if first is None or last is None else max(0.0, (last - first).total_seconds() * 1_000)


def when(moment: object, now: datetime) -> str:
    """`12.3 s ago`, `in 4 min 05 s`; more than a day away, the date itself."""
    named = instant(moment)
    if named is None:
        return NOTHING if moment is None else str(moment)
    distance = (named - now).total_seconds()
    if abs(distance) > _DAY:
        return f"{named.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if abs(distance) < 1:
        return "now"
    span = duration(abs(distance) * 1_000)
    return f"in {span}" if distance > 0 else f"{span} ago"


def money(usd: object) -> str:
    """Dollars with cents, and with as many more digits as a small sum needs to be told from nothing."""
    try:
        amount = Decimal(str(usd))
    except InvalidOperation:
        return str(usd)
    if not amount.is_finite():
        return str(usd)
    places = 2 if amount == 0 or abs(amount) >= 1 else min(8, max(2, 1 - amount.adjusted()))
    return f"${amount:,.{places}f}"


def heading(field: str) -> str:
    """`estimatedStartAt` -> `Estimated start`: the words of a field's name, without its unit."""
    bare = next((field.removesuffix(unit) for unit in _UNITS if field.endswith(unit) and field != unit), field)
    words = " ".join(_WORD.findall(bare) or [bare]).lower()
    return words[:1].upper() + words[1:]


def value(field: str, content: Any, now: datetime) -> str:
    """A field's content in words; what is nested stays JSON, on one line."""
    match content:
        case None:
            return NOTHING
        case bool():
            return "yes" if content else "no"
        case str() if field.endswith("At"):
            return when(content, now)
        case int() | float() if field.endswith("Ms"):
            return duration(content)
        case int() | float() | str() if field.endswith("Usd"):
            return money(content)
        case str() | int() | float():
            return str(content)
        case list() if not any(isinstance(item, list | Mapping) for item in content):
            return ", ".join(str(item) for item in content) or NOTHING
        case _:
            return json.dumps(content, ensure_ascii=False)
