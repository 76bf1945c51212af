"""How long each action will take and how much memory, from the size of its source, for the estimate of an offer.

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
# A document that is fetched may be a PDF, and is read by a process that has to be started first.
FETCHED_WORDS_PER_SECOND = 40_000
FETCHED_FLOOR_MS = 400

# The process with its libraries, and what it holds of a text while it is taken apart: measured at 57,000 and 372,000
# words, as the growth of the process.
FLOOR_MB = 128
WORDS_PER_MB = 2_500


def estimate_ms(action: ActionName, words: int) -> int:
    """Milliseconds that an action will take on a source of so many words."""
    return FLOOR_MS + ceil(1_000 * words / WORDS_PER_SECOND[action])


def fetching_ms(words: int) -> int:
    """Milliseconds to make text of documents of about so many words."""
    return FETCHED_FLOOR_MS + ceil(1_000 * words / FETCHED_WORDS_PER_SECOND)


def memory_mb(words: int) -> int:
    """MiB that the process will have while a source of so many words is worked on."""
    return FLOOR_MB + ceil(words / WORDS_PER_MB)
