"""An outline with its passages cut finer, for those who want smaller parts; no sentence is lost or moved."""

from collections.abc import Sequence
from itertools import pairwise

from workers.granulator.language.tokens import count_words
from workers.granulator.language.words import words_of
from workers.granulator.source.cohesion import Span
from workers.granulator.source.outline import Outline, OutlineSection, Passage
from workers.granulator.source.points import Point
from workers.granulator.source.terms import WeightedTerm

# A piece of a passage needs two sentences to say anything, and so many words.
LEAST_LINES = 2
LEAST_PIECE_WORDS = 40
PIECE_POINTS = 3


def divided(outline: Outline, pieces: int) -> Outline:
    """The outline with each passage cut into so many pieces of about equal length, or into fewer if it is short."""
    if pieces == 1:
        return outline
    sections = tuple(_divided_section(section, pieces) for section in outline.sections)
    return outline.model_copy(update={"sections": sections})


def equal_spans(sizes: Sequence[int], spans: int, least: int) -> list[Span]:
    """Units of these sizes in at most so many spans of at least `least` units, cut where the sizes share out evenly."""
    wanted = max(1, min(spans, len(sizes) // least))
    total = sum(sizes)
    cuts = [0]
    reached = 0
    for index, size in enumerate(sizes, 1):
        reached += size
        left = wanted - len(cuts)
        must = len(sizes) - index == left * least
        may = index - cuts[-1] >= least and len(sizes) - index >= left * least
        if left and (must or (may and reached * wanted >= total * len(cuts))):
            cuts.append(index)
    return [Span(start, end) for start, end in pairwise([*cuts, len(sizes)])]


def _divided_section(section: OutlineSection, pieces: int) -> OutlineSection:
    passages = tuple(piece for passage in section.passages for piece in _divided_passage(passage, pieces))
    return section.model_copy(update={"passages": passages})


def _divided_passage(passage: Passage, pieces: int) -> list[Passage]:
    lines = passage.lines
    spans = equal_spans(
        [count_words(line.text) for line in lines], min(pieces, passage.words // LEAST_PIECE_WORDS), LEAST_LINES
    )
    if len(spans) == 1:
        return [passage]
    runs = [lines[span.start : span.end] for span in spans]
    starts = [passage.sentences[0], *(run[0].sentence for run in runs[1:])]
    ends = [*(start - 1 for start in starts[1:]), passage.sentences[1]]
    chosen = {point.sentence for point in passage.points}
    return [
        _piece(run, (start, end), chosen, passage.terms) for run, start, end in zip(runs, starts, ends, strict=True)
    ]


def _piece(
    run: Sequence[Point], sentences: tuple[int, int], chosen: set[int], terms: Sequence[WeightedTerm]
) -> Passage:
    ranked = sorted(run, key=lambda line: (line.sentence not in chosen, -line.weight, line.sentence))
    kept = {line.sentence for line in ranked[:PIECE_POINTS]}
    words = {word for line in run for word in words_of(line.text)}
    own = tuple(term for term in terms if words.issuperset(words_of(term.term)))
    return Passage(
        words=sum(count_words(line.text) for line in run),
        sentences=sentences,
        terms=own or tuple(terms),
        points=tuple(line for line in run if line.sentence in kept),
        rest=tuple(line for line in run if line.sentence not in kept),
    )
