"""How what was read from other forms is written as the Markdown that a document is read from.

What stands in a paragraph stays prose: no mark of its own can make a heading, a table or code of it.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

DEEPEST: Final = 6

_ITEM: Final = "- "
_OPENING_MARK: Final = re.compile(r"^(?:#{1,6}\s+|>\s+|```+|~~~+|[=-]+$)")


def heading(text: str, level: int) -> str:
    """A heading of level 1 and below, on one line."""
    return f"{'#' * min(max(level, 1), DEEPEST)} {folded(text)}"


def paragraph(text: str) -> str:
    """Running text on one line; empty for text without any."""
    return _OPENING_MARK.sub("", folded(text)).replace("|", "¦")


def item(text: str) -> str:
    """An item of a list."""
    return f"{_ITEM}{paragraph(text)}"


def document(blocks: Iterable[str]) -> str:
    """The text of blocks in order; the items of one list stay together."""
    written = list(blocks)
    breaks = ["\n" if a.startswith(_ITEM) and b.startswith(_ITEM) else "\n\n" for a, b in pairwise(written)]
    return "".join(block + end for block, end in zip(written, [*breaks, "\n"], strict=True)) if written else ""


def folded(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())
