"""Signs of life of workers that are called over HTTP and say nothing by themselves."""

import structlog

from orchestrator.core.document import stage_id
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Worker
from orchestrator.dispatch.http_link import HttpLink
from orchestrator.dispatch.link import Receiver
from orchestrator.dispatch.relay import Relay
from orchestrator.dispatch.tasks import Tasks

log = structlog.get_logger()


class Probes:
    """Asks quiet workers whether they are there, and what they work at."""

    def __init__(self, dispatcher: Dispatcher, relay: Relay, receiver: Receiver, tasks: Tasks) -> None:
        self._dispatcher = dispatcher
        self._fleet = dispatcher.fleet
        self._clock = dispatcher.clock
        self._pace = dispatcher.pace
        self._relay = relay
        self._receiver = receiver
        self._tasks = tasks

    def probe_quiet(self) -> None:
        """Ask workers reached by URL that were not heard of for a heartbeat's time. Any HTTP answer is life."""
        now = self._clock.monotonic()
        for worker in self._fleet:
            if not isinstance(worker.link, HttpLink):
                continue
            for fence in worker.link.open_calls():
                # Who answers one request at a time cannot answer a probe meanwhile: the open call is its life.
                held = worker.assignments.get(fence)
                if held is not None and held.lease_until is not None:
                    held.lease_until = now + self._pace.lease
            self._relay.beat_of(worker, worker.link.open_calls())
            if now - worker.last_seen >= self._pace.heartbeat:
                self._tasks.create_task(self._probe(worker, worker.link))

    async def _probe(self, worker: Worker, link: HttpLink) -> None:
        attempts = [
            (held.execution_id, stage_id(held.execution_id, held.stage), held.fence)
            for held in worker.assignments.values()
            if held.started_at is not None
        ]
        attempts += [(key.execution_id, key.stage_id, key.fence) for key in self._relay.begun(worker)]
        if await link.probe(attempts):
            if not worker.facts.connected:
                log.info("worker.reachable", worker_id=worker.worker_id)
                worker.facts.connected = True
                self._dispatcher.unpark_all()
            self._receiver.heard(worker.worker_id)
        elif worker.facts.connected and self._clock.monotonic() - worker.last_seen >= self._pace.lease:
            log.warning("worker.unreachable", worker_id=worker.worker_id)
            worker.facts.connected = False
