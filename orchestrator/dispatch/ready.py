"""Stages that wait to be offered, by action, in the order of work; and how far the queue in the database may differ.

`bound` is what lets a replica hold only a window of the queue and still keep strict priority: every execution that
waits in the database for the action sorts after it (None: none waits). A new execution that sorts before the bound is
taken straight into memory; any other goes to the database, where it cannot jump ahead of what waits there.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from orchestrator.core.order import OrderKey

Entry = tuple[OrderKey, str]
"""The execution's key and the stage's name. The execution's id is the key's last part."""


@dataclass(slots=True)
class ReadyStages:
    """What waits for one action."""

    entries: list[Entry] = field(default_factory=list)
    bound: OrderKey | None = None
    claiming: bool = False
    _given_back_meanwhile: OrderKey | None = None

    def add(self, entry: Entry) -> None:
        insort(self.entries, entry)

    def pop(self) -> Entry:
        return self.entries.pop(0)

    def worst(self) -> Entry:
        return self.entries[-1]

    def ahead_of(self, key: OrderKey) -> int:
        """How many entries go before this key."""
        return bisect_left(self.entries, (key, ""))

    def discard(self, entry: Entry) -> None:
        place = bisect_left(self.entries, entry)
        if place < len(self.entries) and self.entries[place] == entry:
            del self.entries[place]

    def admits(self, key: OrderKey, capacity: int) -> bool:
        """Whether a new execution with this key belongs into memory."""
        if self.bound is not None and key > self.bound:
            return False
        return len(self.entries) < capacity or (bool(self.entries) and key < self.entries[-1][0])

    def has_given_back(self, key: OrderKey) -> None:
        """An execution with this key waits in the database from now on."""
        self.bound = _first(self.bound, key)
        if self.claiming:
            self._given_back_meanwhile = _first(self._given_back_meanwhile, key)

    def begin_claim(self) -> None:
        self.claiming = True
        self._given_back_meanwhile = None

    def end_claim(self, last: OrderKey | None) -> None:
        """What was claimed sorts up to `last`; None if that was all that waited.

        What was given back while the claim was under way may not have been seen by it, and still bounds what waits.
        """
        self.claiming = False
        self.bound = _first(self._given_back_meanwhile, last)


def _first(one: OrderKey | None, other: OrderKey | None) -> OrderKey | None:
    """The smaller of two keys that may be absent."""
    return min((key for key in (one, other) if key is not None), default=None)


class ReadyQueue:
    """All actions' ready stages."""

    def __init__(self) -> None:
        self._by_action: dict[str, ReadyStages] = {}

    def __getitem__(self, action: str) -> ReadyStages:
        stages = self._by_action.get(action)
        if stages is None:
            stages = self._by_action[action] = ReadyStages()
        return stages

    def items(self) -> Iterator[tuple[str, ReadyStages]]:
        yield from self._by_action.items()


class Parked:
    """Ready stages that nobody can be asked for now: set aside, so that they do not block those behind them."""

    def __init__(self) -> None:
        self._until: dict[str, dict[str, float]] = {}
        self._due: list[tuple[float, str, str]] = []

    def put(self, execution_id: str, stage: str, until: float) -> None:
        """Set aside until a monotonic time in seconds."""
        self._until.setdefault(execution_id, {})[stage] = until
        heappush(self._due, (until, execution_id, stage))

    def take(self, execution_id: str) -> list[str]:
        """What is set aside of one execution, before its time."""
        return list(self._until.pop(execution_id, ()))

    def take_due(self, now: float) -> list[tuple[str, str]]:
        """What is due: execution ids and stages."""
        due = []
        while self._due and self._due[0][0] <= now:
            until, execution_id, stage = heappop(self._due)
            stages = self._until.get(execution_id, {})
            if stages.get(stage) == until:
                del stages[stage]
                if not stages:
                    del self._until[execution_id]
                due.append((execution_id, stage))
        return due

    def executions(self) -> list[str]:
        return list(self._until)

    def clear(self) -> None:
        self._until.clear()
        self._due.clear()
