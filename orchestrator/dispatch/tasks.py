"""Tasks that nobody awaits: held, logged when they fail, cancelled together at the end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class Tasks:
    """A named home for background tasks. A fault in one is logged once and ends that one only."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], None] = {}

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still lives and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("task.failed", task=task.get_coro().__qualname__, exc_info=fault)  # type: ignore[union-attr]
