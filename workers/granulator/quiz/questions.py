"""Questions that one sentence can be asked in: what it defines, a term or number of it, what follows, and why.

Each question has one right answer, which its sentence gives, and wrong ones that its sentence does not.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from workers.granulator.course.objectives import quoted
from workers.granulator.course.titles import sentence_case
from workers.granulator.language.clauses import standing_clause
from workers.granulator.language.readings import Nature
from workers.granulator.language.words import Words, words_of
from workers.granulator.quiz.distractors import (
    DISTRACTORS,
    FEWEST_DISTRACTORS,
    Distractor,
    Distractors,
    Numeral,
    are_alike,
)
from workers.granulator.quiz.structure import Form
from workers.granulator.source.facts import Fact
from workers.granulator.source.lexicon import Entry, Lexicon, Place
from workers.granulator.source.outline import Outline

GAP = "______"
SHORTEST_ASKED_WORDS, LONGEST_ASKED_WORDS = 6, 40
LONGEST_STATEMENT_WORDS = 28
NAMED_TERMS = 2
# What a form asks of the learner, after Bloom's order: to recall a term least, to judge a whole statement most.
DEMAND: dict[Form, float] = {
    "term": 1.0,
    "cloze": 1.2,
    "number": 1.6,
    "consequence": 2.2,
    "reason": 2.6,
    "open": 2.8,
    "statement": 3.0,
}
# How well a form serves beside a cloze on the same sentence.
SERVES: dict[Form, float] = {
    "term": 1.3,
    "cloze": 1.0,
    "number": 0.8,
    "consequence": 1.4,
    "reason": 1.5,
    "open": 0.1,
    "statement": 1.0,
}
# "Two" and "three" are guessed or known rather than read.
LARGEST_SMALL_NUMBER, SMALL_FACTOR = 3, 0.5
# A sentence that leans on another, or that is half code, is a poor one to be asked about.
LEANING_FACTOR, CODE_FACTOR = 0.3, 0.3

# Paths, braces and signs: what a learner would copy and not know.
_CODE = re.compile(r"[{}\[\]<>=|\\_]|/\w")
_BECAUSE = re.compile(r",?\s+because\s+(?!of\b)")
_HENCE = re.compile(r",\s+(?:so(?!\s+that)|and\s+so|and\s+therefore)\s+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question before it is chosen: the fact it asks about, its words, and how hard and how good it is.

    `asks` is what two questions of one quiz may not both ask for; `demand` compares only within a quiz.
    """

    fact: Fact
    form: Form
    stem: str
    answer: str
    distractors: tuple[str, ...]
    asks: str
    demand: float
    worth: float


