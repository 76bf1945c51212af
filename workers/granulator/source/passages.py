"""Cutting an analysed text into parts and passages where its words change; no sentence is lost or moved."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from workers.granulator.source.analysis import AnalysedSection, AnalysedSentence, Analysis
from workers.granulator.source.cohesion import Span, cut, gap_depths

# A passage is what one lesson can hold. A little over half a usual section gives a module two lessons; a short text
# gets short ones, and a very long text longer ones, so that it does not become hundreds of lessons.
SHARE_OF_MODULE = 0.55
FEWEST_WORDS_AT_MOST, MOST_WORDS_AT_MOST = 90, 180
# Cutting in two leaves pieces of about half the most that is allowed: to get so many, each may have twice its share.
USUAL_PASSAGES, USUAL_PARTS = 150, 40
# The smallest passage beside the largest.
LEAST_SHARE = 1 / 3
# A text without headings is cut into parts of a section's usual size.
LEAST_PART_WORDS, MOST_PART_WORDS = 200, 500

SentenceRun = tuple[AnalysedSentence, ...]


def count_words(sentences: Sequence[AnalysedSentence]) -> int:
    """How many words some sentences have together."""
    return sum(item.sentence.words for item in sentences)


def part(analysis: Analysis) -> Analysis:
    """The analysis as it is, or, of a text that is one section throughout, with the section cut into parts."""
    if len(analysis.sections) != 1:
        return analysis
    (section,) = analysis.sections
    units = _units(section.paragraphs, least=LEAST_PART_WORDS // 2, most=LEAST_PART_WORDS)
    most = max(MOST_PART_WORDS, ceil(2 * count_words(section.sentences) / USUAL_PARTS))
    spans = _spans(units, least=LEAST_PART_WORDS, most=most)
    parts = tuple(replace(section, paragraphs=tuple(units[span.start : span.end])) for span in spans)
    return replace(analysis, sections=parts)


def passages(analysis: Analysis) -> list[list[SentenceRun]]:
    """The passages of each section."""
    most = _most_words(analysis.sections)
    least = round(most * LEAST_SHARE)
    return [_passages_of(section, least=least, most=most) for section in analysis.sections]


def _most_words(sections: Sequence[AnalysedSection]) -> int:
    words = sum(count_words(section.sentences) for section in sections)
    modules = sum(1 for section in sections if section.level <= 1 and section.heading is not None) or len(sections)
    usual = min(max(round(SHARE_OF_MODULE * words / modules), FEWEST_WORDS_AT_MOST), MOST_WORDS_AT_MOST)
    return max(usual, ceil(2 * words / USUAL_PASSAGES))


def _passages_of(section: AnalysedSection, *, least: int, most: int) -> list[SentenceRun]:
    units = _units(section.paragraphs, least=least, most=most)
    spans = _spans(units, least=least, most=most)
    return [tuple(item for unit in units[span.start : span.end] for item in unit) for span in spans]


def _units(paragraphs: Sequence[SentenceRun], *, least: int, most: int) -> list[SentenceRun]:
    """The paragraphs, those too long cut between sentences."""
    units: list[SentenceRun] = []
    for paragraph in paragraphs:
        if count_words(paragraph) <= most:
            units.append(paragraph)
        else:
            spans = _spans([(item,) for item in paragraph], least=least, most=most)
            units += [paragraph[span.start : span.end] for span in spans]
    return units


def _spans(units: Sequence[SentenceRun], *, least: int, most: int) -> list[Span]:
    depths = gap_depths([[word for item in unit for word in item.content] for unit in units])
    return cut([count_words(unit) for unit in units], depths, least=least, most=most)
