"""The workers as the HTTP API sees them: one desk for registration, heartbeats, links, drain and the list."""

from collections.abc import Collection, Sequence

from aiohttp import web

from orchestrator.core.document import instant
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.fleet import Fleet, Worker
from orchestrator.dispatch.home import Home
from orchestrator.dispatch.socket_link import serve_link
from orchestrator.store.workers import RegisteredWorker, WorkerRegistry
from protocol.packets import Directive, Heartbeat, Registered, Registration


class Workers:
    """What `/api/workers` calls. The registry says who there is, the fleet how those at home here are doing."""

    def __init__(self, home: Home, answers: Answers, fleet: Fleet, registry: WorkerRegistry) -> None:
        self._home = home
        self._answers = answers
        self._fleet = fleet
        self._registry = registry

    async def register(self, registration: Registration) -> Registered:
        return await self._home.register(registration)

    def beat(self, worker_id: str, heartbeat: Heartbeat) -> Sequence[Directive] | None:
        return self._home.beat(worker_id, heartbeat)

    async def drain(self, worker_id: str) -> bool:
        return await self._home.drain(worker_id)

    async def list(self) -> list[dict[str, object]]:
        return [self._document(row) for row in await self._registry.list()]

    async def find(self, worker_id: str) -> dict[str, object] | None:
        rows = await self._registry.list()
        return next((self._document(row) for row in rows if row.worker_id == worker_id), None)

    def actions(self) -> Collection[str]:
        return self._fleet.actions()

    async def serve(self, request: web.Request, worker_id: str) -> web.StreamResponse:
        return await serve_link(request, self._home, self._answers, worker_id)

    def _document(self, row: RegisteredWorker) -> dict[str, object]:
        worker = self._fleet.get(row.worker_id)
        document: dict[str, object] = {
            "workerId": row.worker_id,
            "instanceId": row.instance_id,
            "displayName": row.display_name,
            "version": row.version,
            "url": row.url,
            "capabilities": sorted(row.capabilities),
            "labels": row.labels,
            "home": row.home,
            "registeredAt": instant(row.registered_at),
        }
        if worker is not None and worker.known:
            return document | _doing(worker)
        status = "draining" if row.draining else "unreachable"
        return document | {"status": status, "slots": {"total": row.slots, "free": 0}, "load": None, "estimatesMs": {}}


def _doing(worker: Worker) -> dict[str, object]:
    facts = worker.facts
    return {
        "status": worker.status,
        "slots": {"total": facts.slots, "free": max(facts.free, 0)},
        "load": worker.load,
        "estimatesMs": dict(facts.expected_ms),
    }
