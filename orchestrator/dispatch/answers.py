"""What workers say, turned into facts: accepts and refusals, progress, results, silence and faults of the transport.

A worker is never trusted: what it says counts only under the fence of the attempt it holds. Anything else is answered
with `stop`, logged with its ids, and changes nothing.
"""

from collections.abc import Sequence
from functools import partial

import structlog

from orchestrator.core.document import stage_id, stage_name
from orchestrator.core.events import (
    Accepted,
    Completed,
    Failed,
    NotStarted,
    OfferExpired,
    Progressed,
    Rejected,
    WorkerLost,
)
from orchestrator.core.placement import Refusal
from orchestrator.core.seams import Random
from orchestrator.core.stage import Life, StageStatus
from orchestrator.core.standing import Offence
from orchestrator.dispatch.conduct import Conduct, falls
from orchestrator.dispatch.dispatcher import Dispatcher, ack_of
from orchestrator.dispatch.fleet import Answered, Assignment, Worker
from orchestrator.dispatch.late_results import FindAttempt, LateResults
from orchestrator.dispatch.settlement import failure_of
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.told_amounts import estimated, used
from orchestrator.store.record import Conversation, Record
from protocol.errors import FailureCode, RefusalCode
from protocol.packets import Accept, Cancel, Failure, Heartbeat, Log, Progress, Reject, Result, WorkerPacket

log = structlog.get_logger()

OF_THE_WORKER = frozenset({RefusalCode.BUSY, RefusalCode.DRAINING})
"""Refusals that speak of the worker's state; the others speak of this one stage."""

OFFENCES = {
    FailureCode.RESULT_TOO_LARGE.value: Offence.TOO_LARGE,
    FailureCode.MALFORMED_ANSWER.value: Offence.MALFORMED,
}
"""Failures that say something of the worker."""


