"""The simulated HTTP calls of replicas to workers: a request and its answer over a connection that can break.

Nothing is lost or repeated on an open connection: what a network loses ends it, and what it holds up comes later.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from yarl import URL

from orchestrator.dispatch.transport import Reply, TooLong
from protocol.codec import loads
from protocol.packets import Ack, Offer, OrchestratorPacket, Process
from tests.simulation.faults import Fault
from tests.simulation.network import DELAY, LONGEST_DELAY, LOSS, PATIENCE, WAY, Network
from tests.simulation.world import Life, conclude

if TYPE_CHECKING:
    from tests.simulation.replica import ReplicaProcess


class Served(Protocol):
    """A worker that is called."""

    worker_id: str
    life: Life

    def serve(self, call: "HttpCall") -> None:
        """Answer the call, now or later, or never."""


class SimulatedTransport:
    """The `Transport` of one life of a replica; a URL's host is the worker's id."""

    def __init__(self, network: Network, process: "ReplicaProcess", life: Life) -> None:
        self._network = network
        self._process = process
        self._life = life

    async def call(self, method: str, url: URL, body: bytes | None, *, max_bytes: int, timeout: float | None) -> Reply:
        worker = self._network.served[url.host or ""]
        call = HttpCall(self._network, self._process.name, self._life, worker, method, url.path, body)
        self._life.deliver(self._send, call)
        if timeout is not None:
            self._life.later(timeout, partial(conclude, call.outcome, TimeoutError()))
        reply = cast(Reply, await call.outcome)
        if len(reply.body) > max_bytes:
            raise TooLong
        return reply

    def _send(self, call: "HttpCall") -> None:
        packet = call.packet()
        if packet is not None:
            self._network.checker.called(self._process, call.worker.worker_id, packet)
        if isinstance(packet, Offer):
            self._network.offers.append((call.worker.worker_id, packet))
        call.send()


class HttpCall:
    """One call: `outcome` is what the caller sees of it, a `Reply` or the fault of a connection."""

    def __init__(
        self, network: Network, caller: str, life: Life, worker: Served, method: str, path: str, body: bytes | None
    ) -> None:
        self.worker = worker
        self.method = method
        self.path = path
        self.body = body or b""
        self.ends = frozenset({caller, worker.worker_id})
        self.is_open = True
        self.outcome = network.world.loop.create_future()
        self._network = network
        self._ways = (caller, worker.worker_id)
        self._life = life
        network.hold(self)

    def document(self) -> dict[str, Any]:
        return cast(dict[str, Any], loads(self.body))

    def packet(self) -> OrchestratorPacket | None:
        """What the call says to the worker, if it is an offer, a process, or the ack of a result that was taken."""
        match self.path:
            case "/api/handshake":
                return Offer.model_validate(self.document())
            case "/api/process":
                return Process.model_validate(self.document())
            case "/api/acknowledge":
                document = self.document()
                return (
                    Ack.model_validate(document | {"status": "committed"})
                    if document["status"] == "processed"
                    else None
                )
        return None

    def send(self) -> None:
        self._network.world.trace.say(self._ways[0], "calls", self._ways[1], self.path, self.body.decode())
        self._travel(self._arrive)

    def respond(self, status: int, body: bytes = b"", retry_after_ms: int | None = None) -> None:
        self._network.world.trace.say(self._ways[1], "answers", self._ways[0], self.path, status, body.decode())
        self._travel(partial(self._over, Reply(status, body, retry_after_ms)))

    def end(self, after: float) -> None:
        """The connection breaks; the caller notices after so many seconds, if it was not answered before."""
        world = self._network.world
        broken = ConnectionResetError("the connection broke")
        world.loop.call_later(after + self._network.chance.random() * WAY, self._over, broken)

    def _arrive(self) -> None:
        if self.worker.life.is_dead:
            self.end(0.0)
        else:
            self.worker.life.deliver(self.worker.serve, self)

    def _over(self, outcome: object) -> None:
        self.is_open = False
        self._life.deliver(conclude, self.outcome, outcome)

    def _travel(self, arrive: Any) -> None:
        network, world = self._network, self._network.world
        if network.is_cut(*self._ways):
            self.end(PATIENCE)
            return
        delay = network.chance.random() * WAY
        fate = 1.0 if world.is_calm else network.chance.random()
        if fate < LOSS:
            world.fire(Fault.LOSS, *self._ways)
            self.end(0.0)
            return
        if fate < LOSS + DELAY:
            world.fire(Fault.DELAY, *self._ways)
            delay += network.chance.random() * LONGEST_DELAY
        world.loop.call_later(delay, arrive)
