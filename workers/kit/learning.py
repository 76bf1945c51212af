"""Estimates that learn: what an author's estimates are worth, by what the attempts have really taken.

For each topic the last few measurements are remembered, and the estimate is moved by their median: where the author
estimates, the median of actual to estimated; where nobody does, the median of the actual amounts. A median forgets a
single outlier and has followed a lasting change after half of the window. Pure: lessons in, lessons out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median
from typing import Final, NamedTuple

from protocol.packets import Metrics
from workers.kit.answers import Estimate

WINDOW: Final = 11
"""Measurements remembered of a topic: a lasting change is followed after six of them."""
MOST_TOPICS: Final = 300
"""The ones that have not been heard of for longest are forgotten beyond this."""
GREATEST_FACTOR: Final = 10_000.0
"""So far from the truth an author's estimate may be, in either direction, and still be put right."""

_THE_AUTHORS_WORD: Final = (1.0,)
"""What is known before the first measurement: the estimate counts as a measurement that it was right."""
_PLACES_OF_A_DOLLAR: Final = 9


class Topic(NamedTuple):
    """What is learned apart: an action, the estimate's key, an amount, and whether it is relative to an estimate."""

    action: str
    key: str
    amount: str
    is_relative: bool


Lessons = Mapping[Topic, tuple[float, ...]]
"""The last measurements by topic, oldest first; the topics in the order in which they were last heard of."""


class Amounts(NamedTuple):
    """What an attempt was expected to take, or took; None for what was not said or not measured."""

    ms: float | None = None
    tokens: float | None = None
    cost_usd: float | None = None


def taken(ms: float, metrics: Metrics) -> Amounts:
    """What an attempt took in all that lasted so many milliseconds and reported this usage."""
    cost_usd = metrics.cost_usd
    return Amounts(ms, metrics.tokens_used, None if cost_usd is None else float(cost_usd))


def expected(lessons: Lessons, action: str, estimate: Estimate) -> Estimate:
    """The author's estimate, moved by what was learned; an amount that nobody knows stays None."""
    said = _said(estimate)
    ms, tokens, cost_usd = (
        _moved(lessons, _topic(action, estimate.key, name, amount), amount)
        for name, amount in zip(said._fields, said, strict=True)
    )
    return replace(
        estimate,
        ms=ms,
        tokens=None if tokens is None else round(tokens),
        cost_usd=None if cost_usd is None else Decimal(str(round(cost_usd, _PLACES_OF_A_DOLLAR))),
    )


def learned(lessons: Lessons, action: str, estimate: Estimate, actual: Amounts) -> Lessons:
    """The lessons after one more attempt, for which the author had estimated this."""
    after = dict(lessons)
    for name, said, took in zip(Amounts._fields, _said(estimate), actual, strict=True):
        if took is None:
            continue
        topic = _topic(action, estimate.key, name, said)
        before = after.pop(topic, _THE_AUTHORS_WORD if said else ())
        measured = _bounded(took / said) if said else took
        after[topic] = (*before, measured)[-WINDOW:]
    while len(after) > MOST_TOPICS:
        del after[next(iter(after))]
    return after


def _said(estimate: Estimate) -> Amounts:
    cost_usd = estimate.cost_usd
    return Amounts(estimate.ms, estimate.tokens, None if cost_usd is None else float(cost_usd))


def _topic(action: str, key: str, name: str, said: float | None) -> Topic:
    """A zero cannot be scaled: an author who says it has said as little as one who says nothing."""
    return Topic(action, key, name, is_relative=bool(said))


def _moved(lessons: Lessons, topic: Topic, said: float | None) -> float | None:
    measured = lessons.get(topic)
    if measured is None:
        return said
    return said * median(measured) if said else median(measured)


def _bounded(factor: float) -> float:
    return min(max(factor, 1 / GREATEST_FACTOR), GREATEST_FACTOR)


@dataclass(slots=True)
class Experience:
    """A worker's lessons so far; the one value of them that changes."""

    lessons: Lessons

    def expect(self, action: str, estimate: Estimate) -> Estimate:
        return expected(self.lessons, action, estimate)

    def learn(self, action: str, estimate: Estimate, actual: Amounts) -> None:
        self.lessons = learned(self.lessons, action, estimate, actual)
