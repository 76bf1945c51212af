"""Reads of executions for those who watch them: where many want the same one at once, one read serves them all.

Invariant: what anybody is given was read from the database after it was asked for, and few reads are under way at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from orchestrator.store.executions import Snapshot

READS_AT_ONCE: Final = 4
"""Streams by the thousand may have to look at once; the pool's other connections are left to those who call."""

Find = Callable[[str, str], Awaitable[Snapshot | None]]


class SharedReads:
    """`find` reads a client's execution; it raises one of `UNAVAILABLE` while the database is away."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._to_begin: dict[tuple[str, str], asyncio.Task[Snapshot | None]] = {}
        self._turns = asyncio.Semaphore(READS_AT_ONCE)

    async def of(self, client_id: str, execution_id: str) -> Snapshot | None:
        """The execution as it stands now or later, None if the client has none of that id; raises as `find` does."""
        key = (client_id, execution_id)
        read = self._to_begin.get(key)
        if read is None:
            read = self._to_begin[key] = asyncio.create_task(self._read(client_id, execution_id))
            read.add_done_callback(_heard)
        # One who goes away must not end it for the others.
        return await asyncio.shield(read)

    async def _read(self, client_id: str, execution_id: str) -> Snapshot | None:
        async with self._turns:
            # Whoever asks from here on may know of something that this read does not see.
            del self._to_begin[client_id, execution_id]
            return await self._find(client_id, execution_id)


def _heard(read: "asyncio.Task[Snapshot | None]") -> None:
    """Nobody may be left who waits for it: then its fault is nobody's, and nothing for the log."""
    if not read.cancelled():
        read.exception()
