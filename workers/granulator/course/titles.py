"""Titles: the author's own headings where there are any, else the terms that set a passage apart; no two alike.

A title is a heading or a list of noun phrases as the source writes them, so it never ends on a preposition.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, count
from math import sqrt

from workers.granulator.course.objectives import tells_event
from workers.granulator.course.title_index import TitleIndex, title_words
from workers.granulator.language.clauses import without_article
from workers.granulator.language.english import plural
from workers.granulator.language.kinds import kinds_of_one_thing
from workers.granulator.language.phrases import natural_phrase
from workers.granulator.language.readings import Nature, Reading, ReadSentence

# A term that a passage defines is what the passage is about, whatever its frequency.
DEFINED_WEIGHT = 0.9
# A clause says more than a term and a longer term more than a bare word; a pair of terms names more but says less.
FORM_FACTORS = {
    Nature.CAUSE: 1.2,
    Nature.COMPARISON: 1.2,
    Nature.PROCEDURE: 1.2,
    Nature.CONDITION: 1.0,
    Nature.STATEMENT: 0.9,
}
KINDS_FACTOR = 1.3
DEFINED_FACTOR = 1.2
SINGLE_WORD_FACTOR = 0.55
PAIR_FACTOR = 0.75
# Lighter terms than these would not make a title that is taken.
MOST_PHRASES = 16
PAIRED_PHRASES = 4
LONGEST_MADE_TITLE_WORDS = 13


class TitleRegister:
    """The titles given out so far in one course; refuses one that is nearly like another while there is a choice."""

    def __init__(self) -> None:
        self._index = TitleIndex()
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def claim(self, candidates: Iterable[str]) -> str:
        """The first candidate unlike every title so far; where there is none, the last one, numbered.

        Takes no more candidates than it needs, and at least one.
        """
        last = ""
        for candidate in candidates:
            if self._index.like(title_words(candidate)) is None:
                return self._take(candidate)
            last = candidate
        # A number changes few of a long title's words, so here it is enough that no title is the same.
        numbers = count(self._numbers.get(last, 2))
        number = next(number for number in numbers if f"{last} ({number})".casefold() not in self._taken)
        self._numbers[last] = number + 1
        return self._take(f"{last} ({number})")

    def _take(self, title: str) -> str:
        self._index.add(title_words(title), title)
        self._taken.add(title.casefold())
        return title


def sentence_case(text: str) -> str:
    """The text with its first letter a capital and the rest as it is."""
    return text[:1].upper() + text[1:]


def made_titles(terms: Mapping[str, float], sentences: Sequence[ReadSentence], names: Collection[str]) -> list[str]:
    """Possible titles for a passage, best first, from what its sentences do and from its weighted terms.

    A title is worth the weights of the terms that it names, each as far as the sentences support it, times a factor
    for its form.
    """
    readings = [sentence.reading for sentence in sentences if sentence.reading]
    defined = [term for reading in readings if reading.nature is Nature.DEFINITION for term in reading.pieces]
    weights = {**terms, **{term: max(DEFINED_WEIGHT, terms.get(term, 0.0)) for term in defined}}
    candidates = [
        *_titles_of_kinds(sentences, names),
        *_titles_of_readings(readings),
        *_titles_of_terms(weights, defined, sentences, names),
    ]
    supported = {term: weight * _support(term, sentences) for term, weight in weights.items()}
    return _ranked(candidates, supported)


def titles_from_terms(
    terms: Mapping[str, float], sentences: Sequence[ReadSentence], names: Collection[str]
) -> list[str]:
    """Possible titles for a whole text from its weighted terms alone, best first."""
    return _ranked(list(_titles_of_terms(terms, (), sentences, names)), terms)


def _ranked(candidates: Sequence[tuple[str, float]], weights: Mapping[str, float]) -> list[str]:
    keyed = [(title_words(term), weight) for term, weight in weights.items()]
    worth = {title: factor * _named_weight(title, keyed) for title, factor in candidates}
    return sorted(worth, key=lambda title: (-worth[title], title))


def _named_weight(title: str, terms: Sequence[tuple[frozenset[str], float]]) -> float:
    words = title_words(title)
    return sum(weight for term, weight in terms if term <= words)


def _support(term: str, sentences: Sequence[ReadSentence]) -> float:
    """How widely the sentences speak of a term: the root of the share that names it."""
    words = title_words(term)
    return sqrt(sum(words.issubset(sentence.folded) for sentence in sentences) / len(sentences))


def _titles_of_kinds(sentences: Sequence[ReadSentence], names: Collection[str]) -> Iterator[tuple[str, float]]:
    """ "Semidiurnal, diurnal and mixed tides"."""
    for kinds in kinds_of_one_thing(sentences, names):
        *firsts, last = (without_article(kind).rpartition(" ") for kind in kinds)
        title = f"{', '.join(first[0] for first in firsts)} and {last[0]} {plural(last[2])}"
        yield sentence_case(title), KINDS_FACTOR


def _titles_of_readings(readings: Sequence[Reading]) -> Iterator[tuple[str, float]]:
    """ "Why high water is later each day", "Spring tides and neap tides", "How to find the depth"."""
    for reading in readings:
        match reading.nature:
            case Nature.CAUSE:
                title = reading.pieces[0]
            case Nature.COMPARISON:
                title = " and ".join(reading.pieces)
            case Nature.PROCEDURE:
                title = f"how to {reading.pieces[0]}"
            case Nature.CONDITION if reading.pieces[0].startswith(("when", "where")):
                title = reading.pieces[0]
            case Nature.STATEMENT if tells_event(reading.pieces[0]):
                title = f"how {reading.pieces[0].partition(', and ')[0]}"
            case _:
                continue
        if len(title.split()) <= LONGEST_MADE_TITLE_WORDS:
            yield sentence_case(title), FORM_FACTORS[reading.nature]


def _titles_of_terms(
    weights: Mapping[str, float], defined: Collection[str], sentences: Sequence[ReadSentence], names: Collection[str]
) -> Iterator[tuple[str, float]]:
    phrases: dict[str, float] = {}
    for term in sorted(weights, key=lambda term: (-weights[term] * (1 if " " in term else SINGLE_WORD_FACTOR), term)):
        phrase = natural_phrase(term, sentences, names)
        if phrase and not any(title_words(phrase) & title_words(other) for other in phrases):
            bare = " " not in phrase.removeprefix("the ")
            phrases[phrase] = DEFINED_FACTOR if term in defined else SINGLE_WORD_FACTOR if bare else 1.0
            if len(phrases) == MOST_PHRASES:
                break
    for phrase, factor in phrases.items():
        yield sentence_case(phrase), factor
    for (first, factor), (second, other) in combinations(list(phrases.items())[:PAIRED_PHRASES], 2):
        if " and " not in f"{first} {second}":
            yield f"{sentence_case(first)} and {second}", PAIR_FACTOR * min(factor, other)
