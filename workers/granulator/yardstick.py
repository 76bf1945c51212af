"""What a structure is measured against: the source's weighted terms, each section's own terms, and its length."""

from dataclasses import dataclass

from workers.granulator.outline import Outline
from workers.granulator.terms import TermIndex

# The terms that a course on the text must speak of; those beyond are its small change.
TOP_TERMS = 100
# A term belongs to a section as its own if it is found in at most this share of all sections.
OWN_TERM_SHARE = 0.25
OWN_TERMS = 6


@dataclass(frozen=True, slots=True)
class Yardstick:
    """`weights` sum to 1; `sections` has each section's own terms, those of a section without any being empty."""

    weights: dict[str, float]
    sections: tuple[tuple[str, ...], ...]
    sentences: int


def from_outline(outline: Outline) -> Yardstick:
    """The yardstick that an outline holds."""
    weights = {term.term: term.weight for term in outline.terms[:TOP_TERMS]}
    sections = tuple(tuple(term.term for term in section.terms) for section in outline.sections)
    return Yardstick(_shares(weights), sections, outline.sentences)


def from_index(index: TermIndex) -> Yardstick:
    """The yardstick that an index of terms holds."""
    weights = {term.term: term.weight for term in index.terms[:TOP_TERMS]}
    widest = max(1.0, OWN_TERM_SHARE * index.sections)
    own: list[list[str]] = [[] for _ in range(index.sections)]
    for term in index.terms:
        for number in term.sections if len(term.sections) <= widest else ():
            if 1 <= number <= index.sections and len(own[number - 1]) < OWN_TERMS:
                own[number - 1].append(term.term)
    return Yardstick(_shares(weights), tuple(map(tuple, own)), index.sentences)


def _shares(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}