class Questioner:
    """Asks about the sentences of one outline."""

    def __init__(self, outline: Outline, facts: Sequence[Fact], lexicon: Lexicon) -> None:
        self._facts = facts
        self._texts = {fact.text for fact in facts}
        self._names = frozenset(outline.names)
        self._english = outline.english
        self._own = [
            {words_of(term.term): term.weight for term in passage.terms}
            for section in outline.sections
            for passage in section.passages
        ]
        self._distractors = Distractors(facts, lexicon)
        self._places: dict[int, list[tuple[Entry, Place]]] = defaultdict(list)
        for entry in lexicon.values():
            for place in entry.places:
                self._places[place.fact].append((entry, place))
        self._results = [(index, pieces[1]) for index, pieces in self._read(Nature.CONDITION) if pieces[1]]
        self._reasons = [
            (index, reason) for index, fact in enumerate(facts) if (reason := self._reason(fact)) is not None
        ]

    def about(self, index: int) -> list[Candidate]:
        """Every choice question on one fact; none for text that is not in English, whose grammar is not known."""
        fact = self._facts[index]
        length = len(fact.text.split())
        if not self._english or not SHORTEST_ASKED_WORDS <= length <= LONGEST_ASKED_WORDS or fact.text.endswith("?"):
            return []
        found = (*self._terms(index), *self._gaps(index), *self._numbers(index), *self._clauses(index))
        return [candidate for candidate in found if len(candidate.distractors) >= FEWEST_DISTRACTORS]

    def statement(self, indices: Sequence[int], title: str) -> Candidate | None:
        """Which of several statements on one matter the text makes; the others are sentences of it, changed."""
        fit = [index for index in indices if self._states(self._facts[index])]
        # A definition is better asked for by itself.
        true = max(fit, key=lambda index: (not self._facts[index].defined, self._facts[index].weight), default=None)
        changed = (self._falsified(index) for index in fit if index != true)
        wrong = list(islice(_distinct(text for text in changed if text and text not in self._texts), DISTRACTORS))
        if true is None or len(wrong) < FEWEST_DISTRACTORS:
            return None
        fact = self._facts[true]
        stem = f"Which of these does the text say in “{title}”?"
        return self._candidate(fact, "statement", stem, fact.text, [Distractor(text, 0.5) for text in wrong], fact.text)

    def open(self, index: int, heading: str | None) -> Candidate:
        """A question without options, for a sentence that no other can be asked about."""
        fact = self._facts[index]
        entries = sorted(
            {entry.term: entry.weight for entry, _ in self._places[index]}.items(), key=lambda item: -item[1]
        )
        # Where words are not set apart, a term may be the sentence itself.
        terms = [term for term, _ in entries[:NAMED_TERMS] if 2 * len(term) < len(fact.text)]
        matter = (
            f"about {quoted(terms)}" if terms else f"under “{heading}”" if heading else f"in sentence {fact.number}"
        )
        return self._candidate(fact, "open", f"What does the text say {matter}?", fact.text, [], fact.text)

    def _read(self, nature: Nature) -> Iterator[tuple[int, tuple[str, ...]]]:
        for index, fact in enumerate(self._facts):
            reading = fact.sentence.reading
            if reading and reading.nature is nature:
                yield index, reading.pieces

    def _terms(self, index: int) -> Iterator[Candidate]:
        """ "Which term means “the short pause between two streams”?"."""
        fact = self._facts[index]
        for definition in fact.definitions:
            key = words_of(definition.term)
            place = next((place for entry, place in self._places[index] if entry.key == key and place.whole), None)
            if place and set(key).isdisjoint(words_of(definition.body)):
                wrong = self._distractors.terms(place, key)
                stem = f"Which term means “{definition.body}”?"
                yield self._candidate(fact, "term", stem, place.surface, wrong, definition.term)

    def _gaps(self, index: int) -> Iterator[Candidate]:
        fact = self._facts[index]
        for entry, place in self._places[index]:
            if place.whole and _times(entry.key, fact) == 1:
                wrong = self._distractors.terms(place, entry.key)
                stem = f"What completes the sentence? “{_filled(fact, place.start, place.end, GAP)}”"
                yield self._candidate(fact, "cloze", stem, place.surface, wrong, entry.term, self._telling(entry, fact))

    def _telling(self, entry: Entry, fact: Fact) -> float:
        """How much of the sentence hangs on a term: more on one it defines, on its passage's own, on a longer one."""
        defined = any(words_of(item.term) == entry.key for item in fact.definitions)
        own = self._own[fact.passage].get(entry.key, 0.0)
        return 0.5 + 0.5 * defined + 0.5 * own + 0.3 * (len(entry.key) > 1)

    def _numbers(self, index: int) -> Iterator[Candidate]:
        fact = self._facts[index]
        for numeral in self._distractors.numerals(index):
            wrong = self._distractors.numbers(numeral)[:DISTRACTORS]
            stem = f"Which number completes the sentence? “{self._gapped(numeral)}”"
            small = numeral.kind == "word" and numeral.value <= LARGEST_SMALL_NUMBER
            yield self._candidate(
                fact, "number", stem, numeral.text, wrong, numeral.text, SMALL_FACTOR if small else 1.0
            )

    def _clauses(self, index: int) -> Iterator[Candidate]:
        """What follows from a condition, and why something is so."""
        fact = self._facts[index]
        reading = fact.sentence.reading
        if reading and reading.nature is Nature.CONDITION and reading.pieces[1]:
            condition, result = reading.pieces
            wrong = self._other_clauses(index, result, [*self._results, *self._reasons])
            yield self._candidate(
                fact,
                "consequence",
                f"According to the text, what follows {condition}?",
                sentence_case(result),
                wrong,
                result,
            )
        reason = self._reason(fact)
        if reason and reading and reading.nature is Nature.CAUSE and reading.pieces[0].startswith("why "):
            effect = sentence_case(reading.pieces[0].removeprefix("why "))
            wrong = self._other_clauses(index, reason, [*self._reasons, *self._results])
            stem = f"Which reason does the text give for this: “{effect}”?"
            yield self._candidate(fact, "reason", stem, sentence_case(reason), wrong, reason)

    def _reason(self, fact: Fact) -> str | None:
        """The words behind "because", or before "so", where they stand alone."""
        text = fact.text.rstrip(".!… ")
        because, hence = _BECAUSE.search(text), _HENCE.search(text)
        if because:
            return standing_clause(text[because.end() :], self._names)
        return standing_clause(text[: hence.start()], self._names) if hence else None

    def _other_clauses(self, index: int, right: str, clauses: Sequence[tuple[int, str]]) -> list[Distractor]:
        """Clauses that other sentences give for other things, those from nearby first."""
        fact = self._facts[index]
        said = set(words_of(fact.text))
        found: list[Distractor] = []
        for other, clause in sorted(clauses, key=lambda item: abs(item[0] - index)):
            words = words_of(clause)
            apart = other != index and len(set(words) & said) < len(set(words)) / 2
            if apart and not any(are_alike(words, words_of(text)) for text in (right, *(item.text for item in found))):
                found.append(
                    Distractor(sentence_case(clause), 1 / (1 + abs(self._facts[other].section - fact.section)))
                )
        return found[:DISTRACTORS]

    def _states(self, fact: Fact) -> bool:
        length = len(fact.text.split())
        return fact.stands and self._english and SHORTEST_ASKED_WORDS <= length <= LONGEST_STATEMENT_WORDS

    def _falsified(self, index: int) -> str | None:
        """The sentence made false: with another number, or another term where it defines one or names one of a kind."""
        fact = self._facts[index]
        for numeral in self._distractors.numerals(index):
            rivals = self._distractors.numbers(numeral)
            if rivals:
                return _filled(fact, numeral.start, numeral.start + 1, rivals[0].text)
        defined = {words_of(item.term) for item in fact.definitions}
        for entry, place in self._places[index]:
            wrong = self._distractors.terms(place, entry.key) if place.whole and _times(entry.key, fact) == 1 else []
            if wrong and (entry.key in defined or _is_sister(entry.key, words_of(wrong[0].text))):
                return _filled(fact, place.start, place.end, wrong[0].text)
        return None

    def _gapped(self, numeral: Numeral) -> str:
        return _filled(self._facts[numeral.fact], numeral.start, numeral.start + 1, GAP)

    def _candidate(
        self,
        fact: Fact,
        form: Form,
        stem: str,
        answer: str,
        wrong: Sequence[Distractor],
        asks: str,
        weight: float = 1.0,
    ) -> Candidate:
        closeness = sum(item.closeness for item in wrong) / len(wrong) if wrong else 0.0
        return Candidate(
            fact=fact,
            form=form,
            stem=stem,
            answer=answer,
            distractors=tuple(item.text for item in wrong),
            asks=asks.casefold(),
            demand=DEMAND[form] + closeness + len(stem.split()) / LONGEST_ASKED_WORDS,
            worth=fact.weight * SERVES[form] * weight * _fitness(fact),
        )


def _fitness(fact: Fact) -> float:
    """How well a sentence can be asked about by itself, 0..1."""
    return (1.0 if fact.stands else LEANING_FACTOR) * (CODE_FACTOR if _CODE.search(fact.text) else 1.0)


def _distinct(texts: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for text in texts:
        if text not in seen:
            seen.add(text)
            yield text


def _is_sister(key: Words, other: Words) -> bool:
    """ "Spring tide" and "neap tide": kinds of one thing."""
    return len(key) > 1 and len(other) > 1 and key[-1] == other[-1]


def _times(key: Words, fact: Fact) -> int:
    folded = fact.sentence.folded
    return sum(folded[start : start + len(key)] == key for start in range(len(folded) - len(key) + 1))


def _filled(fact: Fact, start: int, end: int, words: str) -> str:
    """The sentence with other words for the tokens from `start` to `end`, with a capital where they open it."""
    tokens = fact.sentence.tagged.tokens
    last = tokens[end - 1]
    filling = sentence_case(words) if start == 0 and words != GAP else words
    return fact.text[: tokens[start].start] + filling + fact.text[last.start + len(last.text) :]
