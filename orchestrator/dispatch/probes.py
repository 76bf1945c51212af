"""Workers that are reached by URL need not say that they live: they are asked, and any HTTP answer is life."""

import structlog

from orchestrator.core.document import stage_id
from orchestrator.dispatch.called_link import CalledLink
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Worker
from orchestrator.dispatch.link import Receiver
from orchestrator.dispatch.relay import Relay
from orchestrator.dispatch.tasks import Tasks

log = structlog.get_logger()


class Probes:
    """Keeps the leases of what workers reached by URL are at, for as long as they answer."""

    def __init__(self, dispatcher: Dispatcher, relay: Relay, receiver: Receiver, tasks: Tasks) -> None:
        self._dispatcher = dispatcher
        self._relay = relay
        self._receiver = receiver
        self._tasks = tasks
        self._clock = dispatcher.clock
        self._pace = dispatcher.pace

    def probe_quiet(self) -> None:
        """Ask those of whom, or of whose attempts, nothing was heard for a heartbeat's time."""
        now = self._clock.monotonic()
        for worker in self._dispatcher.fleet:
            link = worker.link
            if not isinstance(link, CalledLink):
                continue
            carried = set(link.open_calls())
            for fence in carried:
                # Who answers one request at a time cannot answer a probe meanwhile: the open call is its life.
                held = worker.assignments.get(fence)
                if held is not None and held.lease_until is not None:
                    held.lease_until = now + self._pace.lease
            self._relay.beat_of(worker, carried)
            attempts = self._begun(worker)
            # What it says of one attempt is no sign of the others: only an open call or a heartbeat is.
            has_silent = any(fence not in carried for _, _, fence in attempts)
            heard_at = min(worker.last_seen, worker.beaten_at) if has_silent else worker.last_seen
            if now - heard_at >= self._pace.heartbeat:
                self._tasks.create_task(self._probe(worker, link, attempts))

    def _begun(self, worker: Worker) -> list[tuple[str, str, int]]:
        """What the worker was told to begin: execution id, stage id and fence of each."""
        own = [
            (held.execution_id, stage_id(held.execution_id, held.stage), held.fence)
            for held in worker.assignments.values()
            if held.started_at is not None
        ]
        return own + [(key.execution_id, key.stage_id, key.fence) for key in self._relay.begun(worker)]

    async def _probe(self, worker: Worker, link: CalledLink, attempts: list[tuple[str, str, int]]) -> None:
        if await link.probe(attempts):
            if not worker.facts.connected:
                log.info("worker.reachable", worker_id=worker.worker_id)
                worker.facts.connected = True
                self._dispatcher.unpark_all()
            self._receiver.heard(worker.worker_id)
        elif worker.facts.connected and self._clock.monotonic() - worker.last_seen >= self._pace.lease:
            log.warning("worker.unreachable", worker_id=worker.worker_id)
            worker.facts.connected = False
