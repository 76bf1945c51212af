"""How well a structure is made, whatever it teaches: titles, depth, objectives, balance and durations that add up."""

from collections import Counter
from collections.abc import Sequence
from math import log

from workers.granulator.quality.finding import Finding, Measured, share
from workers.granulator.quality.title_rules import (
    Titled,
    duplicate_finding,
    fragment_finding,
    is_fragment,
    near_duplicates,
)
from workers.granulator.quality.tree import Placed, Tree

LEAST_LESSONS = 2
LEAST_POINTS = 2
# A module this many times as long as the mean is called out.
UNEVEN = 2.5


def emptiness(tree: Tree) -> tuple[Finding, ...]:
    """The one finding of a structure in which there is nothing to learn; none where there is a lesson."""
    if tree.lessons:
        return ()
    return (Finding(code="empty_structure", severity="error", path="", message="The structure has no lesson."),)


def duplicates(tree: Tree) -> Measured:
    """The share of titles that read like another title; 0 is best."""
    pairs = near_duplicates(_titled(tree))
    alike = {item.path for pair in pairs for item in pair}
    findings = tuple(duplicate_finding(item, earlier) for item, earlier in pairs)
    return Measured(share(len(alike), len(tree.taught)), findings)


def titles(tree: Tree) -> Measured:
    """The share of titles that are whole: not empty and not broken off at a word that asks for another."""
    broken = [item for item in _titled(tree) if is_fragment(item.title)]
    whole = len(tree.taught) - len(broken)
    return Measured(share(whole, len(tree.taught)), tuple(fragment_finding(item) for item in broken))


def depth(tree: Tree) -> Measured:
    """The mean of two shares: modules with at least two lessons, and lessons with at least two points."""
    thin = [placed for placed in tree.modules if _lessons_of(placed) < LEAST_LESSONS]
    bare = [placed for placed in tree.lessons if len(placed.node.outline) < LEAST_POINTS]
    findings = (
        *(_finding("thin_module", placed, f"holds fewer than {LEAST_LESSONS} lessons") for placed in thin),
        *(_finding("bare_lesson", placed, f"has fewer than {LEAST_POINTS} points") for placed in bare),
    )
    modules = share(len(tree.modules) - len(thin), len(tree.modules))
    lessons = share(len(tree.lessons) - len(bare), len(tree.lessons))
    return Measured((modules + lessons) / 2, findings)


def objectives(tree: Tree) -> Measured:
    """The share of modules and lessons with an objective that is found nowhere else in the structure."""
    times = Counter(objective.casefold() for placed in tree.nodes for objective in placed.node.objectives)
    lacking = [placed for placed in tree.taught if all(times[item.casefold()] > 1 for item in placed.node.objectives)]
    findings = tuple(
        _finding("objective_repeated", placed, "has only objectives that other parts have too")
        if placed.node.objectives
        else _finding("objective_missing", placed, "has no objective")
        for placed in lacking
    )
    return Measured(share(len(tree.taught) - len(lacking), len(tree.taught)), findings)


def balance(tree: Tree) -> Measured:
    """How evenly time is dealt out to the modules: Pielou's evenness, the entropy over its greatest value."""
    minutes = [placed.node.duration_minutes for placed in tree.modules]
    total = sum(minutes)
    if not total:
        return Measured(0.0)
    mean = total / len(minutes)
    findings = tuple(
        _finding("uneven_module", placed, f"lasts {placed.node.duration_minutes} minutes where the mean is {mean:.0f}")
        for placed in tree.modules
        if placed.node.duration_minutes > UNEVEN * mean
    )
    return Measured(_evenness([part / total for part in minutes if part], len(minutes)), findings)


def durations(tree: Tree) -> Measured:
    """The share of parts whose time adds up: a parent lasts as long as its children, a leaf lasts at all."""
    parts: list[tuple[str, int, Sequence[int]]] = [
        ("", tree.course.duration_minutes, [child.duration_minutes for child in tree.course.children])
    ]
    parts += [
        (placed.path, placed.node.duration_minutes, [child.duration_minutes for child in placed.node.children])
        for placed in tree.nodes
    ]
    wrong = [part for part in parts if not _adds_up(part[1], part[2])]
    return Measured(share(len(parts) - len(wrong), len(parts)), tuple(_wrong_duration(*part) for part in wrong))


def _titled(tree: Tree) -> list[Titled]:
    return [Titled(placed.node.title, placed.path) for placed in tree.taught]


def _lessons_of(placed: Placed) -> int:
    return sum(1 for child in placed.node.children if child.type == "lesson")


def _finding(code: str, placed: Placed, fault: str) -> Finding:
    kind = placed.node.type.capitalize()
    return Finding(code=code, severity="warning", path=placed.path, message=f"{kind} “{placed.node.title}” {fault}.")


def _evenness(shares: Sequence[float], parts: int) -> float:
    return 1.0 if parts == 1 else -sum(part * log(part) for part in shares) / log(parts)


def _adds_up(minutes: int, children: Sequence[int]) -> bool:
    return minutes > 0 and (not children or minutes == sum(children))


def _wrong_duration(path: str, minutes: int, children: Sequence[int]) -> Finding:
    fault = f"where its parts last {sum(children)}" if children else "and so no time at all"
    return Finding(
        code="durations_do_not_add_up",
        severity="error",
        path=f"{path}/durationMinutes",
        message=f"Lasts {minutes} minutes {fault}.",
    )
