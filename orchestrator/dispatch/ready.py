"""Stages that wait to be offered, by action, in the order of work; and how far the queue in the database may differ.

`bound` is what lets a replica hold only a window of the queue and still keep strict priority: every execution that
waits in the database for the action sorts after it (None: none waits). A new execution that sorts before the bound is
taken straight into memory; any other goes to the database, where it cannot jump ahead of what waits there.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.core.order import OrderKey

Entry = tuple[OrderKey, str]
"""The execution's key and the stage's name. The execution's id is the key's last part."""


@dataclass(slots=True)
class ReadyStages:
    """What waits for one action."""

    entries: list[Entry] = field(default_factory=list)
    bound: OrderKey | None = None
    claiming: bool = False

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
        if self.bound is None or key < self.bound:
            self.bound = key


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
