"""Titles: the author's own headings where there are any, else the terms that set a passage apart; no two alike.

A title is a heading or a list of noun phrases as the source writes them, so it never ends on a preposition.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from math import sqrt

from workers.granulator.clauses import Nature, Reading, read, without_article
from workers.granulator.english import STOP_WORDS, fold, plural
from workers.granulator.objectives import kinds_of_one_thing, tells_event
from workers.granulator.phrases import natural_phrase
from workers.granulator.tokens import tokenize

# Titles that share so many of their words read as the same title.
NEAR_DUPLICATE = 0.75
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
SINGLE_WORD_FACTOR = 0.7
PAIR_FACTOR = 0.75
PAIRED_PHRASES = 4
LONGEST_MADE_TITLE_WORDS = 13


def title_words(title: str) -> frozenset[str]:
    """What two titles are compared by: folded words without function words, or all words where none is left."""
    words = [fold(token.lower) for token in tokenize(title) if token.text[0].isalnum()]
    matter = frozenset(word for word in words if word not in STOP_WORDS)
    return matter or frozenset(words)


def likeness(title: str, other: str) -> float:
    """The Jaccard index of two titles' words, 0..1."""
    return jaccard(title_words(title), title_words(other))


def jaccard(words: frozenset[str], others: frozenset[str]) -> float:
    """The share of the words of two sets that both have, 0..1; two empty sets are alike."""
    return len(words & others) / len(words | others) if words or others else 1.0


class TitleRegister:
    """The titles given out so far in one course; refuses one that is nearly like another."""

    def __init__(self) -> None:
        self._taken: list[frozenset[str]] = []

    def claim(self, candidates: Sequence[str]) -> str:
        """The first candidate unlike every title so far; where there is none, the last one, numbered."""
        for candidate in candidates:
            if self._is_free(candidate):
                return self._take(candidate)
        number = 2
        while not self._is_free(numbered := f"{candidates[-1]} ({number})"):
            number += 1
        return self._take(numbered)

    def _is_free(self, title: str) -> bool:
        words = title_words(title)
        return all(jaccard(words, taken) < NEAR_DUPLICATE for taken in self._taken)

    def _take(self, title: str) -> str:
        self._taken.append(title_words(title))
        return title


def sentence_case(text: str) -> str:
    """The text with its first letter a capital and the rest as it is."""
    return text[:1].upper() + text[1:]


def made_titles(terms: Sequence[tuple[str, float]], sentences: Sequence[str], names: Collection[str]) -> list[str]:
    """Possible titles for a passage, best first, from what its sentences do and from its terms.

    A title is worth the weights of the passage's terms that it names, times a factor for its form.
    """
    readings = [reading for sentence in sentences for reading in read(sentence, names)[:1]]
    weights = dict(terms)
    weights.update((piece, max(DEFINED_WEIGHT, weights.get(piece, 0.0))) for piece in _defined(readings))
    candidates = [
        *_titles_of_kinds(sentences, names),
        *_titles_of_readings(readings),
        *_titles_of_terms(weights, frozenset(_defined(readings)), sentences, names),
    ]
    supported = {term: weight * _support(term, sentences) for term, weight in weights.items()}
    worth = {title: _worth(title, factor, supported) for title, factor in candidates}
    return sorted(worth, key=lambda title: (-worth[title], title))


def titles_from_terms(
    terms: Sequence[tuple[str, float]], sentences: Sequence[str], names: Collection[str]
) -> list[str]:
    """Possible titles for a whole text from its terms alone, best first."""
    weights = dict(terms)
    worth = {title: _worth(title, factor, weights) for title, factor in _titles_of_terms(weights, (), sentences, names)}
    return sorted(worth, key=lambda title: (-worth[title], title))


def _support(term: str, sentences: Sequence[str]) -> float:
    """How widely the sentences speak of a term: the root of the share that names it."""
    words = title_words(term)
    return sqrt(sum(words <= title_words(sentence) for sentence in sentences) / len(sentences))


def _worth(title: str, factor: float, weights: Mapping[str, float]) -> float:
    words = title_words(title)
    return factor * sum(weight for term, weight in weights.items() if title_words(term) <= words)


def _defined(readings: Sequence[Reading]) -> list[str]:
    return [term for reading in readings if reading.nature is Nature.DEFINITION for term in reading.pieces]


def _titles_of_kinds(sentences: Sequence[str], names: Collection[str]) -> Iterator[tuple[str, float]]:
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
                title = f"how {reading.pieces[0].partition(',')[0]}"
            case _:
                continue
        if len(title.split()) <= LONGEST_MADE_TITLE_WORDS:
            yield sentence_case(title), FORM_FACTORS[reading.nature]


def _titles_of_terms(
    weights: Mapping[str, float], defined: Collection[str], sentences: Sequence[str], names: Collection[str]
) -> Iterator[tuple[str, float]]:
    phrases: dict[str, float] = {}
    for term in sorted(weights, key=lambda term: (-weights[term] * (1 if " " in term else SINGLE_WORD_FACTOR), term)):
        phrase = natural_phrase(term, sentences, names)
        if phrase and not any(title_words(phrase) & title_words(other) for other in phrases):
            bare = " " not in phrase.removeprefix("the ")
            phrases[phrase] = DEFINED_FACTOR if term in defined else SINGLE_WORD_FACTOR if bare else 1.0
    for phrase, factor in phrases.items():
        yield sentence_case(phrase), factor
    for (first, factor), (second, other) in combinations(list(phrases.items())[:PAIRED_PHRASES], 2):
        if " and " not in f"{first} {second}":
            yield f"{sentence_case(first)} and {second}", PAIR_FACTOR * factor * other
