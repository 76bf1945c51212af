"""The lines of a PDF's pages as they were set: their words, their size, and where on the page they stand.

A PDF holds no lines, only strings put at places; strings that follow each other without a break make a line here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any, Final, Protocol

_BOLD: Final = ("bold", "black", "heavy", "semibold", "demi")


class Page(Protocol):
    """As much of a PDF library's page as is needed here."""

    def extract_text(self, *, visitor_text: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class Line:
    """A line of type: `size` in points as printed, `x` and `y` of its beginning in points, `y` upwards.

    A soft hyphen or a hyphen at its end is still there.
    """

    text: str
    size: float
    x: float
    y: float
    is_bold: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    size: float
    x: float
    y: float
    is_bold: bool


def lines_of(page: Page) -> tuple[Line, ...]:
    """The page's lines in the order in which they were set, those without a character left out."""
    pieces: list[_Piece] = []

    def see(text: str, user: Sequence[float], matrix: Sequence[float], font: Any, size: float) -> None:
        if text:
            pieces.append(_piece(text, user, matrix, font, size))

    page.extract_text(visitor_text=see)
    return tuple(line for run in _runs(pieces) if (line := _line(run)) is not None)


def _piece(text: str, user: Sequence[float], matrix: Sequence[float], font: Any, size: float) -> _Piece:
    """A string with its place and size carried from the text's own space to the page's."""
    a, b, c, d, e, f = (float(value) for value in user)
    x, y = float(matrix[4]), float(matrix[5])
    upright = float(matrix[2]), float(matrix[3])
    scale = hypot(upright[0] * a + upright[1] * c, upright[0] * b + upright[1] * d)
    name = str((font or {}).get("/BaseFont", "")).lower()
    is_bold = any(word in name for word in _BOLD)
    return _Piece(text, round(float(size) * scale, 1), x * a + y * c + e, x * b + y * d + f, is_bold)


def _runs(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """The pieces of each line; a piece may hold the end of one and the beginning of the next."""
    run: list[_Piece] = []
    for piece in pieces:
        first, *others = piece.text.split("\n")
        run.append(_Piece(first, piece.size, piece.x, piece.y, piece.is_bold))
        for other in others:
            yield run
            run = [_Piece(other, piece.size, piece.x, piece.y, piece.is_bold)]
    yield run


def _line(run: Sequence[_Piece]) -> Line | None:
    said = [piece for piece in run if piece.text.strip()]
    if not said:
        return None
    sizes: Counter[tuple[float, bool]] = Counter()
    for piece in said:
        sizes[piece.size, piece.is_bold] += len(piece.text.strip())
    (size, is_bold), _ = sizes.most_common(1)[0]
    text = " ".join("".join(piece.text for piece in run).split())
    return Line(text, size, said[0].x, said[0].y, is_bold)
