"""How good a structure is, measured in the structure itself against its source; nothing is assumed.

A measure that cannot be taken is null and earns nothing, so a structure without a source cannot score high where its
source counts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from workers.granulator.kinds import check
from workers.granulator.quality.claim_measures import answers, citations, order
from workers.granulator.quality.finding import SEVERITIES, Finding, Measured
from workers.granulator.quality.form_measures import balance, depth, duplicates, durations, objectives, titles
from workers.granulator.quality.readability import Readability, readability, too_hard
from workers.granulator.quality.rule_measure import rules
from workers.granulator.quality.source_measures import coverage, sections, span
from workers.granulator.quality.standards import STANDARDS, USUAL_LEVEL, Level, Measure, Points, Standard
from workers.granulator.quality.texts import texts_of
from workers.granulator.quality.tree import Tree, lay_out
from workers.granulator.quality.yardstick import Yardstick
from workers.granulator.structure import Structure
from workers.granulator.wire import WireValue

SOURCE_LEVEL: Final = 2
CLAIMS_LEVEL: Final = 3

Taken = dict[Measure, Measured]
"""Measures taken of one structure."""

_FORM: Final[Mapping[Measure, Callable[[Tree], Measured]]] = {
    "duplicates": duplicates,
    "depth": depth,
    "objectives": objectives,
    "titles": titles,
    "balance": balance,
    "durations": durations,
}
_AGAINST_SOURCE: Final[Mapping[Measure, Callable[[Tree, Yardstick], Measured]]] = {
    "coverage": coverage,
    "sections": sections,
    "span": span,
    "citations": citations,
    "answers": answers,
    "order": order,
}


class Quality(WireValue):
    """A score of 0..100, what was found wrong, most severe first, and the measures behind the score.

    Each measure is 0..1, null where it cannot be taken, and left out where the kind or the level has none; high is
    good, save for `duplicates`, the share of titles that read like another. `attainable` is the score that a faultless
    structure would have had: less than 100 where there is no source to measure against.
    """

    score: float
    attainable: float
    level: Level
    findings: tuple[Finding, ...]
    measures: dict[Measure, float | None]
    readability: Readability | None = None


def validate(
    structure: Structure,
    yardstick: Yardstick | None,
    level: Level = USUAL_LEVEL,
    audience: str | None = None,
) -> Quality:
    """Measure a structure of any kind as thoroughly as its level says; raises UnknownType for the bare base value.

    Level 1 measures the form alone: titles, depth, balance, times that add up, and the rules of the kind. Level 2 also
    measures how much of the source is taken up. Level 3 also holds every claim and every answer against the sentences
    it cites, the order against that of the source, and tells how hard the texts are to read; `audience` counts there.
    """
    broken = check(structure)
    tree, standard = lay_out(structure), STANDARDS[structure.type]
    form = _form(tree, standard.form, broken)
    source = _against(yardstick, standard.source, tree) if level >= SOURCE_LEVEL else {}
    claims = _against(yardstick, standard.claims, tree) if level >= CLAIMS_LEVEL else {}
    measured = form | source | claims
    prose = _readability(tree, yardstick) if level >= CLAIMS_LEVEL else None
    found = [
        *broken,
        *_remarks(structure, standard, yardstick, level),
        *(too_hard(prose, audience) if prose and audience else ()),
        *(finding for taken in measured.values() for finding in taken.findings),
    ]
    possible = standard.possible(level)
    return Quality(
        score=round(100 * _earned(form | claims, source, standard) / possible, 2) if tree.leaves else 0.0,
        attainable=round(100 * (sum(standard.form.values()) if yardstick is None else possible) / possible, 2),
        level=level,
        findings=_worst_first(found),
        measures={name: None if taken.value is None else round(taken.value, 4) for name, taken in measured.items()},
        readability=prose,
    )


def _form(tree: Tree, points: Points, broken: tuple[Finding, ...]) -> Taken:
    """The measures of form; what one of them charges for is not charged for once more as a broken rule."""
    taken: Taken = {name: _FORM[name](tree) for name in points if name != "rules"}
    if "rules" not in points:
        return taken
    charged = {finding.path for measured in taken.values() for finding in measured.findings}
    return {"rules": rules(tree, broken, charged), **taken}


def _against(yardstick: Yardstick | None, points: Points, tree: Tree) -> Taken:
    return {name: Measured(None) if yardstick is None else _AGAINST_SOURCE[name](tree, yardstick) for name in points}


def _earned(made: Taken, source: Taken, standard: Standard) -> float:
    """The points of all measures; what is well made counts only as far as it is about the source, where that is known.

    So a faultless structure on something else earns next to nothing.
    """
    coverage_found = source.get("coverage", Measured(None)).value
    about = 1.0 if coverage_found is None else coverage_found
    points = {**standard.form, **standard.source, **standard.claims}
    own = sum(points[name] * _merit(name, taken.value) for name, taken in made.items())
    return about * own + sum(points[name] * _merit(name, taken.value) for name, taken in source.items())


def _merit(name: Measure, value: float | None) -> float:
    if value is None:
        return 0.0
    return 1 - value if name == "duplicates" else value


def _readability(tree: Tree, yardstick: Yardstick | None) -> Readability | None:
    """Of a structure whose source is known to be English; the formulas hold for no other language."""
    if yardstick is None or not yardstick.english:
        return None
    return readability(text for placed in tree.elements for text in texts_of(placed.element))


def _remarks(structure: Structure, standard: Standard, yardstick: Yardstick | None, level: Level) -> Iterable[Finding]:
    """What holds of the structure as a whole."""
    if not structure.sourced and structure.notice:
        yield Finding(code="unsourced", severity="warning", path="", message=structure.notice)
    if yardstick is None and level >= SOURCE_LEVEL:
        most = 100 * sum(standard.form.values()) / standard.possible(level)
        message = (
            f"No source was given, so coverage is not measured and earns nothing; the score is {most:.0f} at most."
        )
        yield Finding(code="coverage_unmeasured", severity="warning", path="", message=message)
    elif yardstick is not None and not yardstick.texts and level >= CLAIMS_LEVEL:
        message = (
            "The source's sentences were not given, so claims are not measured and earn nothing; give its outline."
        )
        yield Finding(code="claims_unmeasured", severity="warning", path="", message=message)


def _worst_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding of a code at a place once."""
    distinct: dict[tuple[str, str, str], Finding] = {}
    for finding in found:
        distinct.setdefault((finding.code, finding.path, finding.message), finding)
    return tuple(sorted(distinct.values(), key=lambda finding: SEVERITIES.index(finding.severity)))
