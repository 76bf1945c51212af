"""Routes of the workers themselves: they register, beat, dial in and drain. Anybody who may call sees who they are."""

from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field, RootModel

from orchestrator.core.standing import Offence
from orchestrator.web.call import Call, answer
from orchestrator.web.identity import forbidden
from orchestrator.web.refusal import Detail, Refused
from protocol.codec import loads
from protocol.errors import ProtocolError
from protocol.packets import Heartbeat, Identifier, OrchestratorPacket, Registration, WorkerPacket


class Introduction(Registration):
    """A registration in which the worker's id may be left to the header X-Worker-ID."""

    worker_id: Identifier = Field("", validate_default=False)


class WorkerPackets(RootModel[list[WorkerPacket]]):
    """An array of a worker's packets."""


class OrchestratorPackets(RootModel[list[OrchestratorPacket]]):
    """An array of the orchestrator's packets."""


async def register(call: Call, registration: Registration) -> web.Response:
    """`POST /api/workers`."""
    call.bound_to(registration.worker_id)
    return await _registered(call, registration)


async def introduce(call: Call, introduction: Introduction) -> web.Response:
    """`POST /api/handshake`: protocol and capabilities in, registration out."""
    worker_id = call.bound_to(introduction.worker_id or call.worker_id)
    fields = introduction.model_dump() | {"worker_id": worker_id}
    return await _registered(call, Registration.model_validate(fields))


async def beat(call: Call, heartbeat: Heartbeat) -> web.Response:
    """`POST /api/workers/{workerId}/heartbeat`."""
    worker_id = call.bound_to(call.named("workerId"))
    directives = call.services.workers.beat(worker_id, heartbeat)
    if directives is None:
        raise _unknown(worker_id)
    return answer({"directives": [directive.document() for directive in directives]})


async def take(call: Call, frame: bytes) -> web.Response:
    """`POST /api/workers/{workerId}/packets`: each packet is dealt with for itself."""
    worker_id = call.bound_to(call.named("workerId"))
    try:
        taken = await call.services.workers.take(worker_id, frame)
    except ProtocolError as error:
        call.services.workers.offended(worker_id, Offence.MALFORMED)
        raise Refused(400, error.code, str(error), [_fault(error)]) from None
    if taken is None:
        raise _unknown(worker_id)
    answered, faults = taken
    if faults:
        call.services.workers.offended(worker_id, Offence.MALFORMED)
        message = f"{faults[0]} (of the array's packets, {len(faults)} were not taken, and all others were)"
        raise Refused(422, "malformed_packet", message, [*map(_fault, faults)], beside={"packets": loads(answered)})
    return web.Response(body=answered, content_type="application/json")


async def listing(call: Call) -> web.Response:
    """`GET /api/workers`."""
    return answer({"workers": await call.services.workers.list()})


async def read(call: Call) -> web.Response:
    """`GET /api/workers/{workerId}`."""
    worker_id = call.named("workerId")
    document = await call.services.workers.find(worker_id)
    if document is None:
        raise _unknown(worker_id)
    return answer(document)


async def drain(call: Call) -> web.Response:
    """`DELETE /api/workers/{workerId}`: it finishes what it holds and is offered nothing more."""
    worker_id = call.bound_to(call.named("workerId"))
    if not await call.services.workers.drain(worker_id):
        raise _unknown(worker_id)
    return answer({"workerId": worker_id, "status": "draining"}, 202)


async def link(call: Call) -> web.StreamResponse:
    """`GET /api/workers/{workerId}/link`: the WebSocket that a registered worker dials."""
    worker_id = call.bound_to(call.named("workerId"))
    _refuse_other_origins(call.request)
    if await call.services.workers.find(worker_id) is None:
        raise _unknown(worker_id)
    return await call.services.workers.serve(call.request, worker_id)


async def peer_link(call: Call) -> web.StreamResponse:
    """`GET /api/replicas/{replicaId}/link`: the WebSocket that another replica dials, as the home of its workers."""
    _refuse_other_origins(call.request)
    replica_id = call.named("replicaId")
    served = await call.services.workers.serve_peer(call.request, replica_id, call.worker_id)
    if served is None:
        raise Refused(404, "unknown_replica", f"this is not the replica {replica_id}")
    return served


async def _registered(call: Call, registration: Registration) -> web.Response:
    registered = await call.services.workers.register(registration)
    location = f"/api/workers/{registered.worker_id}"
    return answer(registered.document(), 201, {"Location": location})


def _refuse_other_origins(request: web.Request) -> None:
    """A browser says where its page came from; a page of another site has no business here, whatever it carries."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise forbidden("a page of another origin may not open this")


def _fault(error: ProtocolError) -> Detail:
    return {"path": error.path, "message": error.message}


def _unknown(worker_id: str) -> Refused:
    return Refused(404, "unknown_worker", f"no worker {worker_id} is registered here: register first")
