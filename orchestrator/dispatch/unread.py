"""Executions that are this replica's and whose large payloads are still to be read.

They are read beside everything else, each for itself: neither a store that is slow or away nor an artifact that is
lost holds up the lease or the execution next to it. Invariant: what is added is taken up once, or the life ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from orchestrator.core.seams import Clock
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.tasks import Tasks
from orchestrator.store.blobs import ArtifactLost, BlobsAway
from orchestrator.store.record import Record
from protocol.errors import FailureCode
from protocol.packets import Failure

READS_AT_ONCE: Final = 4
TRIES: Final = 3
"""So often is an artifact found to be lost before it is believed: a shared folder may show it a moment later."""

log = structlog.get_logger()


class UnreadExecutions:
    """Reads each with `read`, and hands it to `take_up`: whole, or with what is lost. While the store is away it waits.

    `pause` is how many seconds lie between tries.
    """

    def __init__(
        self,
        read: Callable[[Record], Awaitable[None]],
        take_up: Callable[[Record, Failure | None], None],
        clock: Clock,
        pause: float,
        tasks: Tasks,
    ) -> None:
        self._read = read
        self._take_up = take_up
        self._clock = clock
        self._pause = pause
        self._tasks = tasks
        self._places = asyncio.Semaphore(READS_AT_ONCE)
        self._records: dict[str, Record] = {}

    def add(self, record: Record) -> None:
        self._records[record.execution.execution_id] = record
        self._tasks.create_task(self._finish(record))

    def clear(self) -> None:
        """A new life: who drives them now is found out anew."""
        self._records.clear()

    def count(self, action: str) -> int:
        """How many of them wait for a worker of this action, or will."""
        return sum(_waits_for(record, action) for record in self._records.values())

    async def _finish(self, record: Record) -> None:
        execution_id = record.execution.execution_id
        lost = await self._lost(record)
        if self._records.get(execution_id) is record:
            del self._records[execution_id]
            self._take_up(record, lost)

    async def _lost(self, record: Record) -> Failure | None:
        """Read it, however long that takes; what is lost of it, or None if it is whole or another's by now."""
        execution_id, tries = record.execution.execution_id, 0
        while self._records.get(execution_id) is record:
            try:
                async with self._places:
                    await self._read(record)
                return None
            except ArtifactLost as lost:
                tries += 1
                log.error("artifact.lost", execution_id=execution_id, why=str(lost), tries=tries)
                if tries == TRIES:
                    return Failure(code=FailureCode.ARTIFACT_LOST, message=str(lost))
            except BlobsAway as fault:
                log.warning("artifacts.away", execution_id=execution_id, error=str(fault))
            await self._clock.sleep(self._pause)
        return None


def _waits_for(record: Record, action: str) -> bool:
    execution = record.execution
    return any(
        stage.status in (StageStatus.PENDING, StageStatus.READY) and execution.spec(stage.name).action == action
        for stage in execution.stages.values()
    )
