"""Progress and results that workers send as HTTP requests of their own; each answer waits for its flush."""

import asyncio

from orchestrator.core.document import stage_name
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.fleet import Fleet
from orchestrator.dispatch.owned import Owned
from orchestrator.store.executions import Executions
from protocol.packets import Progress, Result


class Reports:
    """The request-and-response side of what a link would otherwise carry."""

    def __init__(self, answers: Answers, fleet: Fleet, owned: Owned, executions: Executions) -> None:
        self._answers = answers
        self._fleet = fleet
        self._owned = owned
        self._executions = executions

    def progress(self, worker_id: str, packet: Progress) -> bool:
        """Whether the attempt still rules; if not, the worker has to stop."""
        worker = self._fleet.get(worker_id)
        return worker is not None and self._answers.progressed(worker, packet)

    def client_of_attempt(self, worker_id: str, execution_id: str, stage_id: str, fence: int) -> str | None:
        """Whose attempt this is, which the worker holds and may go on with; None if it has to stop."""
        worker = self._fleet.get(worker_id)
        held = None if worker is None else self._answers.held(worker, fence, execution_id, stage_id)
        if held is None:
            return None
        record, assignment = held
        is_running = record.execution.stages[assignment.stage].status is StageStatus.RUNNING
        return record.execution.client_id if is_running else None

    async def client_of_execution(self, execution_id: str) -> str | None:
        """Whose execution it is. A worker may be at work on one before its submission is durable."""
        record = self._owned.get(execution_id)
        return await self._executions.client_of(execution_id) if record is None else record.execution.client_id

    async def result(self, worker_id: str, packet: Result) -> bool:
        """Whether the result is committed, now or by an earlier report of the same; else it is stale."""
        worker = self._fleet.get(worker_id)
        if worker is None:
            name = stage_name(packet.execution_id, packet.stage_id) or ""
            return await self._executions.was_taken(packet.execution_id, name, packet.fence)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def answered(committed: bool) -> None:
            if not answer.done():
                answer.set_result(committed)

        self._answers.result(worker, packet, answered)
        return await answer
