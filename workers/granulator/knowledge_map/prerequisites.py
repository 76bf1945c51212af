"""What must be known before what: never in a circle, for nothing comes before what the source introduces earlier."""

from collections.abc import Mapping, Sequence

from workers.granulator.graph import reduced
from workers.granulator.knowledge_map.concepts import Idea
from workers.granulator.knowledge_map.relations import Link
from workers.granulator.language.words import Words, words_of
from workers.granulator.source.facts import Fact

MOST_PREREQUISITES = 4


def prerequisites_of(
    ideas: Sequence[Idea], facts: Sequence[Fact], links: Sequence[Link], ids: Mapping[Words, str]
) -> dict[str, tuple[str, ...]]:
    """The ids that each idea's id requires, the earliest first; what another of them requires is left out.

    An idea requires what its definition names, what it is a kind of or needs, and what its own name holds, if the
    source introduces that before.
    """
    named: dict[int, list[tuple[int, Idea]]] = {}
    for idea in ideas:
        for place in idea.entry.places:
            named.setdefault(place.fact, []).append((place.start, idea))
    needed = {(link.start, link.end) for link in links if link.type in ("is_a", "requires")}
    required: dict[str, list[str]] = {}
    for idea in ideas:
        defining = _named_in_definition(idea, facts, named)
        before = [
            other
            for other in ideas
            if other.introduced < idea.introduced
            and (other in defining or (idea.key, other.key) in needed or _holds(idea.key, other.key))
        ]
        weightiest = sorted(before, key=lambda other: (-other.entry.weight, other.key))[:MOST_PREREQUISITES]
        required[ids[idea.key]] = [ids[other.key] for other in before if other in weightiest]
    return reduced(required)


def _named_in_definition(
    idea: Idea, facts: Sequence[Fact], named: Mapping[int, Sequence[tuple[int, Idea]]]
) -> list[Idea]:
    """What the defining sentence speaks of; where it defines in passing, only what stands before its first comma."""
    if idea.definition is None:
        return []
    fact = facts[idea.definition]
    words = fact.sentence.tagged.tokens
    strictly = any(words_of(definition.term) == idea.key for definition in fact.definitions)
    comma = next((place for place, token in enumerate(words) if token.text == ","), len(words))
    return [other for start, other in named[idea.definition] if strictly or start < comma]


def _holds(words: Words, others: Words) -> bool:
    """Whether a name holds another as a run of its words."""
    return any(words[start : start + len(others)] == others for start in range(len(words) - len(others) + 1))
