"""A course laid out flat for measuring: every node with its path, and every word sequence that its texts hold."""

from collections.abc import Iterator
from dataclasses import dataclass

from workers.granulator.course.structure import Course, Node
from workers.granulator.language.tagging import LONGEST_PHRASE_WORDS
from workers.granulator.language.words import Words, words_of


@dataclass(frozen=True, slots=True)
class Placed:
    """A node and its JSON pointer in the course."""

    node: Node
    path: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A course's nodes in reading order; `sequences` are the runs of words in titles, outlines and objectives."""

    course: Course
    nodes: tuple[Placed, ...]
    sequences: frozenset[Words]

    @property
    def modules(self) -> tuple[Placed, ...]:
        return self._of("module")

    @property
    def lessons(self) -> tuple[Placed, ...]:
        return self._of("lesson")

    @property
    def taught(self) -> tuple[Placed, ...]:
        """Modules and lessons."""
        return tuple(placed for placed in self.nodes if placed.node.type != "overview")

    def names(self, term: str) -> bool:
        """Whether the course's titles, outlines or objectives hold the term, in any case or number."""
        return words_of(term) in self.sequences

    def _of(self, kind: str) -> tuple[Placed, ...]:
        return tuple(placed for placed in self.nodes if placed.node.type == kind)


def lay_out(course: Course) -> Tree:
    """The tree of a course."""
    nodes = tuple(_placed(course.children, ""))
    texts = [course.title, *course.objectives, *(text for placed in nodes for text in texts_of(placed.node))]
    return Tree(course, nodes, frozenset(run for text in texts for run in runs_of(text)))


def texts_of(node: Node) -> tuple[str, ...]:
    """What a learner reads of a node: its title, objectives and outline, without its key terms."""
    return node.title, *node.objectives, *node.outline


def runs_of(text: str) -> Iterator[Words]:
    """Every run of up to as many words as a term can have."""
    words = words_of(text)
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST_PHRASE_WORDS, len(words)) + 1):
            yield words[start:end]


def _placed(children: tuple[Node, ...], path: str) -> Iterator[Placed]:
    for index, child in enumerate(children):
        place = f"{path}/children/{index}"
        yield Placed(child, place)
        yield from _placed(child.children, place)
