"""Offers: which ready stage goes to which worker, and the packets that go out.

The order of work is taken anew at each offer. A stage is pushed only where there is credit, a free slot; a worker that
refused or did not answer is not asked again before its time.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from math import inf

import structlog

from orchestrator.core.document import instant, stage_id
from orchestrator.core.events import Offered, Settled, Unofferable
from orchestrator.core.execution import StopAttempt
from orchestrator.core.order import OrderKey
from orchestrator.core.placement import NO_REFUSALS, Refusal, choose, objection
from orchestrator.core.reference import UnresolvedReference
from orchestrator.core.seams import Clock
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.dispatch.engine import Engine
from orchestrator.dispatch.fences import Fences
from orchestrator.dispatch.fleet import Assignment, Fleet, Worker
from orchestrator.dispatch.histories import Histories
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.ready import Parked
from orchestrator.dispatch.rivals import Rivals
from orchestrator.dispatch.watch import Hub
from orchestrator.store.journal import Journal
from orchestrator.store.record import Conversation, Record
from protocol.codec import MAX_RESULT_BYTES, admit
from protocol.errors import FailureCode, ProtocolError
from protocol.packets import Ack, Cancel, Failure, Offer, OrchestratorPacket, Process, Resources, Result

log = structlog.get_logger()

Disowned = Callable[[Worker, Assignment], None]
"""Told of an attempt that a worker at home here goes on with although this replica may not judge it any more."""


class Dispatcher:
    """Makes offers to the fleet for the engine's ready stages."""

    def __init__(self, journal: Journal, clock: Clock, hub: Hub, fleet: Fleet, pace: Pace) -> None:
        self.engine = Engine(journal, clock, hub, self)
        self.clock = clock
        self.fleet = fleet
        self.pace = pace
        self.fences = Fences(0)
        self.refusals: dict[str, dict[str, dict[str, Refusal]]] = {}
        """By execution id, stage and worker id."""
        self.histories = Histories(fleet)
        self.rivals = Rivals()
        self._parked = Parked()
        self._pump_is_due = False
        self._is_offering = True
        self.offers_until = inf
        """Monotonic seconds: past its lease a replica offers nothing, for its executions or workers may be others'."""
        self.hungry = asyncio.Event()
        """Set when the queue in the database should be claimed from."""
        self.disowned: Disowned = lambda worker, assignment: None

    def begin(self, epoch: int) -> None:
        """A new life: nothing that an earlier one held is valid any more."""
        self.fences = Fences(epoch)
        self.engine.begin()
        self.refusals.clear()
        self._parked.clear()
        for worker in self.fleet:
            for assignment in list(worker.assignments.values()):
                self._disown(worker, assignment)

    # ------------------------------------------------------------------------------------------------- the pump

    def wake(self) -> None:
        """Make offers once, after everything that is being handled in this turn of the loop."""
        if not self._pump_is_due:
            self._pump_is_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    @property
    def is_offering(self) -> bool:
        """Whether slots may be given away here: to work of its own, or as a home to others'."""
        return self._is_offering and self.clock.monotonic() < self.offers_until

    def stop_offering(self) -> None:
        """The replica ends: what is at workers may still come in, nothing more goes out to be worked on."""
        self._is_offering = False

    def _pump(self) -> None:
        self._pump_is_due = False
        if not self.is_offering:
            return
        while (action := self._next_action()) is not None:
            key, stage = self.engine.ready[action].pop()
            record = self.engine.owned.get(key[2])
            if record is not None and self.engine.is_offerable(record, stage):
                self._place(record, stage, action)
        if self._is_thin():
            self.hungry.set()

    def _is_thin(self) -> bool:
        """Whether work may wait in the database that there is room for here."""
        return any(
            ready.bound is not None and 2 * len(ready.entries) < self.fleet.window(action)
            for action, ready in self.engine.ready.items()
        )

    def _next_action(self) -> str | None:
        """The action whose first entry is the first in the order of work, among those with a free slot somewhere."""
        best: str | None = None
        best_key: OrderKey | None = None
        for action, ready in self.engine.ready.items():
            if ready.entries and self.fleet.has_credit(action):
                key = ready.entries[0][0]
                if self.rivals and self.rivals.goes_before(action, key, self.clock.monotonic()):
                    continue
                if best_key is None or key < best_key:
                    best, best_key = action, key
        return best

    def starving(self) -> dict[str, OrderKey]:
        """The first that waits for each action of which no slot is to be had, at home or as a guest's."""
        return {
            action: ready.entries[0][0]
            for action, ready in self.engine.ready.items()
            if ready.entries and not self.fleet.has_credit(action)
        }

    def _place(self, record: Record, stage: str, action: str) -> None:
        execution_id = record.execution.execution_id
        refused = self.refused(execution_id, stage)
        candidates = (worker.facts for worker in self.fleet.offering(action))
        now = self.clock.monotonic()
        lost = record.execution.stages[stage].lost_workers
        chosen = choose(candidates, action, execution_id, refused, now, lost)
        if chosen is None and (reasons := self._refused_by_all(action, refused, now)) is not None:
            self.fail_unoffered(record, stage, FailureCode.REFUSED, f"every worker refuses it: {reasons}")
            return
        if chosen is None:
            self._parked.put(execution_id, stage, now + self._ask_again_in(action, execution_id, refused, now))
            return
        worker = self.fleet.get(chosen.worker_id)
        if worker is not None:
            self._offer(record, stage, action, worker, now)

    def _refused_by_all(self, action: str, refused: Mapping[str, Refusal], now: float) -> str | None:
        """What everybody who offers the action says against this stage, once it has been said for long enough.

        Somebody else may register meanwhile, so one worker's answer on its own settles nothing.
        """
        said = {worker.worker_id: refused.get(worker.worker_id) for worker in self.fleet.offering(action)}
        lasting = [
            f"{worker_id}: {refusal.reason}"
            for worker_id, refusal in said.items()
            if refusal is not None and refusal.has_lasted(self.pace.refused_longest, now)
        ]
        return "; ".join(lasting) if lasting and len(lasting) == len(said) else None

    def _ask_again_in(self, action: str, execution_id: str, refused: Mapping[str, Refusal], now: float) -> float:
        waits = [self.pace.refused_longest]
        for worker in self.fleet.offering(action):
            why = objection(worker.facts, action, execution_id, refused, now)
            if why is not None and why.until is not None:
                waits.append(why.until - now)
        return max(min(waits), 0.01)

    def unpark(self, execution_id: str) -> None:
        """What was set aside of this execution may find a worker now."""
        for stage in self._parked.take(execution_id):
            self._enqueue_again(execution_id, stage)

    def unpark_due(self) -> None:
        for execution_id, stage in self._parked.take_due(self.clock.monotonic()):
            self._enqueue_again(execution_id, stage)

    def _enqueue_again(self, execution_id: str, stage: str) -> None:
        record = self.engine.owned.get(execution_id)
        if record is not None and self.engine.is_offerable(record, stage):
            self.engine.enqueue(record, stage)

    def unpark_all(self) -> None:
        """The fleet changed: whatever was set aside may find a worker now."""
        for execution_id in self._parked.executions():
            self.unpark(execution_id)
        self.hungry.set()
        self.wake()

    def _offer(self, record: Record, name: str, action: str, worker: Worker, now: float) -> None:
        execution = record.execution
        try:
            packet, encoded = self._offer_packet(record, name, action)
        except UnresolvedReference as error:
            self.fail_unoffered(record, name, FailureCode.UNRESOLVED_REFERENCE, str(error))
            return
        except ProtocolError as error:
            self.fail_unoffered(record, name, FailureCode.INVALID_INPUT, f"its input cannot be offered: {error}")
            return
        conversation = Conversation(name, packet.fence, packet.attempt, worker.worker_id)
        record.conversations[packet.fence] = conversation
        self.engine.apply(record, Offered(name, packet.fence, worker.worker_id), (conversation,))
        self.fleet.take(
            worker,
            Assignment(
                execution_id=execution.execution_id,
                stage=name,
                action=action,
                fence=packet.fence,
                attempt=packet.attempt,
                offered_at=now,
                expires_at=now + self.pace.offer_expires,
            ),
        )
        self.send(record, worker, conversation, packet, encoded)

    def fail_unoffered(self, record: Record, stage: str, code: FailureCode, message: str) -> None:
        """A ready stage fails without an attempt."""
        self.engine.apply(record, Unofferable(stage, Failure(code=code, message=message)))

    def _offer_packet(self, record: Record, name: str, action: str) -> tuple[Offer, bytes]:
        """The offer under a new fence, and its bytes, which every worker's gate will let through.

        Raises `UnresolvedReference`, and `ProtocolError` for an input that has become too large or too deep.
        """
        execution = record.execution
        spec = execution.spec(name)
        packet = Offer(
            execution_id=execution.execution_id,
            stage_id=stage_id(execution.execution_id, name),
            attempt=execution.stages[name].attempt,
            fence=self.fences.next(),
            action=action,
            input_data=spec.with_.render(execution.scope),
            resource_requirements=_allowed(spec.timeout),
            offer_expires_ms=int(self.pace.offer_expires * 1000),
            lease_ms=int(self.pace.lease * 1000),
            deadline_at=instant(self.clock.now() + spec.timeout),
        )
        encoded = packet.encoded()
        admit(b"[%b]" % encoded, MAX_RESULT_BYTES)
        return packet, encoded

    # --------------------------------------------------------------------------------------------- what goes out

    def send(
        self,
        record: Record,
        worker: Worker,
        conversation: Conversation | None,
        packet: OrchestratorPacket,
        encoded: bytes | None = None,
    ) -> None:
        """Log the packet in its conversation and hand it to the worker's link, if it has one now."""
        encoded = encoded or packet.encoded()
        if conversation is not None:
            conversation.add(record.next_sequence(), self.clock.now(), True, packet.type, encoded)
        self.hand(worker, packet, encoded)

    def start_process(self, record: Record, stage: str) -> None:
        """The worker accepted: tell it to begin. From now on its lease and the stage's timeout run."""
        execution = record.execution
        state = execution.stages[stage]
        worker = self.fleet.get(state.worker_id or "")
        if worker is None or state.fence is None or state.fence not in worker.assignments:
            return
        assignment = worker.assignments[state.fence]
        now = self.clock.monotonic()
        assignment.started_at = now
        assignment.lease_until = now + self.pace.lease
        assignment.timeout_at = now + execution.spec(stage).timeout.total_seconds()
        conversation = record.conversations.get(state.fence)
        self.send(record, worker, conversation, self.process_packet(record, state, state.fence))

    def process_packet(self, record: Record, stage: Stage, fence: int) -> Process:
        execution_id = record.execution.execution_id
        return Process(
            execution_id=execution_id, stage_id=stage_id(execution_id, stage.name), attempt=stage.attempt, fence=fence
        )

    def stop_attempt(self, record: Record, effect: StopAttempt) -> None:
        """Tell the worker to stop. Its slot stays taken until it says that it has, or for a grace period."""
        worker = self.fleet.get(effect.worker_id)
        assignment = worker.assignments.get(effect.fence) if worker is not None else None
        if worker is None or assignment is None or not worker.known:
            self.settle(record, effect.stage, effect.fence)
            return
        assignment.timeout_at = assignment.lease_until = None
        assignment.grace_until = self.clock.monotonic() + self.pace.cancel_grace
        execution_id = record.execution.execution_id
        packet = Cancel.model_validate(
            {
                "execution_id": execution_id,
                "stage_id": stage_id(execution_id, effect.stage),
                "fence": effect.fence,
                "reason": effect.reason,
            }
        )
        conversation = record.conversations.get(effect.fence)
        self.send(record, worker, conversation, packet)
        if conversation is not None and execution_id in self.engine.owned:
            self.engine.note_packets(record, conversation)

    def send_ack(self, worker: Worker, result: Result, committed: bool) -> None:
        packet = ack_of(result, committed=committed)
        self.hand(worker, packet, packet.encoded())

    def hand(self, worker: Worker, packet: OrchestratorPacket, encoded: bytes) -> None:
        """Give the worker's link a packet, if it has one now."""
        if worker.link is not None:
            worker.link.send(packet, encoded)

    # ------------------------------------------------------------------------------------------- what is settled

    def finished(self, execution_id: str) -> None:
        self.refusals.pop(execution_id, None)
        self._parked.take(execution_id)

    def settle(self, record: Record, stage: str, fence: int) -> None:
        """Nothing more is expected of a stopped attempt."""
        state = record.execution.stages[stage]
        if state.status is StageStatus.CANCELLING and state.fence == fence:
            self.engine.apply_if_valid(record, Settled(stage, fence))

    def abandon(self, execution_id: str) -> None:
        """Somebody else drives it now, or nobody: what workers hold of it is no longer judged here."""
        self.engine.drop(execution_id)
        self.finished(execution_id)
        for worker in self.fleet:
            for assignment in list(worker.assignments.values()):
                if assignment.execution_id == execution_id:
                    self._disown(worker, assignment)

    def _disown(self, worker: Worker, assignment: Assignment) -> None:
        """A guest's slots are counted at its home; of a worker at home here, the slot goes to whoever drives it."""
        self.free(worker, assignment.fence)
        if worker.is_at_home:
            self.disowned(worker, assignment)

    def free(self, worker: Worker, fence: int) -> Assignment | None:
        """The worker's slot is free again: somebody may be waiting for it."""
        assignment = self.fleet.free(worker, fence)
        if assignment is not None:
            if worker.facts.one_stage_of_an_execution:
                self.unpark(assignment.execution_id)
            self.wake()
        return assignment

    # ------------------------------------------------------------------------------------------------- refusals

    def refused(self, execution_id: str, stage: str) -> Mapping[str, Refusal]:
        """Which workers refused this stage, and why."""
        return self.refusals.get(execution_id, {}).get(stage, NO_REFUSALS)

    def remember_refusal(self, execution_id: str, stage: str, worker_id: str, refusal: Refusal) -> None:
        self.refusals.setdefault(execution_id, {}).setdefault(stage, {})[worker_id] = refusal

    def forget_refusals(self, execution_id: str, stage: str) -> None:
        self.refusals.get(execution_id, {}).pop(stage, None)

    def forget_refusals_of(self, worker_id: str) -> None:
        """The worker registered anew: it may answer otherwise now."""
        for stages in self.refusals.values():
            for refused in stages.values():
                refused.pop(worker_id, None)


@lru_cache
def _allowed(timeout: timedelta) -> Resources:
    return Resources(timeout_ms=int(timeout.total_seconds() * 1000))


def ack_of(result: Result, *, committed: bool) -> Ack:
    return Ack(
        execution_id=result.execution_id,
        stage_id=result.stage_id,
        fence=result.fence,
        status="committed" if committed else "stale",
    )
