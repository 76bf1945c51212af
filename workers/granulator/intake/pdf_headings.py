"""Which lines of a PDF are headings, and how high: by its outline where it has one, else by the size of their type.

A PDF marks no headings. Its outline names them; without one, what is set larger than the running text heads it, and
what is bold and stands alone heads it one level below everything larger.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workers.granulator.intake.pdf_lines import Line

LARGER: Final = 1.15
"""From this share of the running text's size on, type is set larger to be seen, and not by rounding."""
MOST_LEVELS: Final = 4
LONGEST_HEADING: Final = 200
LONGEST_BOLD_HEADING_WORDS: Final = 12
LEAST_MATCHED: Final = 2
"""So many entries of an outline must be found in the text before it is believed."""
_LONGEST_NUMBER: Final = len("chapter00")
_SIZES_ALIKE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a PDF's outline: its title, how deep it stands from 1, and the page it leads to, from 0."""

    title: str
    depth: int
    page: int


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one page set alike that belong together, and the level at which they head what follows, if they do."""

    lines: tuple[Line, ...]
    page: int
    level: int | None = None

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def size(self) -> float:
        return self.lines[0].size


def body_size(pages: Sequence[Sequence[Line]]) -> float:
    """The type size in which most of the text is set; 0 for no text."""
    characters: Counter[float] = Counter()
    for page in pages:
        for line in page:
            characters[line.size] += len(line.text)
    return characters.most_common(1)[0][0] if characters else 0.0


def parts_of(pages: Sequence[Sequence[Line]], entries: Sequence[Entry], body: float) -> list[Part]:
    """The pages' lines in order, every heading a part of its own with its level; `body` is the running text's size."""
    is_bold_text = _is_mostly_bold(pages)
    parts = [part for number, page in enumerate(pages) for part in _joined(page, number, body, is_bold_text)]
    named = _levels_by_outline(parts, entries)
    levels = named if len(named) >= LEAST_MATCHED else _levels_by_type(parts, body, is_bold_text)
    return [Part(part.lines, part.page, levels.get(index)) for index, part in enumerate(parts)]


def _joined(page: Sequence[Line], number: int, body: float, is_bold_text: bool) -> Iterator[Part]:
    """A heading of several lines is one part; every other line is one by itself."""
    run: list[Line] = []
    for line in page:
        if run and _stands_out(line, body, is_bold_text) and _continues(run[-1], line):
            run.append(line)
            continue
        if run:
            yield Part(tuple(run), number)
        run = [line]
    if run:
        yield Part(tuple(run), number)


def _stands_out(line: Line, body: float, is_bold_text: bool) -> bool:
    return line.size >= LARGER * body or (line.is_bold and not is_bold_text)


def _continues(before: Line, line: Line) -> bool:
    alike = before.is_bold == line.is_bold and abs(before.size - line.size) < _SIZES_ALIKE
    return alike and 0 <= before.y - line.y <= 2 * line.size


def _is_mostly_bold(pages: Sequence[Sequence[Line]]) -> bool:
    bold = sum(len(line.text) for page in pages for line in page if line.is_bold)
    return 2 * bold > sum(len(line.text) for page in pages for line in page)


def _levels_by_outline(parts: Sequence[Part], entries: Sequence[Entry]) -> dict[int, int]:
    """The level of each part that the outline names; a title set larger before the first of them is above them all."""
    wanted: dict[int, list[Entry]] = {}
    for entry in entries:
        wanted.setdefault(entry.page, []).append(entry)
    found: dict[int, int] = {}
    for index, part in enumerate(parts):
        match = next((entry for entry in wanted.get(part.page, ()) if _is_named(part.text, entry.title)), None)
        if match is not None:
            wanted[part.page].remove(match)
            found[index] = match.depth
    first = min(found, default=0)
    before = [index for index in range(first) if parts[index].page == 0 and _may_head(parts[index].text)]
    title = max(before, key=lambda index: parts[index].size, default=None)
    if title is None or parts[title].size <= max(parts[index].size for index in found):
        return found
    return {title: 1} | {index: depth + 1 for index, depth in found.items()}


def _is_named(text: str, title: str) -> bool:
    """Whether a line is the title, perhaps with the number that the outline leaves out."""
    line, wanted = _letters(text), _letters(title)
    return bool(wanted) and line.endswith(wanted) and len(line) - len(wanted) <= _LONGEST_NUMBER


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _levels_by_type(parts: Sequence[Part], body: float, is_bold_text: bool) -> dict[int, int]:
    larger = {i: part for i, part in enumerate(parts) if part.size >= LARGER * body and _may_head(part.text)}
    sizes: list[float] = []
    for size in sorted({part.size for part in larger.values()}, reverse=True):
        if not sizes or sizes[-1] - size >= _SIZES_ALIKE:
            sizes.append(size)
    levels = {i: min(sum(size > part.size - _SIZES_ALIKE for size in sizes), MOST_LEVELS) for i, part in larger.items()}
    lowest = max(levels.values(), default=0) + 1
    for index, part in enumerate(parts):
        if index not in levels and not is_bold_text and _is_bold_heading(part):
            levels[index] = lowest
    return levels


def _may_head(text: str) -> bool:
    """Whether text is fit for a heading: short, and more than an initial letter or a number."""
    return len(text) <= LONGEST_HEADING and sum(character.isalpha() for character in text) > 1


def _is_bold_heading(part: Part) -> bool:
    fits = len(part.text.split()) <= LONGEST_BOLD_HEADING_WORDS and _may_head(part.text)
    return all(line.is_bold for line in part.lines) and fits and not part.text.endswith((".", ",", ";", ":"))
