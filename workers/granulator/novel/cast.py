"""Who acts in a text and where: names and trades told apart from places by the company that they keep.

A word is someone or somewhere only on evidence; a name with neither is left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from workers.granulator.language.english import (
    ADJECTIVES,
    CLOSED_CLASSES,
    GENERIC_NOUNS,
    PREPOSITIONS,
    VERB_FORMS,
    WEAK_ADJECTIVES,
    Tag,
    fold,
    is_adjective,
    is_participle,
    word_set,
)
from workers.granulator.language.people_and_places import (
    FORMS_OF_ADDRESS,
    PARTS_OF_PLACE_NAMES,
    is_person,
    is_place,
)
from workers.granulator.language.tokens import Token, tokenize

MOST_CHARACTERS: Final = 20
MOST_SETTINGS: Final = 20
# With so many people called by name, those called by their trade are mostly the same people.
ENOUGH_NAMED: Final = 2
LEAST_TRADE_MENTIONS: Final = 2

_LEADS_TO_PLACE: Final = word_set(
    "in at to from near into towards toward through across off around beyond on onto up down inside outside over under "
    "behind below above beneath past along by"
)
# What of these stands before a name proves nothing: "to Mara", "by Mara".
_LEADS_TO_PERSON_TOO: Final = word_set("to from by on up down off over past behind near towards toward around")
_ARTICLES: Final = word_set("the a an his her their its my our this that another")
_PERSONAL: Final = word_set("he she i we him her his hers us our my me")
_MARKS: Final = frozenset("\"“”‘'(,;:—–-")

_NO_NAMES: Final = frozenset({"I"}) | frozenset(
    word.capitalize() for word in (*ADJECTIVES, *GENERIC_NOUNS) if not is_person(word)
)

Name: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of the source as a story reads it: who is in it, and where it is, if it says so."""

    sentence: int
    people: tuple[str, ...]
    place: str | None


@dataclass(frozen=True, slots=True)
class Cast:
    """The people by their mentions and the places by theirs, most first, and each sentence's of both by its number."""

    people: Mapping[str, int]
    places: Mapping[str, int]
    lines: Mapping[int, Line]


@dataclass(slots=True)
class _Evidence:
    """How often a name stands like someone's, and how often like somewhere's."""

    mentions: int = 0
    person: float = 0.0
    place: float = 0.0
    sentences: list[int] = field(default_factory=list)


def cast_of(sentences: Mapping[int, str], names: Collection[str]) -> Cast:
    """The cast of a text given its sentences by number; `names` are the words that keep their capital."""
    tokens = {number: tokenize(text) for number, text in sentences.items()}
    found = _named(tokens, frozenset(name for name in names if name.isalpha()) - _NO_NAMES)
    people, places = _told_apart(_merged(found))
    if len(people) < ENOUGH_NAMED:
        people |= _by_trade(tokens)
    spots = places | _by_kind(tokens)
    people = _most(people, MOST_CHARACTERS)
    spots = _most(spots, MOST_SETTINGS)
    return Cast(
        people={name: len(at) for name, at in people.items()},
        places={name: len(at) for name, at in spots.items()},
        lines=_lines(sentences, people, spots),
    )


def speaks_of_someone(text: str) -> bool:
    """Whether a sentence has a person in it by pronoun: "he", "her", "my"."""
    return not _PERSONAL.isdisjoint(text.lower().split())


def _most(found: Mapping[str, Sequence[int]], most: int) -> dict[str, Sequence[int]]:
    """Those with most mentions, the earlier first among equals."""
    ranked = sorted(found, key=lambda name: (-len(found[name]), found[name][0], name))
    return {name: found[name] for name in ranked[:most]}


def _lines(
    sentences: Mapping[int, str], people: Mapping[str, Sequence[int]], places: Mapping[str, Sequence[int]]
) -> dict[int, Line]:
    here: dict[int, list[str]] = defaultdict(list)
    where: dict[int, str] = {}
    for name, numbers in people.items():
        for number in dict.fromkeys(numbers):
            here[number].append(name)
    for name, numbers in places.items():
        for number in numbers:
            where.setdefault(number, name)
    return {number: Line(number, tuple(here[number]), where.get(number)) for number in sentences}


def _named(tokens: Mapping[int, Sequence[Token]], names: Collection[str]) -> dict[Name, _Evidence]:
    """Every name of the text, with what speaks for someone and for somewhere."""
    found: dict[Name, _Evidence] = defaultdict(_Evidence)
    for number, sentence in tokens.items():
        for start, end in _name_runs(sentence, names):
            name = tuple(_unowned(token.text) for token in sentence[start:end])
            evidence = found[name]
            evidence.mentions += 1
            evidence.sentences.append(number)
            evidence.person += _speaks_for_person(sentence, start, end)
            evidence.place += _speaks_for_place(sentence, start, end)
    return found


