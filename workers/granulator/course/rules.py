"""The rules of form that every course keeps, whoever made it; each break of one is a finding with its place."""

from workers.granulator.course.structure import Course
from workers.granulator.quality.finding import Finding
from workers.granulator.quality.form_measures import (
    balance,
    depth,
    duplicates,
    durations,
    emptiness,
    objectives,
    titles,
)
from workers.granulator.quality.tree import lay_out

_MEASURES = (duplicates, depth, objectives, titles, balance, durations)


def check(course: Course) -> tuple[Finding, ...]:
    """What the measures of form find wrong; empty where the course keeps every rule."""
    tree = lay_out(course)
    return emptiness(tree) + tuple(finding for measure in _MEASURES for finding in measure(tree).findings)
