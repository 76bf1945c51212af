"""Which terms a text is about and how much each weighs, with the sections as the documents of the collection."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log, log2

from pydantic import NonNegativeFloat

from workers.granulator.language.english import ADJECTIVES, GENERIC_NOUNS
from workers.granulator.language.tagging import LONGEST_PHRASE_WORDS
from workers.granulator.language.words import Words
from workers.granulator.source.analysis import AnalysedSentence, Analysis, Mention, analyse
from workers.granulator.source.document import read_document
from workers.granulator.wire import WireValue

# A phrase said once may be chance; said twice it is on its way to be a term.
LEAST_MENTIONS = 2
# Below this many repeated terms the text is too short for repetition to tell, and single mentions count.
ENOUGH_TERMS = 12
# An author names what a section is about in its heading; half as much again is a judgement, not a measurement.
HEADING_FACTOR = 1.5
INDEX_SIZE = 200


class Term(WireValue):
    """A term as the text writes it; `weight` is 0..1 relative to the text's weightiest, sections count from 1."""

    term: str
    weight: NonNegativeFloat
    count: int
    sections: tuple[int, ...]
    first_sentence: int


class TermIndex(WireValue):
    """The weighted terms of a text, heaviest first, and how many sections and sentences it has."""

    terms: tuple[Term, ...]
    sections: int
    sentences: int


class WeightedTerm(WireValue):
    """A term of one part of a text; `weight` is 0..1 relative to the part's weightiest."""

    term: str
    weight: NonNegativeFloat


@dataclass(frozen=True, slots=True)
class _Candidate:
    key: Words
    count: int
    sections: tuple[int, ...]
    first_sentence: int
    in_heading: bool


class Vocabulary:
    """The terms of one analysed text: counted once, then asked for as a whole or by part."""

    def __init__(self, analysis: Analysis) -> None:
        self._spellings = _spellings(analysis)
        candidates = _candidates(analysis)
        self._weights = _weights(candidates, len(analysis.sections))
        self._candidates = {candidate.key: candidate for candidate in candidates}

    def heaviest(self, limit: int) -> tuple[Term, ...]:
        """The weightiest terms of the whole text, heaviest first."""
        keys = sorted(self._weights, key=lambda key: (-self._weights[key], key))[:limit]
        top = self._weights[keys[0]] if keys else 1.0
        return tuple(self._term(self._candidates[key], self._weights[key] / top) for key in keys)

    def distinctive(self, parts: Sequence[Sequence[AnalysedSentence]], limit: int) -> list[tuple[WeightedTerm, ...]]:
        """For each part the terms that tell it from the other parts, heaviest first: tf-idf, parts as documents."""
        counts = [self._counts(part) for part in parts]
        spread = Counter(key for count in counts for key in count)
        return [self._heaviest_of(count, spread, len(parts), limit) for count in counts]

    def _counts(self, sentences: Iterable[AnalysedSentence]) -> Counter[Words]:
        return Counter(
            key
            for sentence in sentences
            for mention in sentence.mentions
            for key in _nested_keys(mention)
            if key in self._weights
        )

    def _heaviest_of(
        self, counts: Counter[Words], spread: Counter[Words], parts: int, limit: int
    ) -> tuple[WeightedTerm, ...]:
        scores = {key: times * log2(len(key) + 1) * log(1 + parts / spread[key]) for key, times in counts.items()}
        chosen: list[Words] = []
        for key in sorted(scores, key=lambda key: (-scores[key], key)):
            if len(chosen) == limit:
                break
            if not any(_overlaps(key, other) for other in chosen):
                chosen.append(key)
        top = scores[chosen[0]] if chosen else 1.0
        return tuple(WeightedTerm(term=self._spellings[key], weight=round(scores[key] / top, 3)) for key in chosen)

    def _term(self, candidate: _Candidate, weight: float) -> Term:
        return Term(
            term=self._spellings[candidate.key],
            weight=round(weight, 4),
            count=candidate.count,
            sections=candidate.sections,
            first_sentence=candidate.first_sentence,
        )