def _name_runs(sentence: Sequence[Token], names: Collection[str]) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for index, token in enumerate(sentence):
        word = _unowned(token.text)
        address = word[:1].isupper() and word.lower() in FORMS_OF_ADDRESS and index + 1 < len(sentence)
        part = start is not None and word[:1].isupper() and word.lower() in PARTS_OF_PLACE_NAMES
        is_name = word in names or part or (address and _unowned(sentence[index + 1].text) in names)
        if is_name and start is None:
            start = index
        if start is not None and (not is_name or token.is_possessive):
            end = index + 1 if is_name else index
            yield start, end
            start = None
    if start is not None:
        yield start, len(sentence)


def _speaks_for_person(sentence: Sequence[Token], start: int, end: int) -> float:
    first, last = _unowned(sentence[start].text).lower(), sentence[end - 1]
    if first in FORMS_OF_ADDRESS or is_person(_unowned(last.text)):
        return 2.0
    before = sentence[start - 1].lower if start else ""
    if before == "the":
        return -1.0
    after = sentence[end].lower if end < len(sentence) else ""
    acts = after in VERB_FORMS or CLOSED_CLASSES.get(after) in (Tag.AUXILIARY, Tag.MODAL)
    return (1.0 if acts and before not in PREPOSITIONS else 0.0) + (0.5 if last.is_possessive else 0.0)


def _speaks_for_place(sentence: Sequence[Token], start: int, end: int) -> float:
    if _unowned(sentence[end - 1].text).lower() in PARTS_OF_PLACE_NAMES and end - start > 1:
        return 3.0
    index = start - 2 if start and sentence[start - 1].lower == "the" else start - 1
    before = sentence[index].lower if index >= 0 else ""
    if before not in _LEADS_TO_PLACE:
        return 0.0
    return 0.5 if before in _LEADS_TO_PERSON_TOO else 1.5


def _merged(found: Mapping[Name, _Evidence]) -> dict[Name, _Evidence]:
    """Each short name under the one long name that holds it; what several hold stays with none of them."""
    merged: dict[Name, _Evidence] = {}
    for name in sorted(found, key=lambda name: (-len(name), name)):
        holders = [other for other in merged if len(name) == 1 and len(other) > 1 and name[0] in other]
        evidence = found[name]
        if len(holders) > 1:
            continue
        whole = merged.setdefault(holders[0], _Evidence()) if holders else merged.setdefault(name, _Evidence())
        whole.mentions += evidence.mentions
        whole.person += evidence.person
        whole.place += evidence.place
        whole.sentences = sorted((*whole.sentences, *evidence.sentences))
    return merged


def _told_apart(found: Mapping[Name, _Evidence]) -> tuple[dict[str, Sequence[int]], dict[str, Sequence[int]]]:
    people: dict[str, Sequence[int]] = {}
    places: dict[str, Sequence[int]] = {}
    for name, evidence in found.items():
        if evidence.place > evidence.person:
            places[" ".join(name)] = evidence.sentences
        elif evidence.person > 0:
            people[" ".join(name)] = evidence.sentences
    return people, places


def _by_trade(tokens: Mapping[int, Sequence[Token]]) -> dict[str, Sequence[int]]:
    """People called by what they are: "the keeper"."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, sentence in tokens.items():
        for index, token in enumerate(sentence[1:], 1):
            singular = fold(token.lower) == token.lower.removesuffix("'s")
            led = any(word.lower in _ARTICLES for word in sentence[max(0, index - 2) : index])
            if singular and led and is_person(token.lower.removesuffix("'s")):
                found[f"the {_unowned(token.lower)}"].append(number)
    return {name: numbers for name, numbers in found.items() if len(numbers) >= LEAST_TRADE_MENTIONS}


def _by_kind(tokens: Mapping[int, Sequence[Token]]) -> dict[str, Sequence[int]]:
    """Places called by what they are, behind a word that leads there: "in the kitchen", "through the lamp room"."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, sentence in tokens.items():
        for index, token in enumerate(sentence[2:], 2):
            if not token.text.islower() or not is_place(token.lower):
                continue
            begin = index - 1 if _modifies(sentence[index - 1]) else index
            led = begin > 1 and sentence[begin - 1].lower in _ARTICLES and sentence[begin - 2].lower in _LEADS_TO_PLACE
            if led and not token.is_possessive:
                found["the " + " ".join(word.lower for word in sentence[begin : index + 1])].append(number)
    return dict(found)


def _modifies(word: Token) -> bool:
    """Whether a word belongs to the place's name: "lamp room", but not "old house"."""
    lower = word.lower
    plain = word.is_word and lower not in CLOSED_CLASSES and lower not in WEAK_ADJECTIVES and not word.is_possessive
    return plain and not is_adjective(lower) and not is_participle(lower, "ed") and word.text not in _MARKS


def _unowned(word: str) -> str:
    return word.replace("’", "'").removesuffix("'s").rstrip("'")
