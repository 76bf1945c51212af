"""Where the terms of an outline stand in its sentences, and in what slot: what it takes to put one for another."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workers.granulator.language.clauses import uncapitalised
from workers.granulator.language.english import AMBIGUOUS_FORMS, Tag, fold
from workers.granulator.language.tagging import Tagged, noun_phrases
from workers.granulator.language.words import Words, words_of
from workers.granulator.source.facts import Fact
from workers.granulator.source.outline import Outline

# A term of one section or passage weighs so much of what the text's own terms weigh; a defined term this at least.
SECTION_SHARE, PASSAGE_SHARE = 0.05, 0.03
DEFINED_WEIGHT = 0.25

Determiner = Literal["a", "the", "other", "none"]


@dataclass(frozen=True, slots=True)
class Slot:
    """What a noun phrase's place asks of it: the determiner before it, its number, and whether it is a name."""

    determiner: Determiner
    plural: bool
    name: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One mention of a term: tokens `start` to `end` (exclusive) of a fact, as written there.

    `whole` tells that the term is the entire noun phrase and nobody's, so that another could stand in its place.
    """

    fact: int
    start: int
    end: int
    surface: str
    slot: Slot
    whole: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A term, its folded words, its weight of 0..1, and every place where a fact mentions it, in order."""

    key: Words
    term: str
    weight: float
    places: tuple[Place, ...]


Lexicon = Mapping[Words, Entry]


def lexicon_of(outline: Outline, facts: Sequence[Fact]) -> Lexicon:
    """The terms that the facts mention as noun phrases, heaviest first; of text not in English, as words."""
    terms = _terms(outline, facts)
    names = frozenset(outline.names)
    places: dict[Words, list[Place]] = defaultdict(list)
    for index, fact in enumerate(facts):
        find = _places if outline.english else _words_as_places
        for key, place in find(index, fact, terms, names):
            places[key].append(place)
    order = sorted(places, key=lambda key: (-terms[key][1], key))
    return {key: Entry(key, *terms[key], tuple(places[key])) for key in order}


def _terms(outline: Outline, facts: Sequence[Fact]) -> dict[Words, tuple[str, float]]:
    """Every term by its folded words, with its spelling and its greatest weight."""
    passages = (passage for section in outline.sections for passage in section.passages)
    weighted = [
        *((term.term, term.weight) for term in outline.terms),
        *((term.term, SECTION_SHARE * term.weight) for section in outline.sections for term in section.terms),
        *((term.term, PASSAGE_SHARE * term.weight) for passage in passages for term in passage.terms),
        *((term, DEFINED_WEIGHT) for fact in facts for term in fact.defined),
    ]
    terms: dict[Words, tuple[str, float]] = {}
    for term, weight in weighted:
        key = words_of(term)
        spelling, heaviest = terms.get(key, (term, 0.0))
        if key:
            terms[key] = (spelling, max(weight, heaviest))
    return terms


def _places(
    index: int, fact: Fact, terms: Mapping[Words, object], names: frozenset[str]
) -> Iterator[tuple[Words, Place]]:
    """The longest term that each noun phrase ends in."""
    words, folded = fact.sentence.tagged, fact.sentence.folded
    for phrase in noun_phrases(words.tokens, words.tags):
        for start in range(phrase.start, phrase.end):
            key = folded[start : phrase.end]
            if key in terms:
                first = _first_of_phrase(words, start)
                slot = _slot(words, first, start, phrase.end, names)
                surface = _surface(words, start, phrase.end, names)
                whole = first == start and _is_certain(words, start, phrase.end, slot)
                yield key, Place(index, start, phrase.end, surface, slot, whole)
                break


def _words_as_places(
    index: int, fact: Fact, terms: Mapping[Words, object], _: frozenset[str]
) -> Iterator[tuple[Words, Place]]:
    """Every word that is a term by itself."""
    words = fact.sentence.tagged
    for start, word in enumerate(fact.sentence.folded):
        if (word,) in terms:
            slot = Slot("none", False, words.tokens[start].text[0].isupper() and start > 0)
            yield (word,), Place(index, start, start + 1, words.tokens[start].text, slot, True)


def _is_certain(words: Tagged, start: int, end: int, slot: Slot) -> bool:
    """Nobody's, no half of "the Bay of Fundy", and no bare word that may as well be a verb: "of 1886 cast a line"."""
    last = words.tokens[end - 1]
    half = slot.name and end < len(words.tokens) and words.tokens[end].lower == "of"
    if last.is_possessive or half or end - start > 1:
        return not last.is_possessive and not half
    before = words.tags[start - 1] if start else None
    after = words.tags[end] if end < len(words.tags) else None
    if before is Tag.PRONOUN or (start and words.tokens[start - 1].lower == "one"):
        return False
    if slot.determiner != "none" or slot.name:
        return True
    takes_object = after in (Tag.DETERMINER, Tag.PRONOUN) and before is not Tag.PREPOSITION
    ambiguous = last.lower in AMBIGUOUS_FORMS
    return not takes_object and not (ambiguous and (last.lower.endswith("s") or before in (Tag.NUMBER, Tag.ADVERB)))


def _first_of_phrase(words: Tagged, start: int) -> int:
    """Where the modifiers before a term begin."""
    while start and words.tags[start - 1] in (Tag.ADJECTIVE, Tag.NOUN) and not words.tokens[start - 1].is_possessive:
        start -= 1
    return start


def _determiner(words: Tagged, first: int) -> Determiner:
    while first and words.tags[first - 1] in (Tag.ADVERB, Tag.NUMBER, Tag.ADJECTIVE):
        first -= 1
    before = words.tokens[first - 1] if first else None
    if before is None or (words.tags[first - 1] is not Tag.DETERMINER and not before.is_possessive):
        return "none"
    if before.lower in ("a", "an", "each", "every", "another"):
        return "a"
    return "the" if before.lower == "the" else "other"


def _slot(words: Tagged, first: int, start: int, end: int, names: frozenset[str]) -> Slot:
    name = _is_name(words, start, names)
    last = _unowned(words.tokens[end - 1].lower)
    # "The Thames" and "the Netherlands" are one.
    return Slot(_determiner(words, first), not name and fold(last) != last, name)


def _is_name(words: Tagged, start: int, names: frozenset[str]) -> bool:
    text = _unowned(words.tokens[start].text)
    return text in names or (start > 0 and text[0].isupper())


def _surface(words: Tagged, start: int, end: int, names: frozenset[str]) -> str:
    last = words.tokens[end - 1]
    text = words.text[words.tokens[start].start : last.start + len(_unowned(last.text))]
    return text if start else uncapitalised(text, names)


def _unowned(word: str) -> str:
    return word.removesuffix("'s").rstrip("'")
