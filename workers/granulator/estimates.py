"""How long each action will take, from the size of its source, for the estimate that an accepted offer carries.

Starting values: CPU time measured on texts of 3,000 and 54,000 words, on one core of a shared two-core cloud machine
with Python 3.11, and halved so that a busy machine keeps its word. Where there is history, history knows better.
"""

from math import ceil
from typing import Literal

ActionName = Literal["outline", "granulate", "index_terms", "validate"]

WORDS_PER_SECOND: dict[ActionName, int] = {
    "outline": 25_000,
    "granulate": 45_000,
    "index_terms": 65_000,
    "validate": 150_000,
}
# What a call costs whatever its size: parsing the input, encoding the answer.
FLOOR_MS = 25


def estimate_ms(action: ActionName, words: int) -> int:
    """Milliseconds that an action will take on a source of so many words."""
    return FLOOR_MS + ceil(1_000 * words / WORDS_PER_SECOND[action])
