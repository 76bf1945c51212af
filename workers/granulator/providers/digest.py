"""An outline as text for a prompt, never longer than its budget: the whole frame first, then sentences as room allows.

Sections are served in turn, each one's strongest sentence before any one's second; where a sentence no longer fits, a
shorter one may take its room.
"""

from collections.abc import Iterator
from itertools import zip_longest

from workers.granulator.source.outline import Outline, OutlineSection
from workers.granulator.source.points import Point, leans

UNHEADED = "(no heading)"
DIGEST_TERMS = 30
_ROOM_FOR_A_NOTE = 60


def digest(outline: Outline, budget: int) -> str:
    """The outline in at most `budget` characters (at least a few hundred): title, terms, sections, key sentences."""
    opening = "\n".join(_opening(outline))[: budget - _ROOM_FOR_A_NOTE]
    room = budget - _ROOM_FOR_A_NOTE - len(opening)
    frames = _frames_that_fit(outline, room)
    room -= sum(len(frame) + 1 for frame in frames.values())
    chosen: dict[int, list[Point]] = {number: [] for number in frames}
    for number, point in _in_turn(outline, frames):
        if (cost := len(_sentence(point)) + 1) <= room:
            chosen[number].append(point)
            room -= cost
    sections = [
        "\n".join([frame, *(_sentence(point) for point in sorted(chosen[number], key=lambda point: point.sentence))])
        for number, frame in frames.items()
    ]
    hidden = len(outline.sections) - len(frames)
    return "\n".join([opening, *sections, *([f"({hidden} further sections are not shown)"] if hidden else [])])


def _opening(outline: Outline) -> Iterator[str]:
    yield f"Title: {outline.title or '(none)'}"
    yield f"Length: {outline.word_count} words in {outline.sentences} sentences, {len(outline.sections)} sections"
    yield f"Terms, weightiest first: {'; '.join(term.term for term in outline.terms[:DIGEST_TERMS])}"


def _frames_that_fit(outline: Outline, room: int) -> dict[int, str]:
    """A line for each section by its number, higher levels first where there is not room for all, in reading order."""
    fitting: dict[int, str] = {}
    for number in sorted(range(len(outline.sections)), key=lambda number: outline.sections[number].level):
        frame = _frame(outline.sections[number])
        if len(frame) + 1 <= room:
            fitting[number] = frame
            room -= len(frame) + 1
    return dict(sorted(fitting.items()))


def _frame(section: OutlineSection) -> str:
    terms = "; ".join(term.term for term in section.terms)
    heading = f"{'#' * max(1, section.level)} {section.heading or UNHEADED}"
    return f"{heading}\n({_span(section)}{section.word_count} words; terms: {terms})"


def _span(section: OutlineSection) -> str:
    if not section.passages:
        return ""
    return f"sentences {section.passages[0].sentences[0]} to {section.passages[-1].sentences[1]}, "


def _in_turn(outline: Outline, frames: dict[int, str]) -> Iterator[tuple[int, Point]]:
    """The points of the framed sections with their section's number: the strongest of each, the second of each, ..."""
    for rank in zip_longest(*([(number, point) for point in _ranked(outline.sections[number])] for number in frames)):
        yield from (item for item in rank if item is not None)


def _ranked(section: OutlineSection) -> list[Point]:
    """Its points, strongest first; one that can be read alone goes before all that cannot."""
    points = [point for passage in section.passages for point in passage.points]
    return sorted(points, key=lambda point: (leans(point.text), -point.weight))


def _sentence(point: Point) -> str:
    return f"[{point.sentence}] {point.text}"
