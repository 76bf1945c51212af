"""Results of attempts that nobody holds here any more: sent again, or overtaken by another attempt.

The one that was taken gets the same ack as before, and any other is stale: only the database knows which it is.
"""

from collections.abc import Awaitable, Callable

import structlog

from orchestrator.core.document import stage_name
from orchestrator.dispatch.fleet import Answered, Worker
from orchestrator.dispatch.owned import Owned
from orchestrator.dispatch.settlement import is_repeat
from orchestrator.dispatch.tasks import Tasks
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.executions import Whereabouts
from protocol.packets import Result

FindAttempt = Callable[[str, str, int], Awaitable[Whereabouts | None]]
"""Where the database has an attempt: execution id, stage name, fence."""

log = structlog.get_logger()


class LateResults:
    """Judges them by what is owned here and by what `find_attempt` finds."""

    def __init__(self, owned: Owned, find_attempt: FindAttempt, tasks: Tasks) -> None:
        self._owned = owned
        self._find_attempt = find_attempt
        self._tasks = tasks

    def answer(self, packet: Result, answered: Answered, worker: Worker | None = None) -> None:
        """The same ack if it is the one that was taken, else stale. `worker` is who sent it, if it is known."""
        name = stage_name(packet.execution_id, packet.stage_id) or ""
        record = self._owned.get(packet.execution_id)
        if record is not None:
            state = record.execution.stages.get(name)
            if state is None or not is_repeat(state, packet):
                _refuse(packet, answered, worker)
                return

        async def look_up() -> None:
            try:
                where = await self._find_attempt(packet.execution_id, name, packet.fence)
            except UNAVAILABLE as error:
                # Not answered is not refused: the worker keeps the result and sends it again.
                log.warning("result.unanswered", execution_id=packet.execution_id, error=repr(error))
                return
            if where is not None and where.taken is not None and is_repeat(where.taken, packet):
                answered(True)
            elif record is None and (where is None or not where.rules):
                _refuse(packet, answered, worker)
            # Else it lives under another owner, or memory has taken it and the database not yet.

        self._tasks.create_task(look_up())


def _refuse(packet: Result, answered: Answered, worker: Worker | None) -> None:
    key = {"execution_id": packet.execution_id, "stage_id": packet.stage_id, "fence": packet.fence}
    log.warning("result.stale", **key)
    if worker is not None:
        worker.stale_results += 1
    answered(False)
