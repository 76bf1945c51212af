"""How much one training may be. What is beyond is refused when it is offered, before anything is loaded.

The bounds keep one training within a gigabyte of memory and one step within about two seconds of one core.
"""

from typing import Final

EPOCHS: Final = 1_000
BATCH_SIZE: Final = 256
LAYERS: Final = 8
NEURONS: Final = 1_024
ROWS: Final = 200_000
FEATURES: Final = 4_096
VALUES: Final = 8_000_000
"""Rows times features: 32 MB as 32-bit floats."""
CLASSES: Final = 1_000
ARTIFACT_BYTES: Final = 64 * 1024 * 1024


class TooLarge(Exception):
    """Something is beyond a limit; the text says what, how much, and the limit."""


def at_most(limit: int, **named: int) -> None:
    """Raises `TooLarge` for the first of the named amounts that is over the limit."""
    for name, amount in named.items():
        if amount > limit:
            raise TooLarge(f"{name} is {amount:,}; this worker takes at most {limit:,}")
