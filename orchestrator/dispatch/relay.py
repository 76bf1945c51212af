"""Attempts of other replicas' executions at workers that are at home here.

The home counts the slots and passes packets on; the owner alone judges them, by its fence. A result is kept here until
the owner has acknowledged it. Who the owner is, the database says whenever it is in doubt, so a relay needs no memory
that a crash could lose. Invariant: what came from a peer is never passed on to another peer.
"""

from collections.abc import Iterable

import structlog

from orchestrator.core.document import stage_id, stage_name
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.called_link import CalledLink
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Answered, Assignment, Worker
from orchestrator.dispatch.lendings import Lendings
from orchestrator.dispatch.peer_link import PeerLink
from orchestrator.dispatch.peer_messages import FromWorker
from orchestrator.dispatch.relayed import Relayed, Told, key_of, refusal_of, result_of, stop_of
from orchestrator.dispatch.settlement import is_repeat
from orchestrator.dispatch.tasks import Tasks
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.executions import Executions, Whereabouts
from protocol.packets import (
    Accept,
    Ack,
    AttemptKey,
    Cancel,
    Failure,
    Heartbeat,
    Log,
    Offer,
    OrchestratorPacket,
    Process,
    Reject,
    Result,
    WorkerPacket,
)

log = structlog.get_logger()


