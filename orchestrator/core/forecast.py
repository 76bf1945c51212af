"""When what waits will be worked off: the line is let run through the slots there are, by the dispatcher's own rule.

A slot that becomes free goes to the first in line that has a stage for it. Where a duration is unknown, whatever has to
wait for it is unknown too: nothing is guessed. Times are milliseconds from now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple


class Leg(NamedTuple):
    """A stage still to be done: its action (None: it waits for a signal), how long it takes (None: nobody knows), and
    the places in its route of those that come before it."""

    action: str | None
    ms: float | None
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """The stages still to be done of one execution; each comes after all that it needs."""

    legs: tuple[Leg, ...]
    dependents: tuple[tuple[int, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        places = range(len(self.legs))
        dependents = (tuple(place for place in places if leg in self.legs[place].needs) for leg in places)
        object.__setattr__(self, "dependents", tuple(dependents))

    @property
    def length_ms(self) -> float | None:
        """How long it takes where no slot has to be waited for: its longest chain."""
        ends: list[float] = []
        for leg in self.legs:
            if leg.ms is None:
                return None
            ends.append(leg.ms + max((ends[need] for need in leg.needs), default=0.0))
        return max(ends, default=0.0)


@dataclass(frozen=True, slots=True)
class Pool:
    """Workers that offer the same actions, and the slots that they have together."""

    actions: frozenset[str]
    slots: int


class Held(NamedTuple):
    """A slot that is taken: for how many more milliseconds (None: nobody knows), by which leg of which member of the
    line, and in which pool (None: it will not be offered again)."""

    ms: float | None
    member: int
    leg: int
    pool: int | None


class Passage(NamedTuple):
    """When a member of the line gets its first slot, and when it is done; None for what cannot be told."""

    start_ms: float | None
    finish_ms: float | None


UNTOLD = Passage(None, None)


def forecast(pools: Sequence[Pool], held: Iterable[Held], line: Sequence[Route]) -> list[Passage]:
    """The passage of each member of the line, which is in the order of work; a member at work began at 0."""
    return _Course(pools, held, line).run()


def share_ms(route: Route, pools: Sequence[Pool]) -> float | None:
    """How much longer everybody behind waits for one more like this: its work over the slots that can do it.

    Where it needs several sets of workers, the one that it keeps busy for longest is what holds the others up.
    """
    work: dict[tuple[int, ...], float] = {}
    for leg in route.legs:
        able = _able(pools, leg.action)
        if leg.ms is None or not _slots(pools, able):
            return None
        work[able] = work.get(able, 0.0) + leg.ms
    return max((ms / _slots(pools, able) for able, ms in work.items()), default=0.0)


def _slots(pools: Sequence[Pool], numbers: Iterable[int]) -> int:
    return sum(pools[number].slots for number in numbers)


def _able(pools: Sequence[Pool], action: str | None) -> tuple[int, ...]:
    return tuple(number for number, pool in enumerate(pools) if action in pool.actions)


class _Course:
    """The line on its way through the slots. Members, legs and pools are told by their numbers."""

    def __init__(self, pools: Sequence[Pool], held: Iterable[Held], line: Sequence[Route]) -> None:
        self._line = line
        self._free = [pool.slots for pool in pools]
        self._blind = [False for _ in pools]
        self._able = {action: _able(pools, action) for pool in pools for action in pool.actions}
        self._ready: dict[str, list[tuple[int, int]]] = {action: [] for action in self._able}
        self._unmet = [[len(leg.needs) for leg in route.legs] for route in line]
        self._open = [len(route.legs) for route in line]
        self._ends: list[tuple[float, int, int, int | None]] = []
        self._start: list[float | None] = [None] * len(line)
        self._finish: list[float | None] = [None] * len(line)
        taken = set()
        for ms, member, leg, pool in held:
            taken.add((member, leg))
            self._start[member] = 0.0
            self._occupy(ms, member, leg, pool)
        for member, unmet in enumerate(self._unmet):
            for leg, needs in enumerate(unmet):
                if not needs and (member, leg) not in taken:
                    self._make_ready(member, leg)

    def run(self) -> list[Passage]:
        self._fill(0.0)
        while self._ends:
            now, member, leg, pool = heappop(self._ends)
            if pool is not None:
                self._free[pool] += 1
            self._complete(now, member, leg)
            self._fill(now)
        return [Passage(start, finish) for start, finish in zip(self._start, self._finish, strict=True)]

    def _make_ready(self, member: int, leg: int) -> None:
        """A wait for a signal, and an action that nobody offers, are never done."""
        ready = self._ready.get(self._line[member].legs[leg].action or "")
        if ready is not None:
            heappush(ready, (member, leg))

    def _fill(self, now: float) -> None:
        """Give the free slots away, to the first in line first."""
        while (found := self._next()) is not None:
            legs, pool = found
            member, leg = heappop(legs)
            if self._blind[pool] and now > 0:
                continue  # it has waited for what nobody knows
            if self._start[member] is None:
                self._start[member] = now
            ms = self._line[member].legs[leg].ms
            self._occupy(None if ms is None else now + ms, member, leg, pool)

    def _next(self) -> tuple[list[tuple[int, int]], int] | None:
        """The ready legs whose first one is the first in line that a slot is free for, and the pool of that slot."""
        best: tuple[list[tuple[int, int]], int] | None = None
        for action, legs in self._ready.items():
            if legs and (best is None or legs[0] < best[0][0]):
                able = self._able[action]
                pool = able[0] if len(able) == 1 else max(able, key=self._free.__getitem__)
                if self._free[pool] > 0:
                    best = legs, pool
        return best

    def _occupy(self, until: float | None, member: int, leg: int, pool: int | None) -> None:
        if pool is not None:
            self._free[pool] -= 1
        if until is not None:
            heappush(self._ends, (until, member, leg, pool))
        elif pool is not None:
            self._blind[pool] = True

    def _complete(self, now: float, member: int, leg: int) -> None:
        self._open[member] -= 1
        if not self._open[member]:
            self._finish[member] = now
        unmet = self._unmet[member]
        for dependent in self._line[member].dependents[leg]:
            unmet[dependent] -= 1
            if not unmet[dependent]:
                self._make_ready(member, dependent)
