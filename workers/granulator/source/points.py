"""Which sentences of a passage say most of it: centrality, tempered by what a sentence does and whether it can stand.

A point is always a whole sentence of the source, word for word.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from pydantic import NonNegativeFloat

from workers.granulator.language.english import word_set
from workers.granulator.language.readings import Nature, read
from workers.granulator.source.analysis import AnalysedSection, AnalysedSentence
from workers.granulator.source.document import Sentence
from workers.granulator.source.passages import SentenceRun, count_words
from workers.granulator.source.ranking import rank
from workers.granulator.wire import WireValue

WORDS_PER_POINT = 45
FEWEST_POINTS, MOST_POINTS = 3, 5
SHORTEST_POINT_WORDS, LONGEST_POINT_WORDS = 6, 45

# Position and form of a sentence, as factors on the root of its centrality; plain centrality would drown them. A first
# sentence tends to state its paragraph's matter (Baxendale, 1958); one that leans on another cannot be read alone.
LEAD_FACTOR = 1.25
LEANING_FACTOR = 0.45
UNWIELDY_FACTOR = 0.4
# What teaching asks for beyond what is central: what a thing is, how it differs, why it is so, how it is done.
NATURE_FACTORS = {
    Nature.DEFINITION: 2.0,
    Nature.COMPARISON: 1.5,
    Nature.CAUSE: 1.5,
    Nature.PROCEDURE: 1.5,
    Nature.CONDITION: 1.3,
    Nature.STATEMENT: 1.1,
}
# A sentence that holds no clause for an objective serves less well.
UNREADABLE_FACTOR = 0.8

_LEANING_OPENINGS = word_set(
    "it its this that these those they them their he she his her such so but and or yet thus hence therefore then "
    "however moreover furthermore instead also otherwise nevertheless meanwhile another both neither here there one "
    "all most each either what"
)
_LEANING_WORDS = ("the former", "the latter", "the following", "as follows", "the same reason", "see above")


class _Weighted(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def weight(self) -> float: ...


_WeightedText = TypeVar("_WeightedText", bound=_Weighted)


class Point(WireValue):
    """A sentence of the source that says much of its passage; `sentence` is its number in the text."""

    sentence: int
    text: str
    weight: NonNegativeFloat


def weigh(section: AnalysedSection, names: Collection[str]) -> dict[int, float]:
    """The weight of each sentence of a section, by its number."""
    sentences = section.sentences
    leads = {paragraph[0].sentence.number for paragraph in section.paragraphs}
    centrality = np.sqrt(rank([item.content for item in sentences]))
    return {
        item.sentence.number: float(central) * _form_factor(item, leads, names)
        for item, central in zip(sentences, centrality, strict=True)
    }


def choose_points(passage: SentenceRun, weights: Mapping[int, float]) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The weightiest sentences of a passage and the others, each in the order of the text; the earlier wins a tie."""
    wanted = min(max(FEWEST_POINTS, round(count_words(passage) / WORDS_PER_POINT)), MOST_POINTS)
    points = [_point(item.sentence, weights) for item in passage]
    ranked = sorted(passage, key=lambda item: (-weights[item.sentence.number], item.sentence.number))
    chosen = {item.sentence.number for item in ranked[:wanted]}
    return (
        tuple(point for point in points if point.sentence in chosen),
        tuple(point for point in points if point.sentence not in chosen),
    )


def strongest(sentences: Sequence[_WeightedText], wanted: int) -> tuple[_WeightedText, ...]:
    """The weightiest sentences, those that can be read alone before all others, in the order given."""
    places = sorted(range(len(sentences)), key=lambda place: (leans(sentences[place].text), -sentences[place].weight))
    return tuple(sentences[place] for place in sorted(places[:wanted]))


def leans(sentence: str) -> bool:
    """Whether a sentence points to the one before it or behind it and so cannot be read alone."""
    opening = sentence.lstrip("\"'“‘(").split(None, 1)[0].strip(",.:;\"'”’").lower()
    lowered = sentence.lower()
    return (
        opening in _LEANING_OPENINGS or any(word in lowered for word in _LEANING_WORDS) or sentence.endswith(("?", ":"))
    )


def _point(sentence: Sentence, weights: Mapping[int, float]) -> Point:
    return Point(sentence=sentence.number, text=sentence.text, weight=round(weights[sentence.number], 2))


def _form_factor(item: AnalysedSentence, leads: Collection[int], names: Collection[str]) -> float:
    reading = read(item.sentence.text, names)
    factor = NATURE_FACTORS[reading.nature] if reading else UNREADABLE_FACTOR
    if item.sentence.number in leads:
        factor *= LEAD_FACTOR
    if leans(item.sentence.text):
        factor *= LEANING_FACTOR
    if not SHORTEST_POINT_WORDS <= item.sentence.words <= LONGEST_POINT_WORDS:
        factor *= UNWIELDY_FACTOR
    return factor
