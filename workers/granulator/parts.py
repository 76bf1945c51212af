"""An outline dealt out to a wanted number of titled parts: top sections, small ones joined, large ones cut.

Every passage lands in exactly one part, in the order of the text; no two parts have titles that read alike.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.granulator.course.objectives import MATTERLESS_HEADINGS
from workers.granulator.course.titles import TitleRegister, made_titles, sentence_case, titles_from_terms
from workers.granulator.quality.title_rules import is_fragment
from workers.granulator.source.facts import Fact
from workers.granulator.source.outline import Outline, Passage

# A part of fewer words than this share of the usual part is joined to a neighbour.
LEAST_SHARE = 1 / 4
UNTITLED = "Untitled text"
TITLE_TERMS = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage with its place in the outline: its section's and, counted through the text, its own."""

    section: int
    passage: int
    content: Passage


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring passages under one title; `heading` is the section's that it begins with, if it has one."""

    title: str
    heading: str | None
    pieces: tuple[Piece, ...]

    @property
    def words(self) -> int:
        return sum(piece.content.words for piece in self.pieces)

    @property
    def sections(self) -> tuple[int, ...]:
        """The places of its sections in the outline, in order."""
        return tuple(dict.fromkeys(piece.section for piece in self.pieces))

    @property
    def sentences(self) -> tuple[int, int]:
        """The first and last sentence's number."""
        return self.pieces[0].content.sentences[0], self.pieces[-1].content.sentences[1]

    def holds(self, fact: Fact) -> bool:
        """Whether a fact stands in one of its passages."""
        return self.pieces[0].passage <= fact.passage <= self.pieces[-1].passage


_Group = list[Piece]


def parts_of(outline: Outline, facts: Sequence[Fact], *, least: int, most: int, taken: Collection[str]) -> list[Part]:
    """At most `most` parts, and `least` where there are passages enough; `taken` are titles that none may repeat."""
    groups = _without_small(_without_opening(_groups(outline), outline))
    while len(groups) > max(1, most):
        groups = _joined(groups, _lightest_pair(groups))
    while len(groups) < least and any(len(group) > 1 for group in groups):
        groups = _cut_largest(groups)
    register = TitleRegister()
    for title in taken:
        register.claim([title])
    headings = [_headings(group, outline) for group in groups]
    shared = [bool(own) and sum(own[0] in other for other in headings) > 1 for own in headings]
    return [
        Part(register.claim(_titles(group, own, facts, outline, shared=twice)), own[0] if own else None, tuple(group))
        for group, own, twice in zip(groups, headings, shared, strict=True)
    ]


def title_of(outline: Outline, facts: Sequence[Fact]) -> str:
    """The text's own title; for a text that has none, one of the terms that weigh most throughout."""
    terms = {term.term: term.weight for term in outline.terms[:TITLE_TERMS]}
    sentences = [fact.sentence for fact in facts]
    made = titles_from_terms(terms, sentences, frozenset(outline.names)) if outline.english else []
    return outline.title or next(iter([*made, *map(sentence_case, terms)]), UNTITLED)


def _groups(outline: Outline) -> list[_Group]:
    """The passages of each top section with the subsections under it."""
    groups: list[_Group] = []
    passage = 0
    for place, section in enumerate(outline.sections):
        pieces = [Piece(place, passage + index, content) for index, content in enumerate(section.passages)]
        passage += len(pieces)
        if section.level == 1 or not groups:
            groups.append(pieces)
        else:
            groups[-1] += pieces
    return [group for group in groups if group]


def _without_opening(groups: list[_Group], outline: Outline) -> list[_Group]:
    """A text before the first heading leads up to what follows, unless it is longer."""
    opens = len(groups) > 1 and outline.sections[groups[0][0].section].heading is None
    headed = opens and outline.sections[groups[1][0].section].heading is not None
    return _joined(groups, 0) if headed and _words(groups[0]) <= _words(groups[1]) else groups


def _without_small(groups: list[_Group]) -> list[_Group]:
    usual = sum(map(_words, groups)) / max(1, len(groups))
    while len(groups) > 1 and _words(smallest := min(groups, key=_words)) < LEAST_SHARE * usual:
        place = groups.index(smallest)
        before = place - 1 if place else 0
        after = place + 1 < len(groups) and (not place or _words(groups[place + 1]) <= _words(groups[place - 1]))
        groups = _joined(groups, place if after else before)
    return groups


def _joined(groups: list[_Group], first: int) -> list[_Group]:
    return [*groups[:first], groups[first] + groups[first + 1], *groups[first + 2 :]]


def _lightest_pair(groups: Sequence[_Group]) -> int:
    together = [_words(first) + _words(second) for first, second in pairwise(groups)]
    return together.index(min(together))


def _cut_largest(groups: list[_Group]) -> list[_Group]:
    """The largest group cut nearest to its middle, between sections where it has several."""
    place = max(
        (index for index, group in enumerate(groups) if len(group) > 1), key=lambda index: _words(groups[index])
    )
    group = groups[place]
    gaps = [gap for gap in range(1, len(group)) if group[gap - 1].section != group[gap].section]
    cut = min(gaps or range(1, len(group)), key=lambda gap: abs(2 * _words(group[:gap]) - _words(group)))
    return [*groups[:place], group[:cut], group[cut:], *groups[place + 1 :]]


def _words(group: Sequence[Piece]) -> int:
    return sum(piece.content.words for piece in group)


def _headings(group: Sequence[Piece], outline: Outline) -> list[str]:
    """The top headings that a group stands under, in the order of the text; those that say nothing only if alone."""
    tops = (outline.sections[_top(piece.section, outline)].heading for piece in group)
    headings = list(dict.fromkeys(heading for heading in tops if heading))
    return [heading for heading in headings if heading.lower() not in MATTERLESS_HEADINGS] or headings


def _top(section: int, outline: Outline) -> int:
    while section and outline.sections[section].level > 1:
        section -= 1
    return section


def _titles(
    group: Sequence[Piece], headings: Sequence[str], facts: Sequence[Fact], outline: Outline, *, shared: bool
) -> Iterator[str]:
    """Its heading, or its first and last, where it has them to itself; then what its sentences do; then its terms."""
    span = " – ".join(dict.fromkeys((*headings[:1], *headings[-1:])))
    if not shared and not is_fragment(span):
        yield span
    own = outline.sections[group[0].section].heading
    if own and own not in headings:
        yield own
    terms = {term.term: term.weight for piece in group for term in piece.content.terms}
    made: list[str] = []
    if outline.english:
        sentences = [fact.sentence for fact in facts if group[0].passage <= fact.passage <= group[-1].passage]
        made = made_titles(terms, sentences, frozenset(outline.names)) if sentences else []
    prefix = f"{headings[0]}: " if headings else ""
    yield from made if not prefix else (prefix + title for title in made)
    yield from (prefix + sentence_case(term) for term in terms)
    yield f"{prefix or 'Sentences '}{group[0].content.sentences[0]} to {group[-1].content.sentences[1]}"
