"""Who watches which execution. Watchers are told flushed facts only; one that falls behind gets a snapshot instead."""

import asyncio
from contextlib import suppress
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
    """One open stream. There may be ten thousand, most of them quiet: each is small, and has no timer of its own.

    `stands_at` is the sequence that the stream has read up to, where its execution is driven elsewhere.
    """

    execution_id: str
    behind: bool = False
    stands_at: int | None = None
    _notices: list[Notice] = field(default_factory=list)
    _is_woken: bool = False
    _waiter: asyncio.Future[None] | None = None

    def tell(self, notice: Notice) -> None:
        if len(self._notices) == BACKLOG:
            self.behind = True
            del self._notices[0]
        self._notices.append(notice)
        self.wake()

    def fall_behind(self) -> None:
        """Something happened that this stream will not be told of: it has to look."""
        self.behind = True
        self.wake()

    def wake(self) -> None:
        """Let `next` return, though there may be nothing to tell."""
        self._is_woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self, timeout: float | None = None) -> list[Notice]:
        """What came since the last call, waiting for it, `timeout` seconds at most; empty for one who was woken."""
        if not self._is_woken:
            self._waiter = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._waiter
            self._waiter = None
        self._is_woken = False
        notices, self._notices = self._notices, []
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
