"""An event loop without a world: no sockets, no threads, and time that jumps to the next timer when nothing is ready.

Callbacks that are ready run in the order in which they were made so, as in production: code may rely on that. What
is really concurrent (messages, statements, timers of different processes) is put in another order by every seed
through the delays that are drawn for it.
"""

import asyncio
from typing import Any


class Stalled(Exception):
    """Everything waits for something that will never come."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks and timers; `time()` is virtual seconds from 0.

    It stands on three private hooks that asyncio's own loops implement (`_selector`, `_process_events`,
    `_write_to_self`); a test tells when a version of Python changes them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = _TimeJump(self)

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        """Let it be the next timer's time."""
        if not self._scheduled:  # type: ignore[attr-defined]
            raise Stalled
        self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Cancel what is left, so that nothing is destroyed while it waits."""
        self.run_until_complete(_cancel_the_others())
        super().close()

    def _process_events(self, events: list[Any]) -> None:
        """Nothing happens outside of the loop."""

    def _write_to_self(self) -> None:
        """Nobody waits in a system call who would have to be woken."""


async def _cancel_the_others() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class _TimeJump:
    """Where another loop would wait for the world, this one moves its time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None or timeout > 0:
            self._loop.jump()
        return []
