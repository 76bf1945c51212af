"""Tells lies from bad luck: what no honest worker says is noted against the one that said it.

What is merely late is no offence. Only what this replica knows for certain is noted: a fence of another replica, or of
an earlier life, is not its to judge.
"""

from typing import Final

import structlog

from orchestrator.core.document import stage_name
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.core.standing import Offence
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Worker
from orchestrator.dispatch.settlement import is_repeat
from orchestrator.store.record import Record
from protocol.packets import Accept, Progress, Result

ROUNDING: Final = 0.01
"""Progress comes back from the database a little off."""

log = structlog.get_logger()


class Conduct:
    """Judges what workers say of attempts that could not be taken as it was said, and keeps their standing."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def judge(self, worker: Worker, packet: Accept | Progress | Result) -> Offence | None:
        """Note what is wrong with the packet, if something is. It has to be refused then."""
        if isinstance(packet, Result) and packet.status == "cancelled":
            # Whoever is told to stop may say that it has, whatever it was.
            return None
        offence = self._offence(worker, packet)
        if offence is not None:
            self.note(worker, offence, packet)
        return offence

    def note(self, worker: Worker, offence: Offence, about: Accept | Progress | Result | None = None) -> None:
        """Count the offence and log it with its ids."""
        worker.facts.standing = worker.facts.standing.after(offence, self._dispatcher.clock.monotonic())
        ids = {"worker_id": worker.worker_id, "instance_id": worker.instance_id}
        if about is not None:
            ids |= {"execution_id": about.execution_id, "stage_id": about.stage_id, "fence": str(about.fence)}
        log.warning("worker.offended", offence=offence.value, **ids)

    def _offence(self, worker: Worker, packet: Accept | Progress | Result) -> Offence | None:
        name = stage_name(packet.execution_id, packet.stage_id)
        record = self._dispatcher.engine.owned.get(packet.execution_id)
        stage = record.execution.stages.get(name or "") if record is not None else None
        assignment = worker.assignments.get(packet.fence)
        if assignment is None:
            if record is not None and stage is not None and _is_anothers(worker, record, stage, packet.fence):
                return Offence.ANOTHERS_ATTEMPT
            if self._dispatcher.fences.is_to_come(packet.fence):
                return Offence.UNKNOWN_FENCE
        elif assignment.execution_id != packet.execution_id or assignment.stage != name:
            return Offence.ANOTHERS_ATTEMPT
        if stage is None:
            return None
        if isinstance(packet, Result) and (
            stage.status is StageStatus.COMPLETED or (assignment is not None and assignment.waiting_for_commit)
        ):
            is_second = stage.settled_fence == packet.fence and not is_repeat(stage, packet)
            return Offence.SECOND_RESULT if is_second else None
        return _of_order(stage, packet) if stage.fence == packet.fence else None


def _is_anothers(worker: Worker, record: Record, stage: Stage, fence: int) -> bool:
    holder = stage.worker_id if stage.fence == fence else None
    if (conversation := record.conversations.get(fence)) is not None:
        holder = conversation.worker_id
    return holder is not None and holder != worker.worker_id


def _of_order(stage: Stage, packet: Accept | Progress | Result) -> Offence | None:
    """What is wrong with saying this now, of an attempt that rules."""
    if isinstance(packet, Accept):
        return None
    if stage.status is StageStatus.OFFERED:
        return Offence.NOT_ACCEPTED
    return Offence.PROGRESS_FELL if isinstance(packet, Progress) and falls(stage, packet) else None


def falls(stage: Stage, packet: Progress) -> bool:
    """Whether the attempt, which rules, was further already."""
    return stage.status is StageStatus.RUNNING and packet.progress < stage.progress - ROUNDING
