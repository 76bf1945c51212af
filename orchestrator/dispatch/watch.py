"""Who watches which execution. Watchers are told flushed facts only; one that falls behind gets a snapshot instead."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

BACKLOG: Final = 256


@dataclass(frozen=True, slots=True)
class Notice:
    """One event of an execution's stream. `sequence` is its id; `kind` names the shape of `data`."""

    sequence: int
    kind: str
    data: dict[str, Any]


@dataclass(eq=False, slots=True)
class Watcher:
    """One open stream."""

    execution_id: str
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=BACKLOG))
    behind: bool = False
    stands_at: int | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, notice: Notice) -> None:
        if len(self.notices) == BACKLOG:
            self.behind = True
        self.notices.append(notice)
        self._ready.set()

    def fall_behind(self) -> None:
        """Something happened that this stream will not be told of: it has to look."""
        self.behind = True
        self._ready.set()

    async def next(self, timeout: float) -> list[Notice]:
        """What came since the last call, waiting up to `timeout` seconds for it; empty after a quiet while."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout)
        except TimeoutError:
            return []
        self._ready.clear()
        notices = list(self.notices)
        self.notices.clear()
        return notices


class Hub:
    """The watchers of this replica."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = {}

    def watch(self, execution_id: str) -> Watcher:
        watcher = Watcher(execution_id)
        self._watchers.setdefault(execution_id, set()).add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        watchers = self._watchers.get(watcher.execution_id)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[watcher.execution_id]

    def watched(self) -> list[str]:
        return list(self._watchers)

    def stands_at(self, execution_id: str, sequence: int) -> None:
        """An execution that another replica drives, or drove until now, has come this far."""
        for watcher in self._watchers.get(execution_id, ()):
            if watcher.stands_at != sequence:
                watcher.stands_at = sequence
                watcher.fall_behind()

    def is_watched(self, execution_id: str) -> bool:
        return execution_id in self._watchers

    def publish(self, execution_id: str, notice: Notice) -> None:
        for watcher in self._watchers.get(execution_id, ()):
            watcher.tell(notice)
