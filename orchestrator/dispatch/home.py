"""This replica as the home of workers: they register, open and close links, beat, are probed, drain.

Others' workers come as guests: their homes present them, and here they are known like any other.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import structlog
from yarl import URL

from orchestrator.core.placement import Refusal
from orchestrator.core.requests import Crowded, RegistrationRefused
from orchestrator.core.seams import Clock, Ids
from orchestrator.core.stage import Stage, StageStatus
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
from orchestrator.store.record import Record
from orchestrator.store.workers import RegisteredWorker, WorkerRegistry
from protocol.packets import PROTOCOL_VERSION, Directive, Drain, Heartbeat, Registered, Registration

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
            _check_url(registration.url)
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
        if before is not None and before.is_at_home:
            self._relay.moved(before)
        worker = self._enter(guest.registration, guest.registration.instance_id or "", None)
        worker.home, worker.since = home, guest.since
        worker.facts.is_guest = True
        worker.facts.one_stage_of_an_execution = guest.one_stage_of_an_execution
        self._dispatcher.fleet.grant(worker, 0)
        self.connected(guest.worker_id, link)
        if worker.url is not None:
            self._resume_over_http(worker)

    def _enter(self, registration: Registration, instance_id: str, link: CalledLink | None) -> Worker:
        before = self._dispatcher.fleet.get(registration.worker_id)
        if before is not None and before.home is not None:
            # The way through another home is not the way to it any more.
            before.link, before.facts.connected = None, False
        old_link = before.link if before is not None else None
        now = self._clock.monotonic()
        worker, replaced = self._dispatcher.fleet.enter(registration, instance_id, now, self._clock.now())
        held = {key.fence for key in registration.running}
        for assignment in list(worker.assignments.values()):
            if assignment.fence in held:
                if assignment.lease_until is not None:
                    assignment.lease_until = now + self._pace.lease
            elif replaced:
                self._answers.lost(worker, assignment, f"worker {worker.worker_id} was started anew")
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
            self._resume_over_http(worker)
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
            if known is not None and known.is_at_home:
                continue
            registration = registration_of(row)
            link = self._called_link(registration)
            worker = self._come_home(registration, row.instance_id, link, row.home_since)
            self._tasks.create_task(self._readopt(worker, link))

    async def _readopt(self, worker: Worker, link: CalledLink) -> None:
        """Ask the worker what it holds: the rest goes back to be offered, uncharged; others' attempts take its slots.

        One that cannot be asked is taken at its answer to `process`, which it has been sent again.
        """
        begun = [fence for fence, held in worker.assignments.items() if held.started_at is not None]
        held = await link.held()
        if held is None or worker.link is not link:
            return
        fences = {key.fence for key in held}
        for fence in begun:
            if fence not in fences:
                reason = "it was asked, and does not hold the attempt"
                self._answers.not_started(worker.worker_id, fence, reason, None)
        self._relay.registered(worker, held, replaced=False)

    def _resume_over_http(self, worker: Worker) -> None:
        """The call that carried an attempt died with its caller: ask for it again.

        A worker that knows attempts joins the one that runs; one that does not runs it once more. Either way one
        result is committed.
        """
        for assignment in worker.assignments.values():
            record = self._dispatcher.engine.owned.get(assignment.execution_id)
            stage = record.execution.stages[assignment.stage] if record is not None else None
            if worker.link and record is not None and stage is not None and stage.status is StageStatus.RUNNING:
                packet = self._dispatcher.process_packet(record, stage, assignment.fence)
                worker.link.send(packet, packet.encoded())

    def adopt(self, record: Record) -> None:
        """Attempts that were alive under the former owner: their workers have a lease's time to be heard of."""
        execution, now = record.execution, self._clock.monotonic()
        for stage in execution.stages.values():
            if not stage.is_live or stage.fence is None or stage.worker_id is None:
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
            self._dispatcher.fleet.take(worker, assignment)

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
        if worker.link is not None and worker.link is not link:
            worker.link.close("replaced by another link")
        worker.link, worker.facts.connected = link, True
        worker.last_seen = self._clock.monotonic()
        log.info("worker.linked", worker_id=worker_id)
        self._dispatcher.unpark_all()

    def disconnected(self, worker_id: str, link: Link) -> None:
        """The link ended. Running attempts keep their leases: the worker may come back and go on."""
        worker = self._dispatcher.fleet.get(worker_id)
        if worker is None or worker.link is not link:
            return
        worker.link, worker.facts.connected = None, False
        log.info("worker.unlinked", worker_id=worker_id, attempts=len(worker.assignments))
        self._relay.left(worker)
        for assignment in list(worker.assignments.values()):
            if assignment.started_at is None and assignment.grace_until is None:
                self._answers.offer_unanswered(worker_id, assignment.fence, "its link closed before it answered")

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


def _check_url(url: str) -> None:
    try:
        parsed = URL(url)
    except ValueError as error:
        raise RegistrationRefused("url", f"{url} is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise RegistrationRefused("url", f"{url} is not an http or https URL with a host")
    if parsed.user or parsed.password or parsed.query_string or parsed.fragment:
        raise RegistrationRefused("url", "credentials, a query or a fragment are not allowed in a worker's URL")


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
