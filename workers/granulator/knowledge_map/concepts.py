"""Which terms of a source are concepts, which theme each belongs to, and where each is introduced.

Every section that speaks of a term has a concept; no two concepts read alike.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.granulator.course.title_index import TitleIndex, title_words
from workers.granulator.language.english import AMBIGUOUS_FORMS, GENERIC_NOUNS
from workers.granulator.language.words import Words, words_of
from workers.granulator.parts import Part
from workers.granulator.source.facts import Fact
from workers.granulator.source.lexicon import Entry, Lexicon

# What a concept is worth beside the weight of its term.
DEFINED_WORTH, LONGER_WORTH = 0.35, 0.1
# A name of a place or a person is seldom what a text teaches, unless it speaks of it throughout.
NAME_FACTOR, FAMOUS_WEIGHT = 0.4, 0.25
# A word that is as often a verb is a concept only if it is spoken of so often.
LEAST_AMBIGUOUS_PLACES = 3


@dataclass(frozen=True, slots=True)
class Idea:
    """A concept before it is written: its entry, the place of its theme, and where it is introduced and defined.

    `facts` are the places of the facts that mention it. Of two ideas the one with the smaller `introduced`, a
    sentence's number and a token's place, comes first in the text.
    """

    entry: Entry
    theme: int
    facts: tuple[int, ...]
    definition: int | None
    introduced: tuple[int, int]

    @property
    def key(self) -> Words:
        return self.entry.key


def choose_ideas(
    facts: Sequence[Fact], lexicon: Lexicon, parts: Sequence[Part], wanted: int, *, english: bool
) -> list[Idea]:
    """At most so many ideas: the best of each section first, then the best of all, in the order of the text.

    Of a text that is not in English no word's part is known, so only what is said twice is taken for a term.
    """
    ideas = [_idea(entry, facts, parts) for entry in lexicon.values()]
    worth = {idea.key: _worth(idea) if english or len(idea.facts) > 1 else 0.0 for idea in ideas}
    ranked = sorted(ideas, key=lambda idea: (-worth[idea.key], idea.key))
    chosen: dict[Words, Idea] = {}
    titles = TitleIndex()
    for idea in (*_best_of_sections(ranked, facts, parts), *(idea for idea in ranked if worth[idea.key] > 0)):
        words = title_words(idea.entry.term)
        if len(chosen) < wanted and idea.key not in chosen and titles.like(words) is None:
            chosen[idea.key] = idea
            titles.add(words, idea.entry.term)
    return sorted(chosen.values(), key=lambda idea: (idea.introduced, idea.key))


def _idea(entry: Entry, facts: Sequence[Fact], parts: Sequence[Part]) -> Idea:
    mentioned = tuple(dict.fromkeys(place.fact for place in entry.places))
    definition = next(
        (index for tells in (_defines, _describes) for index in mentioned if tells(facts[index], entry.key)), None
    )
    first = entry.places[0] if definition is None else next(p for p in entry.places if p.fact == definition)
    times = Counter(_part_of(facts[index], parts) for index in mentioned)
    home = max(times, key=lambda part: (times[part], -part))
    if definition is not None:
        home = _part_of(facts[definition], parts)
    return Idea(entry, home, mentioned, definition, (facts[first.fact].number, first.start))


def _defines(fact: Fact, key: Words) -> bool:
    return any(words_of(definition.term) == key for definition in fact.definitions)


def _describes(fact: Fact, key: Words) -> bool:
    return any(words_of(term) == key for term in fact.defined)


def _part_of(fact: Fact, parts: Sequence[Part]) -> int:
    return next(place for place, part in enumerate(parts) if part.holds(fact))


def _worth(idea: Idea) -> float:
    """How much a learner gains by knowing it; nothing for what may be no noun at all."""
    entry = idea.entry
    certain = [place for place in entry.places if place.whole]
    if idea.definition is None and (not certain or (len(entry.key) == 1 and _is_doubtful(entry))):
        return 0.0
    named = all(place.slot.name for place in entry.places)
    worth = entry.weight + DEFINED_WORTH * (idea.definition is not None) + LONGER_WORTH * (len(entry.key) > 1)
    return worth * (NAME_FACTOR if named and entry.weight < FAMOUS_WEIGHT else 1.0)


def _is_doubtful(entry: Entry) -> bool:
    """ "The drive" said once, "a round": a noun too general to stand alone, or a verb read as one."""
    settled = sum(place.whole and place.slot.determiner != "none" for place in entry.places)
    word = entry.key[0]
    ambiguous = word in AMBIGUOUS_FORMS or entry.term.lower() in AMBIGUOUS_FORMS
    return word in GENERIC_NOUNS or (ambiguous and settled < LEAST_AMBIGUOUS_PLACES)


def _best_of_sections(ranked: Sequence[Idea], facts: Sequence[Fact], parts: Sequence[Part]) -> Iterator[Idea]:
    """For each section the best idea that is at home there, or that it speaks of at all: one of each theme in turn."""
    by_section: dict[int, list[Idea]] = defaultdict(list)
    for idea in ranked:
        for section in dict.fromkeys(facts[index].section for index in idea.facts):
            by_section[section].append(idea)
    turns = sorted((turn, place) for place, part in enumerate(parts) for turn in range(len(part.sections)))
    taken: set[Words] = set()
    for turn, place in turns:
        found = by_section[parts[place].sections[turn]]
        best = next(
            (idea for idea in found if idea.theme == place and idea.key not in taken),
            next((idea for idea in found if idea.key not in taken), None),
        )
        if best is not None:
            taken.add(best.key)
            yield Idea(best.entry, place, best.facts, best.definition, best.introduced)
