"""How well a structure is made, whatever it is about: titles, depth, objectives, balance and durations that add up."""

from collections import Counter
from collections.abc import Sequence
from math import log

from workers.granulator.course.structure import Node
from workers.granulator.quality.finding import Finding, Measured, share
from workers.granulator.quality.texts import lack_of, minutes_of, related_ids
from workers.granulator.quality.title_rules import (
    Titled,
    duplicate_finding,
    fragment_finding,
    is_fragment,
    near_duplicates,
)
from workers.granulator.quality.tree import Placed, Tree
from workers.granulator.structure import Element

# A part this many times as large as the mean is called out.
UNEVEN = 2.5


def emptiness(tree: Tree) -> tuple[Finding, ...]:
    """The one finding of a course in which there is nothing to learn; none where there is a lesson."""
    if tree.leaves:
        return ()
    return (Finding(code="empty_structure", severity="error", path="", message="The structure has no lesson."),)


def duplicates(tree: Tree) -> Measured:
    """The share of titles that read like another title they are compared with; 0 is best."""
    pairs = [pair for types in tree.view.compared for pair in near_duplicates(_titled(tree.of(types)))]
    alike = {item.path for pair in pairs for item in pair}
    findings = tuple(duplicate_finding(item, earlier) for item, earlier in pairs)
    return Measured(share(len(alike), len(tree.entitled)), findings)


def titles(tree: Tree) -> Measured:
    """The share of titles that are whole: not empty and not broken off at a word that asks for another."""
    entitled = _titled(tree.entitled)
    broken = [item for item in entitled if is_fragment(item.title)]
    whole = len(entitled) - len(broken)
    return Measured(share(whole, len(entitled)), tuple(fragment_finding(item) for item in broken))


def depth(tree: Tree) -> Measured:
    """The mean of two shares: parts with as many leaves as a part should hold, and leaves that lack nothing."""
    thin = [placed for placed in tree.parts if _leaves_of(tree, placed) < tree.view.least]
    related = related_ids(tree.root)
    lacks = [(placed, lack_of(placed.element, related)) for placed in tree.leaves]
    bare = [(placed, lack) for placed, lack in lacks if lack is not None]
    leaf = tree.view.leaves[0]
    too_few = f"holds fewer than {tree.view.least} {leaf}s" if tree.view.least > 1 else f"holds no {leaf}"
    findings = (
        *(_finding(f"thin_{placed.element.type}", placed, too_few) for placed in thin),
        *(_finding(f"bare_{placed.element.type}", placed, lack) for placed, lack in bare),
    )
    parts = share(len(tree.parts) - len(thin), len(tree.parts))
    leaves = share(len(tree.leaves) - len(bare), len(tree.leaves))
    return Measured((parts + leaves) / 2, findings)


def objectives(tree: Tree) -> Measured:
    """The share of modules and lessons with an objective that is found nowhere else in the course."""
    aims = {placed.path: _objectives_of(placed.element) for placed in tree.elements}
    times = Counter(objective.casefold() for own in aims.values() for objective in own)
    lacking = [placed for placed in tree.entitled if all(times[item.casefold()] > 1 for item in aims[placed.path])]
    findings = tuple(
        _finding("objective_repeated", placed, "has only objectives that other parts have too")
        if aims[placed.path]
        else _finding("objective_missing", placed, "has no objective")
        for placed in lacking
    )
    return Measured(share(len(tree.entitled) - len(lacking), len(tree.entitled)), findings)


def balance(tree: Tree) -> Measured:
    """How evenly a structure is dealt out to its parts: Pielou's evenness, the entropy over its greatest value.

    A part is as large as the minutes it lasts or, in a kind without times, as the leaves it holds.
    """
    sizes = [_size(tree, placed) for placed in tree.parts]
    total = sum(size for size, _ in sizes)
    if not total:
        return Measured(0.0)
    mean = total / len(sizes)
    findings = tuple(
        _finding(f"uneven_{placed.element.type}", placed, f"{said} where the mean is {mean:.0f}")
        for placed, (size, said) in zip(tree.parts, sizes, strict=True)
        if size > UNEVEN * mean
    )
    return Measured(_evenness([size / total for size, _ in sizes if size], len(sizes)), findings)


def durations(tree: Tree) -> Measured:
    """The share of elements whose time adds up: a parent lasts as long as its children, a leaf lasts at all."""
    timed = [
        (placed.path, minutes, [minutes_of(child) or 0 for child in placed.element.children])
        for placed in (Placed(tree.root, ""), *tree.elements)
        if (minutes := minutes_of(placed.element)) is not None
    ]
    wrong = [part for part in timed if not _adds_up(part[1], part[2])]
    return Measured(share(len(timed) - len(wrong), len(timed)), tuple(_wrong_duration(*part) for part in wrong))


def _titled(elements: Sequence[Placed]) -> list[Titled]:
    return [Titled(placed.element.title, placed.path) for placed in elements]


def _leaves_of(tree: Tree, part: Placed) -> int:
    return sum(1 for child in part.element.children if child.type in tree.view.leaves)


def _objectives_of(element: Element) -> tuple[str, ...]:
    return element.objectives if isinstance(element, Node) else ()


def _size(tree: Tree, part: Placed) -> tuple[int, str]:
    """How large a part is, and that in words."""
    minutes = minutes_of(part.element)
    if minutes is not None:
        return minutes, f"lasts {minutes} minutes"
    leaves = _leaves_of(tree, part)
    return leaves, f"holds {leaves} elements"


def _finding(code: str, placed: Placed, fault: str) -> Finding:
    return Finding(code=code, severity="warning", path=placed.path, message=f"{placed.named} {fault}.")


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