class Answers:
    """The receiving half of the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, random: Random, find_attempt: FindAttempt, tasks: Tasks) -> None:
        self._dispatcher = dispatcher
        self._engine = dispatcher.engine
        self._fleet = dispatcher.fleet
        self._clock = dispatcher.clock
        self._pace = dispatcher.pace
        self._random = random
        self.conduct = Conduct(dispatcher)
        self.late_results = LateResults(dispatcher.engine.owned, find_attempt, tasks)

    def receive(self, worker_id: str, packets: Sequence[WorkerPacket]) -> None:
        worker = self._fleet.get(worker_id)
        if worker is None:
            return
        worker.last_seen = self._clock.monotonic()
        if worker.link is not None:
            worker.facts.connected = True
        for packet in packets:
            match packet:
                case Accept():
                    self._accepted(worker, packet)
                case Result():
                    self.result(worker, packet)
                case Reject():
                    self._rejected(worker, packet)
                case Progress():
                    self.progressed(worker, packet)
                case Log():
                    self._logged(worker, packet)
                case Heartbeat():
                    self.beat(worker, packet)

    def heard(self, worker_id: str) -> None:
        worker = self._fleet.get(worker_id)
        if worker is not None:
            self.beat(worker, Heartbeat())

    def understands_stages(self, worker_id: str) -> None:
        worker = self._fleet.get(worker_id)
        if worker is not None:
            worker.facts.one_stage_of_an_execution = False

    def beat(self, worker: Worker, heartbeat: Heartbeat) -> None:
        self._fleet.beat(worker, heartbeat, self._clock.monotonic(), self._pace.lease)

    # ------------------------------------------------------------------------------------------------- the answer

    def _accepted(self, worker: Worker, packet: Accept) -> None:
        held = self.held(worker, packet.fence, packet.execution_id, packet.stage_id)
        if held is None:
            self.conduct.judge(worker, packet)
            self._stop(worker, packet.execution_id, packet.stage_id, packet.fence)
            return
        record, assignment = held
        worker.faults = 0
        conversation = self._log(record, packet.fence, packet)
        if packet.estimated_completion_ms is not None:
            worker.expect(assignment.action, packet.estimated_completion_ms)
        self._dispatcher.forget_refusals(assignment.execution_id, assignment.stage)
        event = Accepted(assignment.stage, packet.fence, estimated(packet))
        self._engine.apply_if_valid(record, event, conversation)

    def _rejected(self, worker: Worker, packet: Reject) -> None:
        held = self.held(worker, packet.fence, packet.execution_id, packet.stage_id)
        if held is None or held[1].waiting_for_commit:
            return
        record, assignment = held
        conversation = self._log(record, packet.fence, packet)
        if packet.retry_after_ms is not None:
            delay = min(packet.retry_after_ms / 1000, self._pace.refused_longest)
        elif packet.code in OF_THE_WORKER:
            delay = self._pace.busy_again
        else:
            stage = record.execution.stages[assignment.stage]
            delay = self._again_in(stage.offer_round)
        refusal = self._refusal(worker, assignment, packet, delay)
        # A refusal of what was accepted before: the worker lost it, or has no room for it after all.
        began = record.execution.stages[assignment.stage].status is StageStatus.RUNNING
        event = (NotStarted if began else Rejected)(assignment.stage, packet.fence)
        self._over(worker, record, assignment, event, conversation, refusal, delay)
        if packet.code is RefusalCode.DRAINING:
            worker.facts.draining = True
        if packet.code is RefusalCode.INVALID_INPUT and record.execution.stages[assignment.stage].is_ready:
            self._dispatcher.fail_unoffered(record, assignment.stage, FailureCode.INVALID_INPUT, refusal.reason)

    def _refusal(self, worker: Worker, assignment: Assignment, packet: Reject, delay: float) -> Refusal:
        now = self._clock.monotonic()
        since = None
        if packet.code not in OF_THE_WORKER and packet.retry_after_ms is None:
            before = self._dispatcher.refused(assignment.execution_id, assignment.stage).get(worker.worker_id)
            since = now if before is None or before.lasting_since is None else before.lasting_since
        return Refusal(packet.code.value, packet.reason or packet.code.value, now + delay, since)

    def offer_unanswered(self, worker_id: str, fence: int, reason: str) -> None:
        """Unknown, not refused: the fence dies, so a late accept is told to stop, and the worker rests a while."""
        found = self._assigned(worker_id, fence)
        if found is None:
            return
        worker, record, assignment = found
        worker.faults += 1
        delay = self._again_in(worker.faults)
        refusal = Refusal("unanswered", reason, self._clock.monotonic() + delay)
        log.warning("offer.unanswered", worker_id=worker_id, execution_id=assignment.execution_id, reason=reason)
        worker.refuse(assignment.action, refusal)
        self._over(worker, record, assignment, OfferExpired(assignment.stage, fence), (), refusal, delay)
        self._stop(worker, assignment.execution_id, stage_id(assignment.execution_id, assignment.stage), fence)

    def not_started(self, worker_id: str, fence: int, reason: str, retry_after_ms: int | None) -> None:
        found = self._assigned(worker_id, fence)
        if found is None:
            return
        worker, record, assignment = found
        delay = self._pace.busy_again if retry_after_ms is None else retry_after_ms / 1000
        refusal = Refusal(RefusalCode.BUSY.value, reason, self._clock.monotonic() + delay)
        worker.refuse(assignment.action, refusal)
        self._over(worker, record, assignment, NotStarted(assignment.stage, fence), (), refusal, delay)

    def _over(
        self,
        worker: Worker,
        record: Record,
        assignment: Assignment,
        event: Rejected | OfferExpired | NotStarted,
        conversation: Sequence[Conversation],
        refusal: Refusal,
        delay: float,
    ) -> None:
        """The offer came to nothing: remember why, free the slot, and let others be asked."""
        if refusal.code in (RefusalCode.BUSY.value, RefusalCode.DRAINING.value):
            worker.refuse(assignment.action, refusal)
        self._dispatcher.remember_refusal(assignment.execution_id, assignment.stage, worker.worker_id, refusal)
        state = record.execution.stages[assignment.stage]
        if state.status is StageStatus.CANCELLING:
            self._dispatcher.settle(record, assignment.stage, assignment.fence)
        else:
            self._engine.apply_if_valid(record, event, conversation)
        self._clock.call_later(delay, self._dispatcher.wake)
        self._dispatcher.free(worker, assignment.fence)

    def _again_in(self, times: int) -> float:
        """Seconds before asking again: doubling with jitter, to a minute."""
        doubled: float = self._pace.refused_again * 2 ** min(max(times - 1, 0), 10)
        longest = min(doubled, self._pace.refused_longest)
        return longest * (0.5 + 0.5 * self._random.draw())

    # ------------------------------------------------------------------------------------------- while it runs

    def progressed(self, worker: Worker, packet: Progress) -> bool:
        """Whether the attempt still rules; if not, the worker is told to stop."""
        held = self.held(worker, packet.fence, packet.execution_id, packet.stage_id)
        if held is None:
            self.conduct.judge(worker, packet)
            self._stop(worker, packet.execution_id, packet.stage_id, packet.fence)
            return False
        record, assignment = held
        if assignment.lease_until is not None:
            assignment.lease_until = self._clock.monotonic() + self._pace.lease
        if falls(record.execution.stages[assignment.stage], packet):
            self.conduct.judge(worker, packet)
            return True
        metrics = packet.metrics.document() if packet.metrics is not None else None
        event = Progressed(assignment.stage, packet.fence, packet.progress, packet.message, metrics)
        if not self._engine.apply_if_valid(record, event):
            self.conduct.judge(worker, packet)
            return record.execution.stages[assignment.stage].status is not StageStatus.CANCELLING
        told = {"stageId": packet.stage_id, "name": assignment.stage, "progress": packet.progress}
        self._engine.publish(record, "progress", {**told, "message": packet.message})
        if metrics is not None:
            self._engine.publish(record, "metrics", {**told, "metrics": metrics})
        return True

    def _logged(self, worker: Worker, packet: Log) -> None:
        held = self.held(worker, packet.fence, packet.execution_id, packet.stage_id)
        if held is not None:
            record, assignment = held
            line = {"stageId": packet.stage_id, "name": assignment.stage, "level": packet.level}
            self._engine.publish(record, "log", {**line, "message": packet.message})

    # --------------------------------------------------------------------------------------------------- its end

    def result(self, worker: Worker, packet: Result, answered: Answered | None = None) -> None:
        """A result: committed and then acked, or refused as stale.

        `answered` is told which, once it is durable; without it the ack goes to the worker's link.
        """
        held = self.held(worker, packet.fence, packet.execution_id, packet.stage_id)
        if held is None:
            self.conduct.judge(worker, packet)
            self.late_results.answer(packet, answered or partial(self._dispatcher.send_ack, worker, packet), worker)
            return
        record, assignment = held
        state = record.execution.stages[assignment.stage]
        if state.fence == packet.fence and state.status is StageStatus.RUNNING:
            self._commit(worker, record, assignment, packet, answered)
            return
        self.conduct.judge(worker, packet)
        answered = answered or partial(self._dispatcher.send_ack, worker, packet)
        if assignment.waiting_for_commit:
            # Sent again while its commit is under way: the answer must not overtake the flush.
            assignment.waiting_for_commit.append(answered)
            return
        log.warning(
            "result.refused",
            worker_id=worker.worker_id,
            execution_id=packet.execution_id,
            stage_id=packet.stage_id,
            fence=packet.fence,
            stage_status=state.status.value,
        )
        if state.fence != packet.fence or state.status is StageStatus.CANCELLING:
            self._dispatcher.settle(record, assignment.stage, packet.fence)
            self._dispatcher.free(worker, packet.fence)
        worker.stale_results += 1
        answered(False)

    def _commit(
        self, worker: Worker, record: Record, assignment: Assignment, packet: Result, answered: Answered | None
    ) -> None:
        fence = packet.fence
        event = self._outcome(assignment.stage, packet)
        conversation = self._log(record, fence, packet)
        ack = ack_of(packet, committed=True)
        encoded = ack.encoded()
        for told in conversation:
            # The ack is logged with the commit that it tells of, and leaves after it.
            told.add(record.next_sequence(), self._clock.now(), True, ack.type, encoded)

        def answer_link(committed: bool) -> None:
            # Another owner may have judged it meanwhile.
            if committed:
                self._dispatcher.hand(worker, ack, encoded)
            else:
                self._dispatcher.send_ack(worker, packet, committed)

        assignment.result = packet
        assignment.waiting_for_commit.append(answered or answer_link)
        assignment.lease_until = assignment.timeout_at = None

        def durable() -> None:
            # Not before: a slot that frees ahead of the stages this result sets free would go to fresh work first.
            self._dispatcher.free(worker, fence)
            if packet.status == "completed":
                stage = record.execution.stages[assignment.stage]
                self._dispatcher.histories.ended(assignment, stage, self._clock.monotonic())
            record.conversations.pop(fence, None)
            for answer in assignment.waiting_for_commit:
                answer(True)

        self._engine.apply(record, event, conversation, durable)

    def _outcome(self, name: str, packet: Result) -> Completed | Failed:
        metrics, usage = packet.metrics.document(), used(packet.metrics)
        if packet.status == "completed":
            return Completed(name, packet.fence, packet.result, metrics, usage)
        return Failed(name, packet.fence, failure_of(packet), self._random.draw(), metrics, usage)

    def attempt_failed(self, worker_id: str, fence: int, code: str, message: str, retryable: bool) -> None:
        found = self._assigned(worker_id, fence)
        if found is None:
            return
        worker, record, assignment = found
        if code == FailureCode.WORKER_LOST:
            self.lost(worker, assignment, message)
            return
        if (offence := OFFENCES.get(code)) is not None:
            self.conduct.note(worker, offence)
        log.warning("attempt.failed", worker_id=worker_id, execution_id=assignment.execution_id, code=code, why=message)
        failure = Failure(code=code, message=message, retryable=retryable)
        event = Failed(assignment.stage, fence, failure, self._random.draw())
        if not self._engine.apply_if_valid(record, event):
            self._dispatcher.settle(record, assignment.stage, fence)
        self._dispatcher.free(worker, fence)

    def settled(self, worker_id: str, fence: int) -> None:
        found = self._assigned(worker_id, fence)
        if found is not None and found[2].grace_until is not None:
            worker, record, assignment = found
            self._dispatcher.settle(record, assignment.stage, fence)
            self._dispatcher.free(worker, fence)

    def lost(self, worker: Worker, assignment: Assignment, reason: str, instance_id: str | None = None) -> None:
        """The attempt's worker is gone, or its lease ran out; it held it in the life that it has, or had before."""
        record = self._engine.owned.get(assignment.execution_id)
        self._dispatcher.free(worker, assignment.fence)
        if record is None:
            return
        life = Life(worker.worker_id, worker.instance_id if instance_id is None else instance_id)
        lives = [life, *(loss.life for loss in record.execution.stages[assignment.stage].losses)]
        alive = frozenset(life for life in lives if self._fleet.is_alive(life))
        event = WorkerLost(assignment.stage, assignment.fence, reason, self._random.draw(), life.instance_id, alive)
        if not self._engine.apply_if_valid(record, event):
            self._dispatcher.settle(record, assignment.stage, assignment.fence)
        log.warning(
            "attempt.lost",
            worker_id=worker.worker_id,
            execution_id=assignment.execution_id,
            stage=assignment.stage,
            why=reason,
        )

    # ------------------------------------------------------------------------------------------------ what holds

    def held(self, worker: Worker, fence: int, execution_id: str, stage: str) -> tuple[Record, Assignment] | None:
        """The attempt that this worker holds under this fence, if what it says of it is true."""
        assignment = worker.assignments.get(fence)
        if (
            assignment is None
            or assignment.execution_id != execution_id
            or stage_name(execution_id, stage) != assignment.stage
        ):
            return None
        record = self._engine.owned.get(execution_id)
        return None if record is None else (record, assignment)

    def _assigned(self, worker_id: str, fence: int) -> tuple[Worker, Record, Assignment] | None:
        worker = self._fleet.get(worker_id)
        assignment = worker.assignments.get(fence) if worker is not None else None
        if worker is None or assignment is None:
            return None
        record = self._engine.owned.get(assignment.execution_id)
        if record is None:
            self._dispatcher.free(worker, fence)
            return None
        return worker, record, assignment

    def _stop(self, worker: Worker, execution_id: str, stage: str, fence: int) -> None:
        """Tell the worker to stop what it speaks of. A message with a wrong address stops no attempt that lives."""
        if fence in worker.assignments:
            return
        packet = Cancel(execution_id=execution_id, stage_id=stage, fence=fence, reason="stale")
        if worker.link is not None:
            worker.link.send(packet, packet.encoded())

    def _log(self, record: Record, fence: int, packet: WorkerPacket) -> tuple[Conversation, ...]:
        conversation = record.conversations.get(fence)
        if conversation is None:
            return ()
        conversation.add(record.next_sequence(), self._clock.now(), False, packet.type, packet.encoded())
        return (conversation,)
