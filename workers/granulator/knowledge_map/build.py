"""The knowledge map of an outline: how many concepts it holds, under which themes, and how they hang together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.course.titles import sentence_case
from workers.granulator.knowledge_map.concepts import Idea, choose_ideas
from workers.granulator.knowledge_map.prerequisites import prerequisites_of
from workers.granulator.knowledge_map.relations import Link, links_between
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap, Relation, Theme
from workers.granulator.language.tokens import tokenize
from workers.granulator.language.words import Words
from workers.granulator.parts import Part, parts_of, title_of
from workers.granulator.source.facts import Fact, facts_of
from workers.granulator.source.lexicon import lexicon_of
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Source

# A map has so many concepts where the text has them, however short it is.
FEWEST_CONCEPTS = 15
CONCEPTS_PER_THEME = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How large a map is at one level of granularity: words of text for a concept, and the most of each."""

    words_per_concept: int
    most_concepts: int
    most_themes: int


SIZES: Mapping[int, Size] = {
    1: Size(60, 15, 5),
    2: Size(45, 25, 7),
    3: Size(30, 40, 10),
    4: Size(25, 60, 12),
    5: Size(20, 80, 16),
}


def build(outline: Outline, brief: Brief) -> KnowledgeMap:
    """Make the map of an outline; equal outlines and briefs give equal maps. Raises EmptyOutline.

    A part of the source that names no concept has no theme.
    """
    facts = facts_of(outline)
    if not facts:
        raise EmptyOutline("The outline has no passage to map.")
    wanted, most = _extent(outline, brief)
    title = title_of(outline, facts)
    parts = parts_of(outline, facts, least=1, most=most, taken=(title,))
    ideas = choose_ideas(facts, lexicon_of(outline, facts), parts, wanted, english=outline.english)
    if not ideas:
        raise EmptyOutline("The text names nothing that could be a concept.")
    links = links_between(ideas, facts)
    ids = ids_of(ideas)
    required = prerequisites_of(ideas, facts, links, ids)
    concepts = {idea.key: _concept(idea, ids, required, facts, outline) for idea in ideas}
    at_home = [[concepts[idea.key] for idea in ideas if idea.theme == place] for place in range(len(parts))]
    themes = [(part, found) for part, found in zip(parts, at_home, strict=True) if found]
    return KnowledgeMap(
        title=title,
        description=_description(outline, brief, len(ideas), len(links)),
        relations=tuple(_relation(link, ids, facts, outline) for link in links),
        children=tuple(_theme(number, *theme) for number, theme in enumerate(themes, 1)),
    )


def ids_of(ideas: Sequence[Idea]) -> dict[Words, str]:
    """An id for each idea: the words of its term, and a number where two would have the same."""
    ids: dict[Words, str] = {}
    taken: set[str] = set()
    for idea in ideas:
        words = "-".join(token.lower for token in tokenize(idea.entry.term) if token.text[0].isalnum())
        id_, number = words, 1
        while id_ in taken:
            number += 1
            id_ = f"{words}-{number}"
        taken.add(id_)
        ids[idea.key] = id_
    return ids


def _extent(outline: Outline, brief: Brief) -> tuple[int, int]:
    """How many concepts and themes a text of this length gets at most, both within the brief's elements."""
    size = SIZES[brief.granularity_level]
    themes = min(size.most_themes, max(1, brief.max_elements // (1 + CONCEPTS_PER_THEME)))
    wanted = max(FEWEST_CONCEPTS, outline.word_count // size.words_per_concept, len(outline.sections))
    return min(wanted, max(size.most_concepts, FEWEST_CONCEPTS), brief.max_elements - themes), themes


def _concept(
    idea: Idea,
    ids: Mapping[Words, str],
    required: Mapping[str, tuple[str, ...]],
    facts: Sequence[Fact],
    outline: Outline,
) -> Concept:
    first = facts[idea.facts[0] if idea.definition is None else idea.definition]
    defining = () if idea.definition is None else _read_together(idea.definition, facts)
    return Concept(
        id=ids[idea.key],
        title=sentence_case(idea.entry.term),
        definition=" ".join(fact.text for fact in defining) or None,
        weight=round(idea.entry.weight, 4),
        mentions=tuple(facts[index].number for index in idea.facts),
        prerequisites=required[ids[idea.key]],
        source=_source(first, outline),
    )


def _read_together(index: int, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """A sentence, with the one before it if it cannot be read without: "This is called oven spring"."""
    before = facts[index - 1] if index else None
    leans = not facts[index].stands and before is not None and before.number == facts[index].number - 1
    return (before, facts[index]) if before and leans else (facts[index],)


def _theme(number: int, part: Part, concepts: Sequence[Concept]) -> Theme:
    return Theme(
        id=f"theme:{number}",
        title=part.title,
        source=Source(section=part.heading, sentences=part.sentences),
        children=tuple(concepts),
    )


def _relation(link: Link, ids: Mapping[Words, str], facts: Sequence[Fact], outline: Outline) -> Relation:
    fact = facts[link.fact]
    return Relation(
        from_=ids[link.start], to=ids[link.end], type=link.type, evidence=fact.text, source=_source(fact, outline)
    )


def _source(fact: Fact, outline: Outline) -> Source:
    return Source(section=outline.sections[fact.section].heading, sentences=(fact.number, fact.number))


def _description(outline: Outline, brief: Brief, concepts: int, relations: int) -> str:
    """What the map holds; an audience is named, for a text says nothing of who reads it."""
    audience = f" For {brief.audience}." if brief.audience else ""
    return f"Maps {concepts} concepts of a text of {outline.word_count:,} words and {relations} relations.{audience}"
