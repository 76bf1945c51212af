"""Where executions stand in the database's queue, for those who are told so when they submit.

Counting costs the database as much as the submission itself. So one count serves an action and priority for a moment,
and goes on by what this replica put into the queue since: a flood of submissions does not pay for a count each.
Invariant: without other replicas, and while nothing is claimed, a place is what the database would have counted.
"""

import asyncio
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Final

from orchestrator.core.seams import Clock
from orchestrator.store.executions import Executions

KEPT_SECONDS: Final = 0.1
"""How long a count is gone by: about as long as a forecast."""
MOST_IDS: Final = 2_000
"""Of those that this replica put into the queue; a place past 1,000 is told to nobody."""
MOST_LINES: Final = 1_000


@dataclass(slots=True)
class _Line:
    """One action and priority: how many stood before `counted`, until when that is gone by, and who came to it here."""

    counted: str = ""
    before: int = 0
    until: float = 0.0
    ids: list[str] = field(default_factory=list)
    counting: "asyncio.Task[None] | None" = None


class Places:
    """Counts of `executions`, kept for a moment."""

    def __init__(self, executions: Executions, clock: Clock) -> None:
        self._executions = executions
        self._clock = clock
        self._lines: dict[tuple[str, int], _Line] = {}

    def put(self, action: str, priority: int, execution_id: str) -> None:
        """This replica puts a new execution into the database's queue."""
        ids = self._line(action, priority).ids
        insort(ids, execution_id)
        if len(ids) > 2 * MOST_IDS:
            del ids[:-MOST_IDS]

    async def ahead(self, action: str, priority: int, execution_id: str) -> int:
        """How many of the queue go before a new execution; past 1,000 it is only a lower bound.

        Raises one of `UNAVAILABLE` where it has to count and cannot.
        """
        line = self._line(action, priority)
        if self._clock.monotonic() >= line.until:
            if line.counting is None:
                line.counting = asyncio.create_task(self._count(line, action, priority, execution_id))
                line.counting.add_done_callback(_heard)
            # One who goes away must not end it for the others.
            await asyncio.shield(line.counting)
        between = bisect_left(line.ids, execution_id) - bisect_left(line.ids, line.counted)
        return max(line.before + between, 0)

    async def _count(self, line: _Line, action: str, priority: int, execution_id: str) -> None:
        try:
            line.before = await self._executions.ahead(action, priority, execution_id)
            line.counted, line.until = execution_id, self._clock.monotonic() + KEPT_SECONDS
        finally:
            line.counting = None

    def _line(self, action: str, priority: int) -> _Line:
        line = self._lines.get((action, priority))
        if line is None:
            if len(self._lines) >= MOST_LINES:
                self._lines.clear()
            line = self._lines[action, priority] = _Line()
        return line


def _heard(counting: "asyncio.Task[None]") -> None:
    """Nobody may be left who waits for it: then its fault is nobody's, and nothing for the log."""
    if not counting.cancelled():
        counting.exception()
