"""The order that `needs` puts stages in.

Invariant: in the order each stage comes after all that it needs; what `needs` leaves open follows the text.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias

Needs: TypeAlias = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class StageOrder:
    """The stages that can be ordered, with all that comes before each, and the circles that keep the others from it.

    A circle is the ids along it, each needing the next and the last the first; it begins with its first in the text.
    """

    stages: tuple[str, ...]
    before: Mapping[str, frozenset[str]]
    circles: tuple[tuple[str, ...], ...]


def order_of(needs: Needs) -> StageOrder:
    """Orders stages, given in the order of the text with the ids that each needs: all of them keys, none its own."""
    rank = {stage: index for index, stage in enumerate(needs)}
    names = tuple(needs)
    dependents = dependents_of(needs)
    unmet = {stage: len(required) for stage, required in needs.items()}
    waiting = dict.fromkeys(needs)
    ready = [rank[stage] for stage in needs if not unmet[stage]]
    ordered: list[str] = []
    circles: list[tuple[str, ...]] = []
    while waiting:
        if ready:
            settled: tuple[str, ...] = (names[heappop(ready)],)
            # Past a circle it is only the next circle that is sought.
            ordered += settled if not circles else ()
        else:
            settled = _circle(needs, waiting, rank)
            circles.append(settled)
        for stage in settled:
            del waiting[stage]
        for dependent in (dependent for stage in settled for dependent in dependents[stage]):
            unmet[dependent] -= 1
            if not unmet[dependent] and dependent in waiting:
                heappush(ready, rank[dependent])
    before: dict[str, frozenset[str]] = {}
    for stage in ordered:
        before[stage] = frozenset(needs[stage]).union(*(before[need] for need in needs[stage]))
    return StageOrder(tuple(ordered), before, tuple(circles))


def dependents_of(needs: Needs) -> dict[str, tuple[str, ...]]:
    """The reverse of `needs`: for each stage those that need it, in the order of the text."""
    dependents: dict[str, list[str]] = {stage: [] for stage in needs}
    for stage, required in needs.items():
        for need in required:
            dependents[need].append(stage)
    return {stage: tuple(followers) for stage, followers in dependents.items()}


def _circle(needs: Needs, waiting: Collection[str], rank: Mapping[str, int]) -> tuple[str, ...]:
    """A circle among the waiting stages. There is one: each of them needs another, so following needs comes back."""
    stage = next(iter(waiting))
    trail: dict[str, None] = {}
    while stage not in trail:
        trail[stage] = None
        stage = next(need for need in needs[stage] if need in waiting)
    along = list(trail)
    circle = along[along.index(stage) :]
    first = circle.index(min(circle, key=rank.__getitem__))
    return tuple(circle[first:] + circle[:first])
