"""Where a run of units falls apart by its words: lexical cohesion across gaps, and parts cut at the weakest gaps.

After Hearst's TextTiling (1997): a gap's cohesion is the cosine of the words on its two sides, and a good place to cut
is a valley between two peaks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# How many units on each side of a gap are compared.
BLOCK_UNITS = 3


@dataclass(frozen=True, slots=True)
class Span:
    """Units `start` to `end`, exclusive."""

    start: int
    end: int


def gap_depths(bags: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """How deep the valley of cohesion is at each gap between neighbours; n bags have n - 1 gaps."""
    counts = [Counter(bag) for bag in bags]
    cohesion = np.array([_cohesion(counts, gap) for gap in range(1, len(counts))])
    if not cohesion.size:
        return cohesion
    left_peak = np.maximum.accumulate(cohesion)
    right_peak = np.maximum.accumulate(cohesion[::-1])[::-1]
    return np.asarray((left_peak - cohesion) + (right_peak - cohesion) + (1 - cohesion))


def cut(sizes: Sequence[int], depths: NDArray[np.float64], *, least: int, most: int) -> list[Span]:
    """Spans of at most `most` in size where that leaves none under `least`; each cut takes the deepest gap.

    `sizes` has one entry a unit, `depths` one a gap. Between gaps of equal depth the more central one is taken.
    """
    ends = np.cumsum([0, *sizes])
    spans: list[Span] = []
    pending = [Span(0, len(sizes))] if sizes else []
    while pending:
        span = pending.pop()
        gap = _best_gap(span, ends, depths, least) if ends[span.end] - ends[span.start] > most else None
        if gap is None:
            spans.append(span)
        else:
            pending += [Span(gap, span.end), Span(span.start, gap)]
    return spans


def _best_gap(span: Span, ends: NDArray[np.int_], depths: NDArray[np.float64], least: int) -> int | None:
    begin, finish = ends[span.start], ends[span.end]
    first = max(span.start + 1, int(np.searchsorted(ends, begin + least, side="left")))
    last = min(span.end - 1, int(np.searchsorted(ends, finish - least, side="right")) - 1)
    if first > last:
        return None
    allowed = depths[first - 1 : last]
    deepest = first + np.flatnonzero(allowed == allowed.max())
    return int(deepest[np.argmin(np.abs(2 * ends[deepest] - begin - finish))])


def _cohesion(counts: Sequence[Counter[str]], gap: int) -> float:
    before = sum(counts[max(0, gap - BLOCK_UNITS) : gap], Counter[str]())
    after = sum(counts[gap : gap + BLOCK_UNITS], Counter[str]())
    norm = float(np.sqrt(sum(n * n for n in before.values()) * sum(n * n for n in after.values())))
    return sum(times * after[word] for word, times in before.items()) / norm if norm else 0.0
