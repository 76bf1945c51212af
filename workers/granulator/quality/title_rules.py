"""Two rules that the titles of every kind keep: each is whole, and none reads like another."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from workers.granulator.course.title_index import TitleIndex, title_words
from workers.granulator.language.english import CLOSED_CLASSES, VERB_BASES, Tag, word_set
from workers.granulator.language.tokens import tokenize
from workers.granulator.quality.finding import Finding
from workers.granulator.structure import Element

_NEVER_LAST = frozenset({Tag.DETERMINER, Tag.CONJUNCTION, Tag.SUBORDINATOR, Tag.TO})
# Last only in a clause: "What a tide is", "Explain what the pattern depends on"; "The rise of" is broken off.
_LAST_IN_CLAUSE = frozenset({Tag.PREPOSITION, Tag.MODAL, Tag.AUXILIARY})
# Last in a command too: "Turn the oven off".
_PARTICLES = word_set("up down out off over on in through")


class Titled(NamedTuple):
    """A title and the JSON pointer of the element that bears it."""

    title: str
    path: str


def titled(parent: Element, path: str = "") -> Iterator[Titled]:
    """The titles of all elements below one, parents before their children."""
    for index, child in enumerate(parent.children):
        place = f"{path}/children/{index}"
        yield Titled(child.title, place)
        yield from titled(child, place)


def near_duplicates(titles: Iterable[Titled]) -> list[tuple[Titled, Titled]]:
    """Each title that reads like an earlier one (Jaccard index of their words), with that one."""
    index = TitleIndex()
    seen: dict[str, Titled] = {}
    pairs = []
    for item in titles:
        words = title_words(item.title)
        earlier = index.like(words)
        if earlier is not None:
            pairs.append((item, seen[earlier]))
        index.add(words, item.path)
        seen[item.path] = item
    return pairs


def is_fragment(title: str) -> bool:
    """Whether a title is empty or broken off at a word that asks for another."""
    words = [token.lower for token in tokenize(title) if token.text[0].isalnum()]
    if not words:
        return True
    last = CLOSED_CLASSES.get(words[-1])
    if last in _LAST_IN_CLAUSE:
        is_clause = any(CLOSED_CLASSES.get(word) is Tag.SUBORDINATOR for word in words[:-1])
        is_command = words[-1] in _PARTICLES and words[0] in VERB_BASES and words[-2] not in CLOSED_CLASSES
        return not is_clause and not (is_command and len(words) > 2)
    return last in _NEVER_LAST


def duplicate_finding(item: Titled, earlier: Titled) -> Finding:
    """The finding for a title that reads like an earlier one."""
    return Finding(
        code="near_duplicate_title",
        severity="warning",
        path=f"{item.path}/title",
        message=f"“{item.title}” reads like “{earlier.title}” at {earlier.path}.",
    )


def fragment_finding(item: Titled) -> Finding:
    """The finding for a title that is not whole."""
    return Finding(
        code="fragment_title",
        severity="warning",
        path=f"{item.path}/title",
        message=f"The title “{item.title}” is not whole.",
    )


def title_findings(titles: Sequence[Titled]) -> tuple[Finding, ...]:
    """What breaks either rule, the duplicates first."""
    return (
        *(duplicate_finding(item, earlier) for item, earlier in near_duplicates(titles)),
        *(fragment_finding(item) for item in titles if is_fragment(item.title)),
    )
