"""Ids that sort by the time they were made: a kind, and a ULID of 48 bits of milliseconds and 80 of chance."""

from datetime import datetime
from typing import Final

CHANCE_BITS: Final = 80
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = [first + second for first in _CROCKFORD for second in _CROCKFORD]


def time_ordered_id(kind: str, number: int) -> str:
    """The id of a kind with these 128 bits; smaller numbers sort first."""
    return f"{kind}_{''.join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])}"


def earliest_id(kind: str, at: datetime) -> str:
    """What no id of the kind sorts before that is made from then on."""
    return time_ordered_id(kind, int(at.timestamp() * 1000) << CHANCE_BITS)
