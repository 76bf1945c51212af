"""A PDF's lines to Markdown: headings, paragraphs put together over lines and pages, words joined over hyphens.

Equal lines give equal text; nothing is added but the marks of headings and lists.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

from workers.granulator.intake import markdown
from workers.granulator.intake.pdf_furniture import without_furniture
from workers.granulator.intake.pdf_headings import Entry, Part, body_size, parts_of
from workers.granulator.intake.pdf_lines import Line

WIDER: Final = 1.35
"""So many times the usual distance of lines, and a new paragraph has begun."""
_INDENT: Final = 0.6  # of the type size

_BULLET: Final = re.compile(r"^[•‣▪●◦–*·]\s+")
_ENDS_SENTENCE: Final = re.compile(r"[.!?:…][\"'”’)\]]*$")
_HYPHENATED: Final = re.compile(r"(\w+)[-\u00ad\u2010]$")
_WORD: Final = re.compile(r"\w+(?:[-\u2010]\w+)*")
_FIRST_WORD: Final = re.compile(r"^\w+")


def to_markdown(pages: Sequence[Sequence[Line]], entries: Sequence[Entry]) -> str:
    """The text of the pages; `entries` are the outline's, in any order."""
    body = body_size(pages)
    parts = parts_of(without_furniture(pages, body), entries, body)
    words = _Words(parts)
    return markdown.document(block for block in _blocks(parts, words) if block.strip("- "))


class _Words:
    """Every word of the text with its hyphens, to tell those it is spelt with from those it was broken by."""

    def __init__(self, parts: Sequence[Part]) -> None:
        texts = (part.text for part in parts)
        self._known = {word.lower() for text in texts for word in _WORD.findall(text)}

    def join(self, before: str, after: str) -> str:
        """Two lines as running text; a word that was broken at the end of the first is whole again."""
        broken, rest = _HYPHENATED.search(before), _FIRST_WORD.match(after)
        if not broken or not rest or not rest[0][0].islower():
            return f"{before} {after}"
        is_spelt_so = f"{broken[1]}-{rest[0]}".lower() in self._known and not before.endswith("\u00ad")
        is_one_word = f"{broken[1]}{rest[0]}".lower() in self._known
        return before + after if is_spelt_so and not is_one_word else before[:-1] + after


def _blocks(parts: Sequence[Part], words: _Words) -> Iterator[str]:
    leading = _leading(parts)
    text = ""
    before: Part | None = None
    for part in parts:
        if part.level is not None:
            yield from _written(text)
            yield markdown.heading(part.text, part.level)
            text, before = "", None
            continue
        for line in part.lines:
            if before is None or _begins_paragraph(before, line, part.page, leading):
                yield from _written(text)
                text = line.text
            else:
                text = words.join(text, line.text)
            before = Part((line,), part.page)
    yield from _written(text)


def _written(text: str) -> Iterator[str]:
    if not text:
        return
    bullet = _BULLET.match(text)
    yield markdown.item(text[bullet.end() :]) if bullet else markdown.paragraph(text)


def _begins_paragraph(before: Part, line: Line, page: int, leading: float) -> bool:
    last = before.lines[-1]
    if _BULLET.match(line.text):
        return True
    ended = bool(_ENDS_SENTENCE.search(last.text))
    if before.page != page or line.y > last.y:  # the next page, or the next column
        return ended
    if last.y - line.y > WIDER * leading * max(line.size, last.size):
        return True
    return ended and line.x - last.x > _INDENT * line.size


def _leading(parts: Sequence[Part]) -> float:
    """The usual distance of two lines of running text, in units of their size."""
    lines = [(part.page, line) for part in parts if part.level is None for line in part.lines]
    gaps = [
        (a.y - b.y) / a.size
        for (page, a), (following, b) in pairwise(lines)
        if page == following and a.size == b.size > 0 and 0 < a.y - b.y < 3 * a.size
    ]
    return median(gaps) if gaps else 1.2
