"""What a structure is measured against: the source's weighted terms, each section's own terms, and its sentences."""

from collections import defaultdict
from dataclasses import dataclass, field

from workers.granulator.source.outline import Outline
from workers.granulator.source.terms import TermIndex

# The terms that a structure on the text must speak of; those beyond are its small change.
TOP_TERMS = 100
# A term belongs to a section as its own if it is found in at most this share of all sections.
OWN_TERM_SHARE = 0.25
OWN_TERMS = 6


@dataclass(frozen=True, slots=True)
class Yardstick:
    """`weights` sum to 1; `sections` has the own terms of each section that has any, by its number from 1.

    `sentences` is how many the source has; `texts` are those that are known, by their number, and `headings` the
    headings above them, the title first.
    """

    weights: dict[str, float]
    sections: dict[int, tuple[str, ...]]
    sentences: int
    texts: dict[int, str] = field(default_factory=dict)
    headings: tuple[str, ...] = ()
    english: bool = False


def from_outline(outline: Outline) -> Yardstick:
    """The yardstick that an outline holds."""
    weights = {term.term: term.weight for term in outline.terms[:TOP_TERMS]}
    own = {number: tuple(term.term for term in section.terms) for number, section in enumerate(outline.sections, 1)}
    texts = {
        line.sentence: line.text
        for section in outline.sections
        for passage in section.passages
        for line in passage.lines
    }
    return Yardstick(
        weights=_shares(weights),
        sections={number: terms for number, terms in own.items() if terms},
        sentences=outline.sentences,
        texts=texts,
        headings=tuple(filter(None, (outline.title, *(section.heading for section in outline.sections)))),
        english=outline.english,
    )


def from_index(index: TermIndex) -> Yardstick:
    """The yardstick that an index of terms holds."""
    weights = {term.term: term.weight for term in index.terms[:TOP_TERMS]}
    widest = max(1.0, OWN_TERM_SHARE * index.sections)
    own: dict[int, list[str]] = defaultdict(list)
    for term in index.terms:
        for number in term.sections if len(term.sections) <= widest else ():
            if len(own[number]) < OWN_TERMS:
                own[number].append(term.term)
    return Yardstick(_shares(weights), {number: tuple(own[number]) for number in sorted(own)}, index.sentences)


def _shares(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}
