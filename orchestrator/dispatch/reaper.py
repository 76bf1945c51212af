"""The sweep: what has run out of time. One pass over the attempts in flight, a few times a second; no timer a stage."""

from orchestrator.core.events import TimedOut
from orchestrator.core.seams import Random
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Assignment, Worker


class Reaper:
    """Expires offers, ends leases, timeouts and grace periods, and lets delayed stages go."""

    def __init__(self, dispatcher: Dispatcher, answers: Answers, random: Random) -> None:
        self._dispatcher = dispatcher
        self._answers = answers
        self._random = random

    def sweep(self) -> None:
        now = self._dispatcher.clock.monotonic()
        self._dispatcher.engine.release_due()
        self._dispatcher.unpark_due()
        for worker in self._dispatcher.fleet:
            for assignment in list(worker.assignments.values()):
                self._sweep(worker, assignment, now)

    def _sweep(self, worker: Worker, assignment: Assignment, now: float) -> None:
        if assignment.grace_until is not None:
            if assignment.grace_until <= now:
                self._answers.settled(worker.worker_id, assignment.fence)
        elif assignment.started_at is None:
            if assignment.expires_at <= now:
                waited = now - assignment.offered_at
                reason = f"gave no answer to an offer within {waited:.0f} s"
                self._answers.offer_unanswered(worker.worker_id, assignment.fence, reason)
        elif assignment.timeout_at is not None and assignment.timeout_at <= now:
            self._time_out(worker, assignment)
        elif assignment.lease_until is not None and assignment.lease_until <= now:
            silence = now - worker.last_seen
            self._answers.lost(
                worker, assignment, f"nothing was heard of worker {worker.worker_id} for {silence:.0f} s"
            )

    def _time_out(self, worker: Worker, assignment: Assignment) -> None:
        record = self._dispatcher.engine.owned.get(assignment.execution_id)
        if record is None or record.execution.stages[assignment.stage].status is not StageStatus.RUNNING:
            self._dispatcher.free(worker, assignment.fence)
            return
        event = TimedOut(assignment.stage, assignment.fence, self._random.draw())
        self._dispatcher.engine.apply_if_valid(record, event)