def index_terms(text: str, title: str | None = None) -> TermIndex:
    """The index of a text's weightiest terms; raises UnreadableText as `read_document` does."""
    analysis = analyse(read_document(text, title))
    return TermIndex(
        terms=Vocabulary(analysis).heaviest(INDEX_SIZE),
        sections=len(analysis.sections),
        sentences=len(analysis.sentences),
    )


def _overlaps(key: Words, other: Words) -> bool:
    return set(key) <= set(other) or set(other) <= set(key)


def _nested_keys(mention: Mention) -> Iterator[Words]:
    """Every run of words inside the phrase that could be a term by itself."""
    words = mention.key[-LONGEST_PHRASE_WORDS:]
    for start, end in combinations(range(len(words) + 1), 2):
        key = words[start:end]
        if _may_be_term(key):
            yield key


def _may_be_term(key: Words) -> bool:
    if len(key) == 1:
        return len(key[0]) > 2 and key[0] not in GENERIC_NOUNS and key[0] not in ADJECTIVES
    return key[-1] not in ADJECTIVES


def _spellings(analysis: Analysis) -> dict[Words, str]:
    """The most frequent spelling of each term; the shorter and then the alphabetically first wins a tie."""
    seen: dict[Words, Counter[str]] = defaultdict(Counter)
    for mention in _all_mentions(analysis):
        words, surface = mention.key[-LONGEST_PHRASE_WORDS:], mention.surface[-LONGEST_PHRASE_WORDS:]
        for start, end in combinations(range(len(words) + 1), 2):
            seen[words[start:end]][" ".join(surface[start:end])] += 1
    return {key: min(forms, key=lambda form: (-forms[form], len(form), form)) for key, forms in seen.items()}


def _all_mentions(analysis: Analysis) -> Iterator[Mention]:
    for section in analysis.sections:
        yield from section.heading_mentions
        for sentence in section.sentences:
            yield from sentence.mentions


def _candidates(analysis: Analysis) -> list[_Candidate]:
    counts: Counter[Words] = Counter()
    sections: dict[Words, list[int]] = defaultdict(list)
    first: dict[Words, int] = {}
    headed: set[Words] = set()
    for number, section in enumerate(analysis.sections, 1):
        headed.update(key for mention in section.heading_mentions for key in _nested_keys(mention))
        for sentence in section.sentences:
            for key in (key for mention in sentence.mentions for key in _nested_keys(mention)):
                counts[key] += 1
                first.setdefault(key, sentence.sentence.number)
                if sections[key][-1:] != [number]:
                    sections[key].append(number)
    repeated = sum(1 for times in counts.values() if times >= LEAST_MENTIONS)
    least = LEAST_MENTIONS if repeated >= ENOUGH_TERMS else 1
    return [
        _Candidate(key, times, tuple(sections[key]), first[key], key in headed)
        for key, times in counts.items()
        if times >= least or key in headed
    ]


def _weights(candidates: Sequence[_Candidate], sections: int) -> dict[Words, float]:
    """C-value times a smoothed inverse document frequency, times the heading factor.

    C-value (Frantzi, Ananiadou and Mima, 2000) takes from a term the mentions it owes to longer terms; its length
    factor is log2(words + 1), so that single words keep a weight (Barrón-Cedeño and others, 2009).
    """
    counts = {candidate.key: candidate.count for candidate in candidates}
    containers: dict[Words, list[int]] = defaultdict(list)
    for key, times in counts.items():
        for start, end in combinations(range(len(key) + 1), 2):
            if end - start < len(key):
                containers[key[start:end]].append(times)
    weights = {}
    for candidate in candidates:
        longer = containers.get(candidate.key, [])
        own = candidate.count - (sum(longer) / len(longer) if longer else 0.0)
        rarity = 1 + log(sections / len(candidate.sections))
        heading = HEADING_FACTOR if candidate.in_heading else 1.0
        weights[candidate.key] = log2(len(candidate.key) + 1) * own * rarity * heading
    return {key: weight for key, weight in weights.items() if weight > 0}
