"""Wrong answers from the source itself: of the same kind as the right one, fit for its place, and wrong there.

No distractor stands in the sentence asked about, and none is the right answer in other words.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.granulator.course.title_index import jaccard
from workers.granulator.language.english import NUMBERS, STOP_WORDS
from workers.granulator.language.tokens import Token
from workers.granulator.language.words import Words, words_of
from workers.granulator.source.facts import Fact
from workers.granulator.source.lexicon import Entry, Lexicon, Place, Slot

DISTRACTORS = 3
FEWEST_DISTRACTORS = 2
# Two sentences that share so much beside the terms may well say the same of both.
SAME_MATTER = 0.6
# A number this many times another is no rival to it.
MOST_TIMES = 8

_NUMERAL = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_YEAR = re.compile(r"1\d{3}|20\d{2}")
_COUNTS = dict(
    zip(
        [
            *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
            *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty"),
            *("fifty", "sixty", "seventy", "eighty", "ninety"),
        ],
        [*range(2, 21), *range(30, 100, 10)],
        strict=True,
    )
)
# "The two" points back, "a day or two" counts nothing, and "three hundred and fifty" is one number.
_NEVER_BEFORE = NUMBERS | {"the", "these", "those", "both", "or", "and", "-"}
_NEVER_AFTER = NUMBERS | {"-", "/", "and"}
_VOWEL_SOUND = re.compile(r"(?:[aeio]|u(?!ni|se|su|ti)|hour|honest|heir)(?!uro|ne\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Distractor:
    """A wrong answer as it goes into the place, and how near it comes to the right one, 0..1."""

    text: str
    closeness: float


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as the token `start` of a fact has it, in lower case; numbers of one kind can stand for each other."""

    fact: int
    start: int
    text: str
    kind: str
    value: float


class Distractors:
    """Every term and number of the source by the kind of place it fits."""

    def __init__(self, facts: Sequence[Fact], lexicon: Lexicon) -> None:
        self._facts = facts
        self._by_slot: dict[tuple[bool, bool], list[tuple[Entry, dict[str, str]]]] = defaultdict(list)
        for entry in lexicon.values():
            for slot, forms in _forms(entry).items():
                self._by_slot[slot].append((entry, forms))
        self._numerals = [numeral for index in range(len(facts)) for numeral in self.numerals(index)]
        self._sections = {
            entry.key: {facts[place.fact].section for place in entry.places} for entry in lexicon.values()
        }
        self._matter = {fact.number: _matter(fact) for fact in facts}
        self._defined = {words_of(item.term): item for fact in facts for item in fact.definitions}

    def terms(self, place: Place, key: Words) -> list[Distractor]:
        """Terms that fit the place of another and are not true there, the nearest first."""
        fact = self._facts[place.fact]
        article = _article_before(fact, place.start)
        fitting = [
            (-self._closeness(entry, key, fact), form, entry)
            for entry, forms in self._by_slot[place.slot.plural, place.slot.name]
            if (form := _fitting(forms, place.slot, article))
        ]
        chosen: dict[Words, Distractor] = {}
        for distance, form, entry in sorted(fitting, key=lambda item: item[:2]):
            if not any(are_alike(entry.key, other) for other in chosen) and self._is_wrong(entry, key, fact):
                chosen[entry.key] = Distractor(form, -distance)
                if len(chosen) == DISTRACTORS:
                    break
        return list(chosen.values())

    def numbers(self, numeral: Numeral) -> list[Distractor]:
        """Numbers of the same class and size that do not stand in the sentence, the nearest first."""
        here = {token.lower for token in self._facts[numeral.fact].sentence.tagged.tokens}
        found: dict[str, float] = {}
        for other in self._numerals:
            times = max(other.value, numeral.value) / max(min(other.value, numeral.value), 1e-9)
            if other.kind == numeral.kind and other.value != numeral.value and other.text not in here:
                near = 1.0 - (times - 1) / MOST_TIMES
                if near > 0:
                    found[other.text] = near
        ranked = sorted(found, key=lambda text: (-found[text], text))
        return [Distractor(text, found[text]) for text in ranked]

    def numerals(self, index: int) -> Iterator[Numeral]:
        """The numbers of a fact that a question can ask for."""
        words = self._facts[index].sentence.tagged
        for start, token in enumerate(words.tokens):
            before = words.tokens[start - 1].lower if start else ""
            after = words.tokens[start + 1].lower if start + 1 < len(words.tokens) else ""
            read = _read_number(token)
            if read and before not in _NEVER_BEFORE and after not in _NEVER_AFTER:
                yield Numeral(index, start, token.lower, *read)

    def _is_wrong(self, entry: Entry, key: Words, fact: Fact) -> bool:
        """Whether a term cannot be right where another stands."""
        brought = set(entry.key) - set(key)
        if are_alike(entry.key, key) or not brought.isdisjoint(fact.sentence.folded):
            return False
        if self._is_kind_of(entry.key, key) or self._is_kind_of(key, entry.key):
            return False
        said = self._matter[fact.number] - frozenset(key)
        return not any(
            jaccard(said, self._matter[self._facts[place.fact].number] - frozenset(entry.key)) >= SAME_MATTER
            for place in entry.places
        )

    def _is_kind_of(self, key: Words, other: Words) -> bool:
        """Whether the source defines the one as a kind of the other."""
        definition = self._defined.get(key)
        return definition is not None and definition.genus[-len(other) :] == other

    def _closeness(self, entry: Entry, key: Words, fact: Fact) -> float:
        """Words shared with the right answer, both defined, of one length, spoken of nearby: each makes it harder."""
        near = fact.section in self._sections[entry.key]
        marks = (
            2.0 * bool(set(entry.key) & set(key)),
            1.0 * ((entry.key in self._defined) == (key in self._defined)),
            1.0 * (len(entry.key) == len(key)),
            1.0 * near,
            entry.weight,
        )
        return sum(marks) / 6


