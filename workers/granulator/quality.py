"""How good a course structure is, measured in the structure itself against its source; nothing is assumed.

A measure that cannot be taken is null and earns nothing, so a structure without a source cannot score high.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from workers.granulator.course import Course
from workers.granulator.findings import Finding
from workers.granulator.measures import (
    Measured,
    balance,
    coverage,
    depth,
    duplicates,
    durations,
    objectives,
    sections,
    span,
    titles,
)
from workers.granulator.tree import Tree
from workers.granulator.wire import WireValue
from workers.granulator.yardstick import Yardstick

# What a course teaches counts most: three fifths for saying what the source says. A title that a learner cannot tell
# from another, or a module of one lesson, costs more than uneven lengths, which are matters of taste.
WEIGHTS = {
    "coverage": 0.35,
    "sections": 0.10,
    "span": 0.15,
    "duplicates": 0.10,
    "titles": 0.05,
    "depth": 0.10,
    "objectives": 0.08,
    "balance": 0.04,
    "durations": 0.03,
}


class Measures(WireValue):
    """Each 0..1; high is good, save for `duplicates`, the share of titles that read like another.

    `coverage`, `sections` and `span` are null where there is no source to measure against.
    """

    coverage: float | None
    sections: float | None
    span: float | None
    duplicates: float
    titles: float
    depth: float
    objectives: float
    balance: float
    durations: float


class Quality(WireValue):
    """A score of 0..100, what was measured, and what was found wrong, most severe first."""

    score: float
    findings: tuple[Finding, ...]
    measures: Measures | None
