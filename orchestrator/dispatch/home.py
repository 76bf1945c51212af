"""This replica as the home of workers: they register, open and close links, beat, drain.

Others' workers come as guests: their homes present them, and here they are known like any other.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import structlog

from orchestrator.core.placement import Refusal
from orchestrator.core.requests import Crowded, RegistrationRefused
from orchestrator.core.seams import Clock, Ids
from orchestrator.core.stage import BEGUN, Stage, StageStatus
from orchestrator.core.standing import Offence, standing_document
from orchestrator.core.template_stage import StageSpec
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.array_link import ArrayLink
from orchestrator.dispatch.called_link import CalledLink, Place
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Assignment, Worker
from orchestrator.dispatch.http_link import HttpLink
from orchestrator.dispatch.link import Link, Receiver
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.peer_link import Dial
from orchestrator.dispatch.peer_messages import Present
from orchestrator.dispatch.relay import Relay
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.transport import Transport
from orchestrator.dispatch.worker_url import check_worker_url
from orchestrator.store.record import Record
from orchestrator.store.workers import RegisteredWorker, WorkerRegistry
from protocol.packets import PROTOCOL_VERSION, AttemptKey, Directive, Drain, Heartbeat, Registered, Registration

PROBE_TIMEOUT: Final = 3.0
RESTARTS_HALF_LIFE: Final = 60.0
REGISTERED_AT_ONCE: Final = 32
MOST_REGISTERING: Final = 512
"""A fleet that comes at once is let in by and by; who finds so many before it is told to come back."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reach:
    """How this replica reaches workers and its peers, and how they reach it. Without `dial` it reaches no peer."""

    transport: Transport
    public_url: str
    dial: Dial | None = None


