"""Estimates that learn: what an author's estimates are worth, by what the attempts have really taken.

For each topic the last few measurements are remembered, and the estimate is moved by their median: where the author
estimates, the median of actual to estimated; where nobody does, the median of the actual amounts. A median forgets a
single outlier and has followed a lasting change after half of the window. Pure: lessons in, lessons out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final, NamedTuple

from protocol.packets import Metrics
from workers.kit.answers import Estimate

WINDOW: Final = 11
"""Measurements remembered of an amount: a lasting change is followed after six of them."""
MOST_TOPICS: Final = 300
"""The ones that have not been heard of for longest are forgotten beyond this."""
GREATEST_FACTOR: Final = 10_000.0
"""So far from the truth an author's estimate may be, in either direction, and still be put right."""

_THE_AUTHORS_WORD: Final = (1.0,)
"""What is known before the first measurement: the estimate counts as a measurement that it was right."""

Topic = tuple[str, str]
"""What is learned apart: an action, and the key of its estimate."""
Measure = tuple[str, bool]
"""An amount by its name, and whether it is measured relative to what the author had said of it.

A zero cannot be scaled: an author who says it has said as little as one who says nothing.
"""
Lesson = Mapping[Measure, tuple[float, ...]]
"""The last measurements of one topic, oldest first."""
Lessons = Mapping[Topic, Lesson]
"""What was learned by topic, in the order in which the topics were last heard of."""


class Amounts(NamedTuple):
    """What an attempt was expected to take, or took; None for what was not said or not measured."""

    ms: float | None = None
    tokens: float | None = None
    cost_usd: float | None = None


def taken(ms: float, metrics: Metrics) -> Amounts:
    """What an attempt took in all that lasted so many milliseconds and reported this usage."""
    cost_usd = metrics.cost_usd
    return Amounts(ms, metrics.tokens_used, None if cost_usd is None else float(cost_usd))


def expected(lessons: Lessons, action: str, estimate: Estimate) -> Amounts:
    """What the author estimates, moved by what was learned; an amount that nobody knows stays None."""
    said = _said(estimate)
    lesson = lessons.get((action, estimate.key))
    if lesson is None:
        return said
    return Amounts(*[_moved(lesson, name, amount) for name, amount in zip(Amounts._fields, said, strict=True)])


def learned(lessons: Lessons, action: str, estimate: Estimate, actual: Amounts) -> Lessons:
    """The lessons after one more attempt, for which the author had estimated this."""
    topic = (action, estimate.key)
    after = dict(lessons)
    lesson = dict(after.pop(topic, {}))
    for amount, said, took in zip(Amounts._fields, _said(estimate), actual, strict=True):
        if took is None:
            continue
        measure = (amount, bool(said))
        before = lesson.get(measure, _THE_AUTHORS_WORD if said else ())
        measured = _bounded(took / said) if said else took
        lesson[measure] = (*before, measured)[-WINDOW:]
    if lesson:
        after[topic] = lesson
    while len(after) > MOST_TOPICS:
        del after[next(iter(after))]
    return after


def _said(estimate: Estimate) -> Amounts:
    cost_usd = estimate.cost_usd
    return Amounts(estimate.ms, estimate.tokens, None if cost_usd is None else float(cost_usd))


def _moved(lesson: Lesson, amount: str, said: float | None) -> float | None:
    measured = lesson.get((amount, bool(said)))
    if measured is None:
        return said
    return said * median(measured) if said else median(measured)


def _bounded(factor: float) -> float:
    return min(max(factor, 1 / GREATEST_FACTOR), GREATEST_FACTOR)


@dataclass(slots=True)
class Experience:
    """A worker's lessons so far; the one value of them that changes."""

    lessons: Lessons

    def expect(self, action: str, estimate: Estimate) -> Amounts:
        return expected(self.lessons, action, estimate)

    def learn(self, action: str, estimate: Estimate, actual: Amounts) -> None:
        self.lessons = learned(self.lessons, action, estimate, actual)
