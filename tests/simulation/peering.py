"""The simulated connections between replicas: frames whole and in order, as over a WebSocket, until it ends.

Nothing is lost on an open connection: what a network loses ends it, and what it holds up comes later.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from orchestrator.dispatch.peer_link import Dial, PeerSocket
from orchestrator.dispatch.peer_messages import ToWorker, decode_from_owner
from protocol.packets import Offer
from tests.simulation.faults import Fault
from tests.simulation.network import DELAY, LONGEST_DELAY, LOSS, PATIENCE, WAY, Network
from tests.simulation.world import Life, World, conclude

if TYPE_CHECKING:
    from tests.simulation.replica import ReplicaProcess


def dialler(network: Network, process: "ReplicaProcess", life: Life) -> Dial:
    """How this life of the replica dials the others."""

    @asynccontextmanager
    async def dial(url: str, peer_id: str) -> AsyncIterator[PeerSocket]:
        world, peer = network.world, network.replicas[peer_id]
        is_cut = network.is_cut(process.name, peer_id)
        reached = world.loop.create_future()
        after = PATIENCE if is_cut else network.chance.random() * WAY
        world.loop.call_later(after, life.deliver, conclude, reached, None)
        await reached
        if is_cut:
            raise TimeoutError(f"{url} does not answer")
        if peer.replica is None or not peer.serves:
            raise ConnectionRefusedError(f"nobody listens at {url}")
        connection = Connection(network, process, life, peer, peer.life)
        guests = peer.replica.guests

        async def serve() -> None:
            try:
                await guests.serve(process.name, connection.answering)
            finally:
                connection.end(0.0)

        peer.life.deliver(lambda: peer.spawn(serve()))
        try:
            yield connection.dialling
        finally:
            connection.end(0.0)

    return dial


class Connection:
    """One connection between two lives."""

    def __init__(
        self,
        network: Network,
        dialling: "ReplicaProcess",
        dialling_life: Life,
        answering: "ReplicaProcess",
        answering_life: Life,
    ) -> None:
        self.ends = frozenset({dialling.name, answering.name})
        self.is_open = True
        self.dialling = End(self, dialling_life)
        self.answering = End(self, answering_life)
        self._network = network
        self._last = {id(self.dialling): 0.0, id(self.answering): 0.0}
        network.hold(self)

    def carry(self, sender: "End", frame: bytes) -> None:
        network, receiver = self._network, self.answering if sender is self.dialling else self.dialling
        world: World = network.world
        if sender is self.answering:
            for message in decode_from_owner(frame):
                if isinstance(message, ToWorker) and isinstance(message.packet, Offer):
                    network.checker.offered(message.worker_id, message.packet)
        delay = network.chance.random() * WAY
        fate = 1.0 if world.is_calm else network.chance.random()
        if fate < LOSS:
            world.fire(Fault.LOSS, *sorted(self.ends))
            self.end(0.0)
            return
        if fate < LOSS + DELAY:
            world.fire(Fault.DELAY, *sorted(self.ends))
            delay += network.chance.random() * LONGEST_DELAY
        at = max(world.loop.time() + delay, self._last[id(sender)], network.cut_until(*self.ends))
        self._last[id(sender)] = at
        world.loop.call_at(at, receiver.arrive, frame)

    def end(self, after: float) -> None:
        """Both ends notice after so many seconds, each in its own time."""
        loop, chance = self._network.world.loop, self._network.chance
        for one in (self.dialling, self.answering):
            loop.call_later(after + chance.random() * WAY, one.end)
        self.is_open = False


class End:
    """The `PeerSocket` of one life."""

    def __init__(self, connection: Connection, life: Life) -> None:
        self._connection = connection
        self._life = life
        self._frames: deque[bytes] = deque()
        self._is_closed = False
        self._due = asyncio.Event()

    async def send(self, frame: bytes) -> None:
        if self._is_closed:
            raise ConnectionResetError("the connection has ended")
        self._life.deliver(self._connection.carry, self, frame)

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            while self._frames:
                yield self._frames.popleft()
            if self._is_closed:
                return
            self._due.clear()
            await self._due.wait()

    def arrive(self, frame: bytes) -> None:
        self._life.deliver(self._hear, frame)

    def _hear(self, frame: bytes) -> None:
        if not self._is_closed:
            self._frames.append(frame)
            self._due.set()

    async def close(self) -> None:
        self._connection.end(0.0)

    def end(self) -> None:
        """This end notices that the connection is over."""
        self._life.deliver(self._close)

    def _close(self) -> None:
        self._is_closed = True
        self._due.set()