class Home:
    """Registration and liveness of the workers whose slots this replica counts."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        answers: Answers,
        relay: Relay,
        receiver: Receiver,
        registry: WorkerRegistry,
        reach: Reach,
        ids: Ids,
        replica_id: str,
        tasks: Tasks,
    ) -> None:
        self._dispatcher = dispatcher
        self._answers = answers
        self._relay = relay
        self._receiver = receiver
        self._registry = registry
        self._reach = reach
        self._ids = ids
        self._replica_id = replica_id
        self._tasks = tasks
        self._coming: set[str] = set()
        self._registering = 0
        self._door = asyncio.Semaphore(REGISTERED_AT_ONCE)
        self._clock: Clock = dispatcher.clock
        self._pace: Pace = dispatcher.pace

    # ------------------------------------------------------------------------------------------------ coming, going

    async def register(self, registration: Registration) -> Registered:
        """Enter a worker. Raises `RegistrationRefused` for a protocol or a URL that cannot be used, and `Crowded`."""
        if self._registering >= MOST_REGISTERING:
            raise Crowded(1 + crc32(registration.worker_id.encode()) % 1000 / 200)
        self._registering += 1
        try:
            async with self._door:
                return await self._register(registration)
        finally:
            self._registering -= 1

    async def _register(self, registration: Registration) -> Registered:
        if registration.protocol != PROTOCOL_VERSION:
            raise RegistrationRefused(
                "protocol", f"protocol {registration.protocol} is not spoken here, {PROTOCOL_VERSION} is"
            )
        instance_id = registration.instance_id or self._instance(registration)
        link = None
        if registration.url is not None:
            check_worker_url(registration.url)
            link = self._called_link(registration)
            try:
                async with asyncio.timeout(PROBE_TIMEOUT):
                    answers = await link.probe([])
            except TimeoutError:
                answers = False
            if not answers:
                raise RegistrationRefused("url", f"nothing answers at {registration.url}")
        since = await self._registry.register(registration, instance_id, self._replica_id)
        self._come_home(registration, instance_id, link, since)
        log.info("worker.registered", worker_id=registration.worker_id, instance_id=instance_id, url=registration.url)
        return Registered(
            worker_id=registration.worker_id,
            instance_id=instance_id,
            heartbeat_interval_ms=int(self._pace.heartbeat * 1000),
            websocket_url=self._websocket_url(registration.worker_id),
        )

    def _come_home(
        self, registration: Registration, instance_id: str, link: CalledLink | None, since: datetime
    ) -> Worker:
        """The worker is at home here now; what it holds of others' executions takes its slots as well."""
        before = self._dispatcher.fleet.get(registration.worker_id)
        replaced = before is not None and before.known and before.instance_id != instance_id
        worker = self._enter(registration, instance_id, link)
        worker.since = since
        self._relay.registered(worker, registration.running, replaced=replaced)
        return worker

    def present(self, guest: Present, home: str, link: Link) -> None:
        """Another replica says that the worker is at home there. The one where it registered last is right."""
        before = self._dispatcher.fleet.get(guest.worker_id)
        if before is not None and before.known and before.since is not None and before.since > guest.since:
            return
        if before is not None:
            if before.is_at_home:
                self._relay.moved(before)
            self._cut_off(before, "replaced by another home")
        worker = self._enter(guest.registration, guest.registration.instance_id or "", None)
        worker.home, worker.since = home, guest.since
        worker.facts.is_guest = True
        worker.facts.one_stage_of_an_execution = guest.one_stage_of_an_execution
        self._dispatcher.fleet.grant(worker, 0)
        self.connected(guest.worker_id, link)

    def _enter(self, registration: Registration, instance_id: str, link: CalledLink | None) -> Worker:
        before = self._dispatcher.fleet.get(registration.worker_id)
        if before is not None and before.home is not None:
            self._cut_off(before, "replaced by another registration")
        old_link = before.link if before is not None else None
        now = self._clock.monotonic()
        worker, replaced = self._dispatcher.fleet.enter(registration, instance_id, now, self._clock.now())
        held = {key.fence for key in registration.running}
        for assignment in list(worker.assignments.values()):
            if assignment.fence in held:
                if assignment.lease_until is not None:
                    assignment.lease_until = now + self._pace.lease
            elif replaced:
                former = before.instance_id if before is not None else ""
                self._answers.lost(worker, assignment, f"worker {worker.worker_id} was started anew", former)
        if replaced:
            self._rest(worker, now)
        if link is not None and link.leads_as(old_link) and not replaced:
            # The same life at the same place: its open calls go on.
            link, worker.facts.connected = None, True
        if old_link is not None and (replaced or link is not None):
            old_link.close("replaced by another registration")
            worker.link, worker.facts.connected = None, False
        if link is not None:
            worker.link, worker.facts.connected = link, True
            self._resume_all(worker)
        self._dispatcher.forget_refusals_of(worker.worker_id)
        self._dispatcher.unpark_all()
        return worker

    def _rest(self, worker: Worker, now: float) -> None:
        """A worker that is started again and again is left alone for a while, and for longer each time."""
        worker.restarts = worker.restarts.one_more(now, RESTARTS_HALF_LIFE)
        times = round(worker.restarts.now(now, RESTARTS_HALF_LIFE))
        if times > 1:
            rest = min(self._pace.refused_again * 2 ** (times - 2), self._pace.refused_longest)
            why = f"was started anew {times} times within a short while"
            worker.facts.resting = Refusal("restarting", why, now + rest)

    def offended(self, worker_id: str, offence: Offence) -> None:
        """The worker sent what its transport had to refuse."""
        worker = self._dispatcher.fleet.get(worker_id)
        if worker is not None:
            self._answers.conduct.note(worker, offence)

    def _instance(self, registration: Registration) -> str:
        """A worker that names no life of its own and is still at the same URL is taken to be living on."""
        worker = self._dispatcher.fleet.get(registration.worker_id)
        if worker is not None and worker.known and worker.url is not None and worker.url == registration.url:
            return worker.instance_id
        return self._ids.new("inst")

    def enter_built_in(self, registration: Registration, link: Link) -> None:
        """A worker inside this process: in no registry, always connected, its heartbeats go without saying."""
        self._enter(registration, registration.worker_id, None)
        worker = self._dispatcher.fleet.get(registration.worker_id)
        if worker is not None:
            worker.link, worker.facts.connected = link, True

    async def take_home(self) -> None:
        """Workers reached by URL whose home died, or that this replica's earlier life knew: theirs is here now."""
        for row in await self._registry.take_home(self._replica_id):
            known = self._dispatcher.fleet.get(row.worker_id)
            if row.worker_id not in self._coming and (known is None or not known.is_at_home):
                self._coming.add(row.worker_id)
                self._tasks.create_task(self._bring_home(row))

    async def _bring_home(self, row: RegisteredWorker) -> None:
        """Before anything is offered to the worker, ask it what it holds: others' attempts take its slots, and what it
        does not hold of this replica's goes back to be offered, uncharged.

        One that cannot be asked is taken at its answer to `process`, which it is sent again.
        """
        registration = registration_of(row)
        link = self._called_link(registration)
        held: tuple[AttemptKey, ...] | None = None
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.lease / 3):
                    held = await link.held()
        finally:
            self._coming.discard(row.worker_id)
        known = self._dispatcher.fleet.get(row.worker_id)
        if known is not None and known.since is not None and known.since >= row.home_since:
            return
        if known is not None and held is not None:
            fences = {key.fence for key in held}
            for fence, assignment in list(known.assignments.items()):
                if assignment.started_at is not None and fence not in fences:
                    reason = "it was asked, and does not hold the attempt"
                    self._answers.not_started(row.worker_id, fence, reason, None)
        running = registration.model_copy(update={"running": held or ()})
        self._come_home(running, row.instance_id, link, row.home_since)

    def _resume_all(self, worker: Worker) -> None:
        """There is a new way to the worker: ask again for what it was told to begin."""
        for assignment in worker.assignments.values():
            record = self._dispatcher.engine.owned.get(assignment.execution_id)
            stage = record.execution.stages[assignment.stage] if record is not None else None
            if record is not None and stage is not None and stage.status is StageStatus.RUNNING:
                self._resume(worker, record, stage)

    def _resume(self, worker: Worker, record: Record, stage: Stage) -> None:
        """Tell the worker once more to begin, unless the call that told it is open still.

        One that is at it goes on, one that has ended says so again, one that knows nothing of it refuses. One that is
        called over HTTP and does not know attempts runs it once more. Either way one result is committed. And a guest's
        home learns who drives the execution now.
        """
        link, fence = worker.link, stage.fence
        if link is None or fence is None or (isinstance(link, CalledLink) and fence in link.open_calls()):
            return
        packet = self._dispatcher.process_packet(record, stage, fence)
        link.send(packet, packet.encoded())

    def adopt(self, record: Record) -> list[tuple[str, int]]:
        """Attempts that were alive under the former owner: their workers have a lease's time to be heard of.

        Returns worker and fence of those that are known not to be held any more.
        """
        execution, now, gone = record.execution, self._clock.monotonic(), list[tuple[str, int]]()
        for stage in execution.stages.values():
            if stage.status not in BEGUN or stage.fence is None or stage.worker_id is None:
                continue
            running = stage.status is StageStatus.RUNNING
            spec = execution.spec(stage.name)
            worker = self._dispatcher.fleet.expected(stage.worker_id)
            assignment = Assignment(
                execution_id=execution.execution_id,
                stage=stage.name,
                action=spec.action or "",
                fence=stage.fence,
                attempt=stage.attempt,
                offered_at=now - self._passed(stage),
                expires_at=now + self._pace.offer_expires,
                started_at=now if running else None,
                lease_until=now + self._pace.lease if running else None,
                timeout_at=now + self._time_left(stage, spec) if running else None,
                grace_until=now + self._pace.cancel_grace if stage.status is StageStatus.CANCELLING else None,
            )
            is_linked_here = worker.is_at_home and worker.since is not None and worker.link is not None
            if running and is_linked_here and worker.url is None and stage.fence not in worker.lent:
                # It dialled in since, and did not list it: its slot would have been kept.
                gone.append((worker.worker_id, stage.fence))
            elif running:
                self._resume(worker, record, stage)
            self._dispatcher.fleet.take(worker, assignment)
        return gone

    def give_back(self, gone: Sequence[tuple[str, int]]) -> None:
        """What adopted attempts' workers do not hold is offered again, uncharged."""
        for worker_id, fence in gone:
            self._answers.not_started(worker_id, fence, "it registered since, and does not hold the attempt", None)

    def _time_left(self, stage: Stage, spec: StageSpec) -> float:
        """Seconds until the attempt's timeout, which began under the former owner; a lease's time at least.

        It may have ended while nobody was there to take its result.
        """
        return max(spec.timeout.total_seconds() - self._passed(stage), self._pace.lease)

    def _passed(self, stage: Stage) -> float:
        """Seconds since the attempt began, by the machines' clocks."""
        return 0.0 if stage.started_at is None else max((self._clock.now() - stage.started_at).total_seconds(), 0.0)

    def connected(self, worker_id: str, link: Link) -> None:
        """The worker dialled in."""
        worker = self._dispatcher.fleet.get(worker_id)
        if worker is None:
            link.close("register first")
            return
        if worker.link is not link:
            self._cut_off(worker, "replaced by another link")
        worker.link, worker.facts.connected = link, True
        worker.last_seen = self._clock.monotonic()
        # What it left unanswered, it left so on a link that is no more.
        worker.faults = 0
        worker.facts.refusals.clear()
        self._dispatcher.forget_refusals_of(worker_id)
        self._resume_all(worker)
        log.info("worker.linked", worker_id=worker_id)
        self._dispatcher.unpark_all()

    def disconnected(self, worker_id: str, link: Link) -> None:
        """The link ended. Running attempts keep their leases: the worker may come back and go on."""
        worker = self._dispatcher.fleet.get(worker_id)
        if worker is None or worker.link is not link:
            return
        log.info("worker.unlinked", worker_id=worker_id, attempts=len(worker.assignments))
        self._cut_off(worker)

    def _cut_off(self, worker: Worker, reason: str | None = None) -> None:
        """The way to the worker is no more, and its offers are void; with a reason, the link is closed as well."""
        link, worker.link, worker.facts.connected = worker.link, None, False
        if link is None:
            return
        if reason is not None:
            link.close(reason)
        self._relay.left(worker)
        for assignment in list(worker.assignments.values()):
            if assignment.started_at is None and assignment.grace_until is None:
                self._answers.offer_unanswered(worker.worker_id, assignment.fence, "its link closed before it answered")

    async def drain(self, worker_id: str) -> bool:
        """Whether there is such a worker; it finishes what it holds and is offered nothing more."""
        known = await self._registry.drain(worker_id)
        worker = self._dispatcher.fleet.get(worker_id)
        if worker is not None:
            worker.facts.draining = True
            if worker.link is not None:
                packet = Drain()
                worker.link.send(packet, packet.encoded())
        return known

    # --------------------------------------------------------------------------------------------------- being alive

    def standing(self, worker: Worker) -> dict[str, Any]:
        """What the worker did that no honest one does, as documents show it."""
        return standing_document(worker.facts.standing, self._clock.monotonic())

    def beat(self, worker_id: str, heartbeat: Heartbeat) -> list[Directive] | None:
        """A heartbeat's directives; None for a worker that is not known here and has to register again."""
        worker = self._dispatcher.fleet.get(worker_id)
        if worker is None:
            return None
        # Also of one that is not known yet: what blocks its registration must not cost it the attempts it works at.
        self._answers.beat(worker, heartbeat)
        if not worker.known:
            return None
        if worker.is_at_home:
            self._relay.beat(worker, heartbeat)
        directives = [Directive(directive="drain")] if worker.facts.draining and not heartbeat.draining else []
        for key in heartbeat.running or ():
            record = self._dispatcher.engine.owned.get(key.execution_id)
            # An attempt of an execution that is not owned here may well be valid: its owner will say.
            if record is not None and key.fence not in worker.assignments:
                stale = {"execution_id": key.execution_id, "stage_id": key.stage_id, "fence": key.fence}
                directives.append(Directive.model_validate({"directive": "stop", **stale}))
        return directives

    def _called_link(self, registration: Registration) -> CalledLink:
        worker_id = registration.worker_id
        place = Place(registration.url or "", self._reach.transport, self._pace)
        if registration.packet_arrays:
            return ArrayLink(worker_id, place, self._receiver, self._tasks, self._clock, self.offended)
        return HttpLink(worker_id, place, self._receiver, self._tasks)

    @property
    def public_url(self) -> str:
        """Where this replica is reached."""
        return self._reach.public_url

    def _websocket_url(self, worker_id: str) -> str:
        return f"{self._reach.public_url.replace('http', 'ws', 1)}/api/workers/{worker_id}/link"


def registration_of(row: RegisteredWorker) -> Registration:
    return Registration(
        worker_id=row.worker_id,
        display_name=row.display_name,
        version=row.version,
        url=row.url,
        packet_arrays=row.packet_arrays,
        capabilities=row.capabilities,
        max_concurrent_executions=row.slots,
        labels=row.labels,
        resources=row.resources,
    )
