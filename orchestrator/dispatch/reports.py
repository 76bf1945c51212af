"""Progress and results that workers send as HTTP requests of their own; each answer waits for its flush."""

import asyncio

from orchestrator.core.document import stage_name
from orchestrator.dispatch.answers import Answers, WasTaken
from orchestrator.dispatch.fleet import Fleet
from protocol.packets import Progress, Result


class Reports:
    """The request-and-response side of what a link would otherwise carry."""

    def __init__(self, answers: Answers, fleet: Fleet, was_taken: WasTaken) -> None:
        self._answers = answers
        self._fleet = fleet
        self._was_taken = was_taken

    def progress(self, worker_id: str, packet: Progress) -> bool:
        """Whether the attempt still rules; if not, the worker has to stop."""
        worker = self._fleet.get(worker_id)
        return worker is not None and self._answers.progressed(worker, packet)

    async def result(self, worker_id: str, packet: Result) -> bool:
        """Whether the result is committed, now or by an earlier report of the same; else it is stale."""
        worker = self._fleet.get(worker_id)
        if worker is None:
            name = stage_name(packet.execution_id, packet.stage_id) or ""
            return await self._was_taken(packet.execution_id, name, packet.fence)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def answered(committed: bool) -> None:
            if not answer.done():
                answer.set_result(committed)

        self._answers.result(worker, packet, answered)
        return await answer