class Relay:
    """The home's side of what is lent to others."""

    def __init__(
        self, dispatcher: Dispatcher, answers: Answers, executions: Executions, replica_id: str, tasks: Tasks
    ) -> None:
        self._dispatcher = dispatcher
        self._answers = answers
        self._fleet = dispatcher.fleet
        self._owned = dispatcher.engine.owned
        self._clock = dispatcher.clock
        self._pace = dispatcher.pace
        self._executions = executions
        self._replica_id = replica_id
        self._tasks = tasks
        self._lent = Lendings(dispatcher.fleet, dispatcher.clock, dispatcher.wake)
        self._links: dict[str, PeerLink] = {}
        self._is_looking = False

    @property
    def is_needed(self) -> bool:
        """Whether anything here may be another replica's."""
        return self._fleet.is_shared or bool(self._links or self._lent)

    def lent(self, worker: Worker, owner: str) -> int:
        """How many of the worker's slots this owner has."""
        return sum(attempt.owner == owner for attempt in self._lent.of(worker))

    def begun(self, worker: Worker) -> list[AttemptKey]:
        """The attempts of others that the worker was told to begin."""
        return [attempt.key for attempt in self._lent.of(worker) if attempt.has_begun]

    # ------------------------------------------------------------------------------------------- from the worker

    def takes(self, worker: Worker, packet: Told) -> bool:
        """Whether the packet is not for this replica to judge; then it is on its way to who does."""
        if packet.fence in worker.assignments or packet.execution_id in self._owned:
            return False
        attempt = self._lent.get(packet.fence)
        if attempt is None:
            if isinstance(packet, Reject | Log):
                return True
            if isinstance(packet, Accept):
                # Its offer came by a way that is no more, and died with it; the slot may be somebody else's by now.
                self._stop(worker, key_of(packet))
                return True
            attempt = self._lent.enter(worker.worker_id, key_of(packet), None)
        if attempt is None or not attempt.is_meant_by(worker.worker_id, packet):
            log.warning("packet.refused", worker_id=worker.worker_id, packet_type=packet.type, fence=packet.fence)
            return True
        if isinstance(packet, Result):
            attempt.by_link = True
        self._pass_on(attempt, packet)
        return True

    def report(self, worker_id: str, packet: Result, answered: Answered) -> None:
        """A result that came as a request: `answered` hears of it when the owner has dealt with it."""
        attempt = self._lent.get(packet.fence) or self._lent.enter(worker_id, key_of(packet), None)
        if attempt is None or not attempt.is_meant_by(worker_id, packet):
            answered(False)
            return
        attempt.waiting.append(answered)
        self._pass_on(attempt, packet)

    def beat(self, worker: Worker, heartbeat: Heartbeat) -> None:
        """The owners renew the leases."""
        for owner in dict.fromkeys(attempt.owner for attempt in self._lent.of(worker)):
            self._tell(owner, worker.worker_id, heartbeat)

    def beat_of(self, worker: Worker, fences: Iterable[int]) -> None:
        """The same for these attempts alone: their open calls are signs of their lives."""
        held = self._lent.among(worker, fences)
        for owner in dict.fromkeys(attempt.owner for attempt in held):
            keys = tuple(attempt.key for attempt in held if attempt.owner == owner)
            self._tell(owner, worker.worker_id, Heartbeat(running=keys))

    def offer_unanswered(self, worker_id: str, fence: int, reason: str) -> bool:
        """Whether the fence is another owner's, who then knows; the fence dies, so a late accept is told to stop."""
        attempt = self._lent.get(fence)
        if attempt is None:
            return False
        self._stop_worker(attempt)
        self._refuse(attempt.owner, worker_id, attempt.key, reason)
        self._lent.drop(attempt)
        return True

    def not_started(self, worker_id: str, fence: int, reason: str, retry_after_ms: int | None) -> bool:
        """The same for an attempt that has not begun."""
        attempt = self._lent.get(fence)
        if attempt is None:
            return False
        self._refuse(attempt.owner, worker_id, attempt.key, reason, retry_after_ms)
        self._lent.drop(attempt)
        return True

    def failed(self, fence: int, failure: Failure) -> bool:
        """The same for an attempt that the transport saw fail."""
        attempt = self._lent.get(fence)
        if attempt is not None:
            self._pass_on(attempt, result_of(attempt.key, "failed", failure))
        return attempt is not None

    def settled(self, fence: int) -> bool:
        """The same for a cancelled attempt that is no longer the worker's."""
        attempt = self._lent.get(fence)
        if attempt is not None and attempt.grace_until is not None:
            self._tell(attempt.owner, attempt.worker_id, result_of(attempt.key, "cancelled"))
            self._lent.drop(attempt)
        return attempt is not None

    def registered(self, worker: Worker, running: Iterable[AttemptKey], *, replaced: bool) -> None:
        """The worker says what it holds: of executions that are not driven here, the owners are looked for."""
        held = {key.fence: key for key in running}
        for attempt in self._lent.of(worker):
            if replaced and attempt.key.fence not in held:
                self._lent.drop(attempt)
        for fence, key in held.items():
            if fence not in worker.assignments and key.execution_id not in self._owned:
                self._lent.enter(worker.worker_id, key, None)
        if any(attempt.owner is None for attempt in self._lent.of(worker)):
            self._look_soon()

    def left(self, worker: Worker) -> None:
        """The way to the worker is no more: the offers that went it are void, and their owners ask somebody else."""
        for attempt in self._lent.of(worker):
            if not attempt.has_begun:
                self._refuse(attempt.owner, worker.worker_id, attempt.key, "its link closed before it began")
                self._lent.drop(attempt)

    def moved(self, worker: Worker) -> None:
        """Another replica is the worker's home now, and counts its slots."""
        self.left(worker)
        for attempt in self._lent.of(worker):
            self._lent.drop(attempt)

    # ------------------------------------------------------------------------------------------ from this replica

    def disowned(self, worker: Worker, assignment: Assignment) -> None:
        """This replica may not drive the execution any more. The worker goes on, and keeps the slot until it is known
        whose the attempt is; if it is this replica's again, `owned` says so. An offer is void under any owner."""
        if worker.since is None:
            return
        key = AttemptKey(
            execution_id=assignment.execution_id,
            stage_id=stage_id(assignment.execution_id, assignment.stage),
            attempt=assignment.attempt,
            fence=assignment.fence,
        )
        if assignment.started_at is None:
            self._stop(worker, key)
        elif (attempt := self._lent.enter(worker.worker_id, key, None)) is not None:
            attempt.grace_until = assignment.grace_until
            attempt.result, attempt.waiting = assignment.result, assignment.waiting_for_commit
            self._look_soon()

    def owned(self, execution_id: str) -> None:
        """This replica drives the execution from now on, and judges what was said of it meanwhile."""
        for attempt in self._lent:
            if attempt.key.execution_id == execution_id:
                self._is_own(attempt)

    # -------------------------------------------------------------------------------------------- from the owner

    def linked(self, owner: str, link: PeerLink) -> None:
        """The owner can be told: results that wait for it are sent again."""
        self._links[owner] = link
        for attempt in self._lent:
            if attempt.owner == owner and attempt.result is not None:
                self._pass_on(attempt, attempt.result)

    def unlinked(self, owner: str, link: PeerLink) -> None:
        """What the owner had not told to begin, it gives up by itself; for the rest its successor will be found."""
        if self._links.get(owner) is not link:
            return
        del self._links[owner]
        for attempt in self._lent:
            if attempt.owner == owner and not attempt.has_begun:
                self._stop_worker(attempt)
                self._lent.drop(attempt)

    def to_worker(self, owner: str, worker_id: str, packet: OrchestratorPacket) -> None:
        """What the owner says to the worker."""
        match packet:
            case Offer():
                self._offer(owner, worker_id, packet)
            case Process():
                self._process(owner, worker_id, packet)
            case Cancel():
                self._cancel(owner, worker_id, packet)
            case Ack() if (attempt := self._lent.get(packet.fence)) is not None:
                self._answer(attempt, packet.status == "committed")

    def _offer(self, owner: str, worker_id: str, offer: Offer) -> None:
        refusal = self._refusal(owner, worker_id, offer)
        attempt = None if refusal else self._lent.enter(worker_id, offer, owner)
        if attempt is None:
            self._refuse(owner, worker_id, offer, refusal or "it speaks of too many attempts")
            return
        attempt.expires_at = self._clock.monotonic() + 2 * self._pace.offer_expires
        self._dispatcher.rivals.granted(owner, offer.action)
        self._send(attempt, offer)

    def _refusal(self, owner: str, worker_id: str, offer: Offer) -> str | None:
        worker = self._fleet.get(worker_id)
        if worker is None or not worker.is_at_home or worker.link is None or not worker.facts.connected:
            return f"worker {worker_id} cannot be asked at {self._replica_id} any more"
        if worker.facts.draining or not self._dispatcher.is_offering:
            return "takes no new work"
        if worker.facts.free <= 0:
            return f"all {worker.facts.slots} slots are taken"
        ready = self._dispatcher.engine.ready[offer.action]
        own = ready.entries[0][0] if ready.entries else None
        now = self._clock.monotonic()
        if own is not None and not self._dispatcher.rivals.outranks(owner, offer.action, own, now):
            return "its slots are needed at its home"
        return None

    def _process(self, owner: str, worker_id: str, process: Process) -> None:
        """Begin; or go on, under an owner that has taken the execution over."""
        attempt, worker = self._lent.get(process.fence), self._fleet.get(worker_id)
        if worker is not None and process.fence in worker.assignments:
            # Two take it for theirs. Whichever of them is deposed will notice soon.
            return
        if attempt is None and worker is not None and self._has_room_for_call(worker):
            # The call that carried it died with the worker's former home: it is made again from here.
            attempt = self._lent.enter(worker_id, process, owner)
        if attempt is None or worker is None:
            self._refuse(owner, worker_id, process, f"no accepted offer with this fence is held at {self._replica_id}")
            return
        attempt.owner, attempt.confirmed_at, attempt.expires_at = owner, self._clock.monotonic(), None
        if attempt.result is not None:
            self._pass_on(attempt, attempt.result)
        elif not (isinstance(worker.link, CalledLink) and process.fence in worker.link.open_calls()):
            self._send(attempt, process)

    def _has_room_for_call(self, worker: Worker) -> bool:
        """Its slots may have gone to others' work before anybody who holds an attempt of it was heard of."""
        return worker.is_at_home and worker.url is not None and worker.facts.free > 0

    def _cancel(self, owner: str, worker_id: str, cancel: Cancel) -> None:
        attempt = self._lent.get(cancel.fence)
        if attempt is None:
            if cancel.reason != "stale":
                # Not held, so it does not run: that is all the owner waits to hear.
                self._tell(owner, worker_id, result_of(cancel, "cancelled"))
            return
        self._send(attempt, cancel)
        if cancel.reason == "stale":
            self._lent.drop(attempt)
        else:
            attempt.grace_until = self._clock.monotonic() + self._pace.cancel_grace

    # ------------------------------------------------------------------------------------------- who is the owner

    async def look(self) -> None:
        """Ask the database about every attempt that is in doubt; raises one of `UNAVAILABLE`."""
        for attempt in self._lent:
            if self._lent.holds(attempt) and self._is_in_doubt(attempt):
                key = attempt.key
                name = stage_name(key.execution_id, key.stage_id) or ""
                where = await self._executions.whereabouts(key.execution_id, name, key.fence)
                if self._lent.holds(attempt):
                    self._found(attempt, where)

    def _is_in_doubt(self, attempt: Relayed) -> bool:
        now = self._clock.monotonic()
        if attempt.grace_until is not None and attempt.grace_until <= now:
            self._lent.drop(attempt)
            return False
        if attempt.expires_at is not None:
            if attempt.expires_at <= now:
                self._stop_worker(attempt)
                self._lent.drop(attempt)
            return False
        return (
            attempt.owner not in self._links
            or (attempt.result is not None and now - attempt.sent_at >= self._pace.lease / 3)
            or now - attempt.confirmed_at >= self._pace.lease
        )

    def _found(self, attempt: Relayed, where: Whereabouts | None) -> None:
        if where is None or not where.rules:
            self._is_over(attempt, where)
        elif where.owner == self._replica_id:
            self._is_own(attempt)
        elif where.owner is not None:
            attempt.owner, attempt.confirmed_at = where.owner, self._clock.monotonic()
            if attempt.result is not None:
                self._pass_on(attempt, attempt.result)

    def _is_over(self, attempt: Relayed, where: Whereabouts | None) -> None:
        if attempt.result is None:
            self._stop_worker(attempt)
            self._lent.drop(attempt)
            return
        taken = where.taken if where is not None else None
        self._answer(attempt, taken is not None and is_repeat(taken, attempt.result))

    def _is_own(self, attempt: Relayed) -> None:
        """This replica has taken the execution over: it is the judge."""
        worker = self._fleet.get(attempt.worker_id)
        if attempt.key.execution_id not in self._owned:
            return
        self._lent.drop(attempt)
        if worker is None:
            return
        if attempt.result is not None:
            answers: list[Answered | None] = [*attempt.waiting, *([None] if attempt.by_link else [])]
            for answered in answers:
                self._answers.result(worker, attempt.result, answered)
        elif attempt.key.fence not in worker.assignments:
            self._stop_worker(attempt)

    def _look_soon(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._tasks.create_task(self._look_now())

    async def _look_now(self) -> None:
        try:
            await self.look()
        except UNAVAILABLE as error:
            log.warning("relay.in_doubt", error=repr(error))
        finally:
            self._is_looking = False

    # ------------------------------------------------------------------------------------------------- what is told

    def _pass_on(self, attempt: Relayed, packet: Told) -> None:
        if isinstance(packet, Result):
            # The first one counts: a worker that says something else after it has only said it again.
            packet = attempt.result = attempt.result or packet
            attempt.sent_at = self._clock.monotonic()
        if not self._tell(attempt.owner, attempt.worker_id, packet):
            self._look_soon()
        if isinstance(packet, Reject):
            self._lent.drop(attempt)

    def _answer(self, attempt: Relayed, committed: bool) -> None:
        """The result has been dealt with: everyone who waits hears of it."""
        self._lent.drop(attempt)
        for answered in attempt.waiting:
            answered(committed)
        worker = self._fleet.get(attempt.worker_id)
        if attempt.by_link and worker is not None and attempt.result is not None:
            self._dispatcher.send_ack(worker, attempt.result, committed)

    def _stop_worker(self, attempt: Relayed) -> None:
        self._send(attempt, stop_of(attempt.key))

    def _stop(self, worker: Worker, key: AttemptKey) -> None:
        packet = stop_of(key)
        if worker.link is not None:
            worker.link.send(packet, packet.encoded())

    def _send(self, attempt: Relayed, packet: OrchestratorPacket) -> None:
        worker = self._fleet.get(attempt.worker_id)
        if worker is not None and worker.is_at_home and worker.link is not None:
            worker.link.send(packet, packet.encoded())

    def _refuse(
        self, owner: str | None, worker_id: str, key: AttemptKey, reason: str, retry_after_ms: int | None = None
    ) -> None:
        self._tell(owner, worker_id, refusal_of(key, worker_id, reason, retry_after_ms))

    def _tell(self, owner: str | None, worker_id: str, packet: WorkerPacket) -> bool:
        """Whether there is a way to the owner."""
        link = None if owner is None else self._links.get(owner)
        if link is None:
            return False
        link.tell(FromWorker(worker_id=worker_id, packet=packet))
        return True