def are_alike(words: Words, others: Words) -> bool:
    """Whether two answers could pass for one another: one holds all words of the other."""
    return set(words) <= set(others) or set(others) <= set(words)


def _forms(entry: Entry) -> dict[tuple[bool, bool], dict[str, str]]:
    """How the source writes a term, by number and by being a name, then by determiner; certain places only."""
    forms: dict[tuple[bool, bool], dict[str, str]] = defaultdict(dict)
    for place in entry.places:
        if place.whole:
            forms[place.slot.plural, place.slot.name].setdefault(place.slot.determiner, place.surface)
    return forms


def _fitting(forms: dict[str, str], slot: Slot, article: str) -> str | None:
    """A form that reads well in the slot: a bare singular only where the source has one bare, and so on."""
    if slot.determiner == "none" and not slot.plural:
        form = forms.get("none")
    elif slot.determiner == "a":
        form = forms.get("a")
    else:
        form = forms.get(slot.determiner) or forms.get("the") or forms.get("a") or forms.get("other")
        form = form or (forms.get("none") if slot.plural else None)
    if form and article in ("a", "an") and bool(_VOWEL_SOUND.match(form)) != (article == "an"):
        return None
    return form


def _matter(fact: Fact) -> frozenset[str]:
    return frozenset(word for word in fact.sentence.folded if word not in STOP_WORDS and word[:1].isalnum())


def _article_before(fact: Fact, start: int) -> str:
    return fact.sentence.tagged.tokens[start - 1].lower if start else ""


def _read_number(token: Token) -> tuple[str, float] | None:
    """A number's class and value; None for one that no question asks for."""
    if token.lower in _COUNTS:
        return "word", float(_COUNTS[token.lower])
    if _YEAR.fullmatch(token.text):
        return "year", float(token.text)
    if _NUMERAL.fullmatch(token.text):
        return "decimal" if "." in token.text else "whole", float(token.text.replace(",", ""))
    return None
