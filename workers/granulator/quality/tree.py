"""A structure laid out flat for measuring: every element with its path, and every word sequence that its texts hold."""

from collections.abc import Iterator
from dataclasses import dataclass

from workers.granulator.language.tagging import LONGEST_PHRASE_WORDS
from workers.granulator.language.words import Words, words_of
from workers.granulator.quality.texts import texts_of
from workers.granulator.quality.view import VIEWS, Types, View
from workers.granulator.structure import Element, Structure


@dataclass(frozen=True, slots=True)
class Placed:
    """An element and its JSON pointer in the structure."""

    element: Element
    path: str

    @property
    def named(self) -> str:
        """What a finding calls it: its type and its title."""
        return f"{self.element.type.capitalize()} “{self.element.title}”"


@dataclass(frozen=True, slots=True)
class Tree:
    """A structure's elements below the root, in reading order; `sequences` are the runs of words in all its texts."""

    root: Structure
    view: View
    elements: tuple[Placed, ...]
    sequences: frozenset[Words]

    @property
    def parts(self) -> tuple[Placed, ...]:
        return self.of(self.view.parts)

    @property
    def leaves(self) -> tuple[Placed, ...]:
        return self.of(self.view.leaves)

    @property
    def entitled(self) -> tuple[Placed, ...]:
        """The elements whose titles are judged."""
        return self.of(self.view.entitled)

    def of(self, types: Types) -> tuple[Placed, ...]:
        return tuple(placed for placed in self.elements if placed.element.type in types)

    def names(self, term: str) -> bool:
        """Whether the structure's texts hold the term, in any case or number."""
        return words_of(term) in self.sequences


def lay_out(structure: Structure) -> Tree:
    """The tree of a structure of any kind; raises KeyError for the bare base value."""
    elements = tuple(placed_below(structure))
    texts = [*texts_of(structure), *(text for placed in elements for text in texts_of(placed.element))]
    sequences = frozenset(run for text in texts for run in runs_of(text))
    return Tree(structure, VIEWS[structure.type], elements, sequences)


def placed_below(element: Element, path: str = "") -> Iterator[Placed]:
    """All elements below one, parents before their children, with their paths from `path` on."""
    for index, child in enumerate(element.children):
        place = f"{path}/children/{index}"
        yield Placed(child, place)
        yield from placed_below(child, place)


def runs_of(text: str) -> Iterator[Words]:
    """Every run of up to as many words as a term can have."""
    words = words_of(text)
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST_PHRASE_WORDS, len(words)) + 1):
            yield words[start:end]
