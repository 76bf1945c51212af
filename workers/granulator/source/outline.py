"""The outline of a text: all that any structure needs to know of it, drawn from the text alone."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from workers.granulator.pacing import reading_minutes
from workers.granulator.source.analysis import AnalysedSection, analyse
from workers.granulator.source.document import read_document
from workers.granulator.source.passages import SentenceRun, count_words, part, passages
from workers.granulator.source.points import Point, choose_points, strongest, weigh
from workers.granulator.source.terms import Vocabulary, WeightedTerm
from workers.granulator.wire import WireValue

DOCUMENT_TERMS = 100
SECTION_TERMS = 6
PASSAGE_TERMS = 5
KEY_SENTENCES = 3


class Passage(WireValue):
    """Neighbouring paragraphs that belong together; `sentences` are the first and last number in the text.

    `points` say most of it and `rest` is what else it says, both in the order of the text.
    """

    words: int
    sentences: tuple[int, int]
    terms: tuple[WeightedTerm, ...]
    points: Annotated[tuple[Point, ...], Field(min_length=1)]
    rest: tuple[Point, ...] = ()

    @property
    def lines(self) -> tuple[Point, ...]:
        """Every sentence that is known of the passage, in the order of the text."""
        return tuple(sorted((*self.points, *self.rest), key=lambda point: point.sentence))


class OutlineSection(WireValue):
    """A section of the text; `heading` is None for text that stands under none, level 1 is the highest."""

    heading: str | None
    level: int
    word_count: int
    terms: tuple[WeightedTerm, ...]
    passages: tuple[Passage, ...]

    @property
    def key_sentences(self) -> tuple[str, ...]:
        """The section's few most telling sentences, in the order of the text."""
        points = [point for passage in self.passages for point in passage.points]
        return tuple(point.text for point in strongest(points, KEY_SENTENCES))


class Outline(WireValue):
    """A text in outline; `names` are the words that keep their capital, `sentences` how many it has."""

    title: str | None
    english: bool
    word_count: int
    sentences: int
    reading_minutes: int
    names: tuple[str, ...]
    terms: tuple[WeightedTerm, ...]
    sections: Annotated[tuple[OutlineSection, ...], Field(min_length=1)]


def outline(text: str, title: str | None = None) -> Outline:
    """Outline a text; raises UnreadableText where `read_document` does. Equal texts give equal outlines."""
    analysis = part(analyse(read_document(text, title)))
    vocabulary = Vocabulary(analysis)
    runs = passages(analysis)
    section_terms = vocabulary.distinctive([section.sentences for section in analysis.sections], SECTION_TERMS)
    passage_terms = iter(vocabulary.distinctive([run for section in runs for run in section], PASSAGE_TERMS))
    words = count_words(analysis.sentences)
    return Outline(
        title=analysis.title,
        english=analysis.english,
        word_count=words,
        sentences=len(analysis.sentences),
        reading_minutes=reading_minutes(words),
        names=tuple(sorted(analysis.names)),
        terms=tuple(WeightedTerm(term=term.term, weight=term.weight) for term in vocabulary.heaviest(DOCUMENT_TERMS)),
        sections=tuple(
            _section(section, terms, [(run, next(passage_terms)) for run in parts], analysis.names)
            for section, terms, parts in zip(analysis.sections, section_terms, runs, strict=True)
        ),
    )


def _section(
    section: AnalysedSection,
    terms: tuple[WeightedTerm, ...],
    runs: list[tuple[SentenceRun, tuple[WeightedTerm, ...]]],
    names: frozenset[str],
) -> OutlineSection:
    weights = weigh(section, names)
    return OutlineSection(
        heading=section.heading,
        level=section.level,
        word_count=count_words(section.sentences),
        terms=terms,
        passages=tuple(_passage(run, run_terms, weights) for run, run_terms in runs),
    )


def _passage(run: SentenceRun, terms: tuple[WeightedTerm, ...], weights: Mapping[int, float]) -> Passage:
    points, rest = choose_points(run, weights)
    return Passage(
        words=count_words(run),
        sentences=(run[0].sentence.number, run[-1].sentence.number),
        terms=terms,
        points=points,
        rest=rest,
    )
