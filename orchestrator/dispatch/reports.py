"""Progress and results that workers send as HTTP requests of their own; each answer waits for its flush."""

import asyncio
from typing import Final

from orchestrator.core.document import stage_name
from orchestrator.core.stage import StageStatus
from orchestrator.core.standing import Dishonest
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.fleet import Fleet, Worker
from orchestrator.dispatch.owned import Owned
from orchestrator.dispatch.relay import Relay
from orchestrator.store.executions import Executions
from protocol.packets import Progress, Result

DURABLE_SECONDS: Final = 10.0
"""How long a report waits for its flush, or for the answer of a database that is away."""


class Reports:
    """The request-and-response side of what a link would otherwise carry."""

    def __init__(self, answers: Answers, relay: Relay, fleet: Fleet, owned: Owned, executions: Executions) -> None:
        self._answers = answers
        self._relay = relay
        self._fleet = fleet
        self._owned = owned
        self._executions = executions

    async def progress(self, worker_id: str, packet: Progress) -> bool:
        """Whether the attempt still rules; if not, the worker has to stop. Raises `Dishonest`."""
        worker = self._fleet.get(worker_id)
        if packet.execution_id in self._owned:
            if worker is None:
                return False
            self._refuse_lies(worker, packet)
            return self._answers.progressed(worker, packet)
        if worker is not None:
            self._relay.takes(worker, packet)
        return await self._rules(packet.execution_id, packet.stage_id, packet.fence)

    async def client_of_attempt(self, worker_id: str, execution_id: str, stage_id: str, fence: int) -> str | None:
        """Whose attempt this is, which the worker holds and may go on with; None if it has to stop."""
        if execution_id not in self._owned:
            rules = await self._rules(execution_id, stage_id, fence)
            return await self.client_of_execution(execution_id) if rules else None
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
        """Whether the result is committed, now or by an earlier report of the same; else it is stale.

        Raises `Dishonest`, and `TimeoutError` when that is not known in time: the worker reports again.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def answered(committed: bool) -> None:
            if not answer.done():
                answer.set_result(committed)

        if packet.execution_id in self._owned:
            worker = self._fleet.get(worker_id)
            if worker is None:
                self._answers.late_results.answer(packet, answered)
            else:
                self._refuse_lies(worker, packet)
                self._answers.result(worker, packet, answered)
        else:
            self._relay.report(worker_id, packet, answered)
        async with asyncio.timeout(DURABLE_SECONDS):
            return await answer

    def _refuse_lies(self, worker: Worker, packet: Progress | Result) -> None:
        offence = self._answers.conduct.judge(worker, packet)
        if offence is not None:
            raise Dishonest(offence)

    async def _rules(self, execution_id: str, stage_id: str, fence: int) -> bool:
        """Whether another owner's attempt is the one that its stage goes by."""
        name = stage_name(execution_id, stage_id) or ""
        where = await self._executions.whereabouts(execution_id, name, fence)
        return where is not None and where.rules
