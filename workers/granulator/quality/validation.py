"""How good a course structure is, measured in the structure itself against its source; nothing is assumed.

A measure that cannot be taken is null and earns nothing, so a structure without a source cannot score high.
"""

from workers.granulator.course.structure import Course
from workers.granulator.quality.finding import SEVERITIES, Finding, Measured
from workers.granulator.quality.form_measures import (
    balance,
    depth,
    duplicates,
    durations,
    emptiness,
    objectives,
    titles,
)
from workers.granulator.quality.source_measures import coverage, sections, span
from workers.granulator.quality.tree import Tree, lay_out
from workers.granulator.quality.yardstick import Yardstick
from workers.granulator.wire import WireValue

# The points that each measure can earn, of 100 together. What a course teaches counts most: three fifths for saying
# what its source says. A title that a learner cannot tell from another, or a module of one lesson, costs more than
# uneven lengths, which are a matter of taste.
CONTENT_POINTS = {"coverage": 35, "sections": 10, "span": 15}
FORM_POINTS = {"duplicates": 10, "depth": 10, "objectives": 8, "titles": 5, "balance": 4, "durations": 3}
UNSOURCED_CEILING = sum(FORM_POINTS.values())


class Measures(WireValue):
    """Each 0..1; high is good, save for `duplicates`, the share of titles that read like another.

    `coverage`, `sections` and `span` are null where there is no source to measure against.
    """

    coverage: float | None
    sections: float | None
    span: float | None
    duplicates: float | None
    depth: float | None
    objectives: float | None
    titles: float | None
    balance: float | None
    durations: float | None


class Quality(WireValue):
    """A score of 0..100, what was found wrong, most severe first, and the measures behind the score."""

    score: float
    findings: tuple[Finding, ...]
    measures: Measures


def validate(structure: Course, yardstick: Yardstick | None) -> Quality:
    """Measure a structure against its source, or by its form alone where there is none."""
    tree = lay_out(structure)
    content, form = _content(tree, yardstick), _form(tree)
    measured = content | form
    findings = [*_remarks(tree, yardstick), *(item for taken in measured.values() for item in taken.findings)]
    return Quality(
        score=round(_score(content, form), 2) if tree.lessons else 0.0,
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        measures=Measures(**{name: _rounded(taken.value) for name, taken in measured.items()}),
    )


def _score(content: dict[str, Measured], form: dict[str, Measured]) -> float:
    """Form earns in proportion to coverage where that is known: a well-made course on something else is worthless."""
    covered = content["coverage"].value
    earned = sum(points * (content[name].value or 0.0) for name, points in CONTENT_POINTS.items())
    made = sum(points * _merit(name, form[name].value) for name, points in FORM_POINTS.items())
    return earned + made * (1.0 if covered is None else covered)


def _merit(name: str, value: float | None) -> float:
    if value is None:
        return 0.0
    return 1 - value if name == "duplicates" else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _content(tree: Tree, yardstick: Yardstick | None) -> dict[str, Measured]:
    if yardstick is None:
        return {"coverage": Measured(None), "sections": Measured(None), "span": Measured(None)}
    return {
        "coverage": coverage(tree, yardstick),
        "sections": sections(tree, yardstick),
        "span": span(tree, yardstick),
    }


def _form(tree: Tree) -> dict[str, Measured]:
    return {
        "duplicates": duplicates(tree),
        "depth": depth(tree),
        "objectives": objectives(tree),
        "titles": titles(tree),
        "balance": balance(tree),
        "durations": durations(tree),
    }


def _remarks(tree: Tree, yardstick: Yardstick | None) -> list[Finding]:
    """What holds of the structure as a whole."""
    remarks = list(emptiness(tree))
    if not tree.course.sourced and tree.course.notice:
        remarks.append(Finding(code="unsourced", severity="warning", path="", message=tree.course.notice))
    if yardstick is None:
        message = (
            "No source was given, so coverage is not measured and earns nothing; "
            f"the score is {UNSOURCED_CEILING} at most."
        )
        remarks.append(Finding(code="coverage_unmeasured", severity="warning", path="", message=message))
    return remarks
