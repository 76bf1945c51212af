"""The workers as the HTTP API sees them: one desk for registration, heartbeats, links, drain and the list."""

import asyncio
from collections.abc import Collection, Sequence

from aiohttp import web

from orchestrator.core.document import instant
from orchestrator.core.standing import GOOD, Offence, standing_document
from orchestrator.dispatch.array_link import ArrayLink
from orchestrator.dispatch.fleet import Fleet, Worker
from orchestrator.dispatch.guests import Guests
from orchestrator.dispatch.home import Home
from orchestrator.dispatch.link import Receiver
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.peer_link import serve_peer
from orchestrator.dispatch.peers import Peers
from orchestrator.dispatch.socket_link import serve_link
from orchestrator.store.workers import RegisteredWorker, WorkerRegistry
from protocol.codec import LARGE_BYTES, sift_worker_frame
from protocol.errors import ProtocolError
from protocol.packets import Cancel, Directive, Drain, Heartbeat, OrchestratorPacket, Registered, Registration


class Workers:
    """What `/api/workers` calls. The registry says who there is, the fleet how those at home here are doing."""

    def __init__(
        self,
        home: Home,
        receiver: Receiver,
        fleet: Fleet,
        registry: WorkerRegistry,
        guests: Guests,
        peers: Peers,
        replica_id: str,
        pace: Pace,
    ) -> None:
        self._home = home
        self._receiver = receiver
        self._fleet = fleet
        self._registry = registry
        self._guests = guests
        self._peers = peers
        self._replica_id = replica_id
        self._pace = pace

    async def register(self, registration: Registration) -> Registered:
        registered = await self._home.register(registration)
        others = self._peers.urls()
        if not others:
            return registered
        return registered.model_copy(update={"orchestrators": (self._home.public_url, *others)})

    def beat(self, worker_id: str, heartbeat: Heartbeat) -> Sequence[Directive] | None:
        return self._home.beat(worker_id, heartbeat)

    async def take(self, worker_id: str, frame: bytes) -> tuple[bytes, Sequence[ProtocolError]] | None:
        """The frame that answers the worker's, and what is wrong with the packets that were not taken.

        None for a worker that does not take arrays here and has to register. Raises `ProtocolError` for a frame of
        which nothing was taken.
        """
        sifted = (
            await asyncio.to_thread(sift_worker_frame, frame) if len(frame) > LARGE_BYTES else sift_worker_frame(frame)
        )
        worker = self._fleet.get(worker_id)
        if worker is None or not isinstance(worker.link, ArrayLink):
            return None
        self._receiver.receive(worker_id, [each for each in sifted.packets if not isinstance(each, Heartbeat)])
        for packet in sifted.packets:
            if isinstance(packet, Heartbeat):
                for directive in self._home.beat(worker_id, packet) or ():
                    told = packet_of(directive)
                    worker.link.send(told, told.encoded())
        return worker.link.take_repeatable(), sifted.faults

    async def drain(self, worker_id: str) -> bool:
        return await self._home.drain(worker_id)

    async def list(self) -> list[dict[str, object]]:
        return [self._document(row) for row in await self._registry.list()]

    async def find(self, worker_id: str) -> dict[str, object] | None:
        rows = await self._registry.list()
        return next((self._document(row) for row in rows if row.worker_id == worker_id), None)

    def offended(self, worker_id: str, offence: Offence) -> None:
        self._home.offended(worker_id, offence)

    def actions(self) -> Collection[str]:
        return self._fleet.actions()

    async def serve(self, request: web.Request, worker_id: str) -> web.StreamResponse:
        return await serve_link(request, self._home, self._receiver, worker_id)

    async def serve_peer(self, request: web.Request, replica_id: str, peer_id: str) -> web.StreamResponse | None:
        """Hold the WebSocket of a replica that means this one, from its upgrade to its end; None for another's."""
        if replica_id != self._replica_id:
            return None
        return await serve_peer(request, self._guests, peer_id, self._pace.lease / 3)

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
            return document | _doing(worker, row.slots) | {"standing": self._home.standing(worker)}
        status = "draining" if row.draining else "unreachable"
        unknown = {"load": None, "estimatesMs": {}, "staleResults": 0, "standing": standing_document(GOOD, 0.0)}
        return document | {"status": status, "slots": {"total": row.slots, "free": 0}} | unknown


def packet_of(directive: Directive) -> OrchestratorPacket:
    """What a heartbeat's answer says, as a packet."""
    if directive.directive == "drain":
        return Drain()
    return Cancel.model_validate(directive.model_dump(exclude={"directive"}) | {"reason": "stale"})


def _doing(worker: Worker, slots: int) -> dict[str, object]:
    """Of a guest, `free` are the slots that its home has for this replica."""
    facts = worker.facts
    return {
        "status": worker.status,
        "slots": {"total": slots, "free": max(facts.free, 0)},
        "load": worker.load,
        "estimatesMs": dict(facts.expected_ms),
        "staleResults": worker.stale_results,
    }
