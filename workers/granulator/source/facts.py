"""The sentences of an outline, each read once for every later use, with where it stands and what it defines.

How many are read is bounded, whatever the length of the text; each passage has its weightiest read before any has more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workers.granulator.language.definitions import Definition, definitions_in
from workers.granulator.language.readings import Nature, ReadSentence, read_sentence
from workers.granulator.source.outline import Outline, Passage
from workers.granulator.source.points import Point, leans

MOST_FACTS = 600


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence of the source: its number, the places of its section and passage in the outline, and its reading.

    Passages are counted through the whole text, from 0. `stands` tells that it can be read without its neighbours.
    """

    number: int
    section: int
    passage: int
    sentence: ReadSentence
    definitions: tuple[Definition, ...]
    stands: bool

    @property
    def text(self) -> str:
        return self.sentence.text

    @property
    def defined(self) -> tuple[str, ...]:
        """The terms that it says the meaning of, in whatever words."""
        reading = self.sentence.reading
        said = reading.pieces if reading is not None and reading.nature is Nature.DEFINITION else ()
        return tuple(dict.fromkeys((*(definition.term for definition in self.definitions), *said)))

    @property
    def weight(self) -> float:
        return self.sentence.weight


def facts_of(outline: Outline) -> tuple[Fact, ...]:
    """The facts of an outline, in the order of the text."""
    names = frozenset(outline.names)
    return tuple(
        _fact(section, passage, point, names, english=outline.english)
        for section, passage, point in sorted(_chosen(outline), key=lambda item: item[2].sentence)
    )


def _fact(section: int, passage: int, point: Point, names: frozenset[str], *, english: bool) -> Fact:
    sentence = read_sentence(point.text, point.weight, names)
    if not english:
        # The rules of reading are English; in another language they would read nonsense.
        return Fact(point.sentence, section, passage, replace(sentence, reading=None), (), True)
    return Fact(point.sentence, section, passage, sentence, definitions_in(point.text, names), not leans(point.text))


def _chosen(outline: Outline) -> list[tuple[int, int, Point]]:
    """Section, passage and point of each sentence that is read."""
    ranked = sorted(
        (rank, -point.weight, point.sentence, section, passage, point)
        for section, passage, found in _passages(outline)
        for rank, point in enumerate(sorted(found.points, key=_heaviest) + sorted(found.rest, key=_heaviest))
    )
    return [(section, passage, point) for *_, section, passage, point in ranked[:MOST_FACTS]]


def _passages(outline: Outline) -> Iterator[tuple[int, int, Passage]]:
    passage = 0
    for section, found in enumerate(outline.sections):
        for each in found.passages:
            yield section, passage, each
            passage += 1


def _heaviest(point: Point) -> tuple[float, int]:
    return -point.weight, point.sentence
