"""What stands at the edges of every page, headers, footers and page numbers, told by its coming again and again.

Larger type than the text's is never taken for it: a book may well begin each chapter at the same place of a page.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from workers.granulator.intake.pdf_lines import Line

EDGE_LINES: Final = 2
"""How many lines from the top and from the bottom of a page may be furniture."""
LEAST_PAGES: Final = 3
"""On so many pages a line must stand alike, or on both of two."""

_PAGE_NUMBER: Final = re.compile(
    r"(?:[-–—|•\[(]\s*)?(?:page|p\.|seite|página|pagina)?\s*"
    r"(?:\d{1,4}|(?=[ivxl])(?:xl|l?x{0,3})(?:ix|iv|v?i{0,3}))"
    r"(?:\s*(?:/|of|von|de|di|\|)\s*\d{1,4})?(?:\s*[-–—|•\])])?",
    re.IGNORECASE,
)

_Form = tuple[str, int]
Page = Sequence[Line]


def without_furniture(pages: Sequence[Page], body_size: float) -> list[tuple[Line, ...]]:
    """The pages without headers, footers and page numbers; `body_size` is the type size of the running text."""
    edges = [_edges(page, body_size) for page in pages]
    often = Counter(form for lines in edges for form in {_form(line) for line in lines})
    least = min(LEAST_PAGES, max(2, len(pages)))
    kept = []
    for page, lines in zip(pages, edges, strict=True):
        dropped = {id(line) for line in lines if _PAGE_NUMBER.fullmatch(line.text) or often[_form(line)] >= least}
        kept.append(tuple(line for line in page if id(line) not in dropped))
    return kept


def _edges(page: Page, body_size: float) -> list[Line]:
    ordered = sorted(page, key=lambda line: line.y)
    return [line for line in {*ordered[:EDGE_LINES], *ordered[-EDGE_LINES:]} if line.size <= body_size]


def _form(line: Line) -> _Form:
    """What two lines of furniture have in common: their words, any numbers, and their height, to about a line."""
    return re.sub(r"\d+", "#", line.text.lower()), round(line.y / 6)
