"""The simulated network: calls to replicas, and the links that workers dial.

Each direction of a link is first in, first out until a fault reorders it. A link that is cut off stays open on both
sides until a ping goes unanswered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from orchestrator.dispatch.replica import Replica
from protocol.codec import decode_worker_frame, encode_frame
from protocol.errors import ProtocolError
from protocol.packets import Offer, OrchestratorPacket, WorkerPacket
from tests.simulation.faults import Fault
from tests.simulation.world import Life, World, conclude

if TYPE_CHECKING:
    from tests.simulation.calling import Served
    from tests.simulation.checker import Checker
    from tests.simulation.replica import ReplicaProcess

T = TypeVar("T")

WAY: Final = 0.02
"""Seconds that a message takes, at most, when nothing is wrong."""
LONGEST_DELAY: Final = 4.0
PATIENCE: Final = 3.0
"""Seconds after which a caller gives up, and after which a ping that was not answered ends a link."""
LOSS: Final = 0.01
DUPLICATION: Final = 0.02
DELAY: Final = 0.02
REORDERING: Final = 0.02
TRUNCATION: Final = 0.006


class Unanswered(Exception):
    """No answer, or one that was lost: the outcome is unknown."""


class Caller(Protocol):
    """The worker's side of a link."""

    worker_id: str
    life: Life

    def receive(self, packet: OrchestratorPacket) -> None: ...

    def unlinked(self, link: "Link") -> None: ...


class Connection(Protocol):
    """What ends when one of its two ends does, or when the way between them is cut."""

    @property
    def ends(self) -> frozenset[str]: ...

    @property
    def is_open(self) -> bool: ...

    def end(self, after: float) -> None:
        """Both ends notice after so many seconds."""


class Network:
    """All ways between processes; they are known by their names."""

    def __init__(self, world: World, checker: "Checker") -> None:
        self.world = world
        self.checker = checker
        self.chance = world.chance.stream("network")
        self.links: list[Link] = []
        self.replicas: dict[str, ReplicaProcess] = {}
        self.served: dict[str, Served] = {}
        """Workers that are called, by their ids."""
        self.offers: list[tuple[str, Offer]] = []
        """What was offered so far, and to whom: lying workers overhear it."""
        self._connections: list[Connection] = []
        self._background: set[asyncio.Task[None]] = set()
        self._cut: dict[tuple[str, str], float] = {}

    def is_cut(self, one: str, other: str) -> bool:
        return self.world.loop.time() < self.cut_until(one, other)

    def cut_until(self, one: str, other: str) -> float:
        return self._cut.get((min(one, other), max(one, other)), 0.0)

    def cut(self, one: str, other: str, seconds: float) -> None:
        """Nothing passes between the two for a while, and neither is told."""
        self.world.fire(Fault.PARTITION, one, other, f"{seconds:.1f} s")
        self._cut[min(one, other), max(one, other)] = self.world.loop.time() + seconds
        for link in self.links:
            if {link.worker_id, link.process.name} == {one, other} and seconds > PATIENCE:
                link.end(PATIENCE)
        for connection in self._connections:
            if connection.ends == {one, other} and seconds > PATIENCE:
                connection.end(PATIENCE)

    def heal(self) -> None:
        self._cut.clear()

    def ended(self, process: "ReplicaProcess") -> None:
        """A replica died: its workers see their links break, at once or when nobody answers a ping."""
        for link in self.links:
            if link.process is process and link.is_open:
                link.end(0.0 if self.chance.happens(0.7) else PATIENCE)
        for connection in self._connections:
            if process.name in connection.ends and connection.is_open:
                connection.end(0.0 if self.chance.happens(0.7) else PATIENCE)

    def hang_up(self, name: str, after: float) -> None:
        """All connections of this process end; the other side notices after so many seconds."""
        for connection in self._connections:
            if name in connection.ends and connection.is_open:
                connection.end(after)

    def hold(self, connection: "Connection") -> None:
        """Know the connection, to end it when something happens to one of its ends."""
        self._connections = [*(other for other in self._connections if other.is_open), connection]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what belongs to no replica."""
        task = self.world.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.checker.fault_in_a_loop(error)

    async def call(self, caller: Life, process: "ReplicaProcess", request: Callable[[Replica], Awaitable[T]]) -> T:
        """What the replica answers; its exceptions come through. Raises `Unanswered` when that is not known."""
        outcome = self.world.loop.create_future()
        ways = (caller.name.partition("#")[0], process.name)

        def answered(value: object) -> None:
            caller.deliver(conclude, outcome, value)

        def arrived(ask: object) -> None:
            if process.replica is None or not process.serves:
                Channel(self, *ways, answered).send(Unanswered("connection refused"))
                return
            replica, life = process.replica, process.life

            async def serve() -> None:
                value: object
                try:
                    value = await request(replica)
                except Exception as error:
                    value = error
                life.deliver(Channel(self, *ways, answered).send, value)

            life.deliver(lambda: process.spawn(serve()))

        caller.deliver(Channel(self, *ways, arrived).send, None)
        caller.later(PATIENCE, partial(conclude, outcome, Unanswered("no answer in time")))
        return cast(T, await outcome)

    def dial(self, worker: Caller, process: "ReplicaProcess") -> "Link":
        """A link of the worker to the replica; it is up when the replica has been told."""
        link = Link(self, worker, process)
        self.links = [*(other for other in self.links if other.is_open), link]
        return link


class Channel:
    """One direction between two processes."""

    def __init__(self, network: Network, one: str, other: str, deliver: Callable[[Any], None]) -> None:
        self._network = network
        self._ends = (one, other)
        self._deliver = deliver
        self._last = 0.0

    def send(self, message: object) -> None:
        network = self._network
        world, chance = network.world, network.chance
        if network.is_cut(*self._ends):
            return
        copies, delay, is_reordered = 1, chance.random() * WAY, False
        if not world.is_calm:
            fate = chance.random()
            if fate < LOSS:
                world.fire(Fault.LOSS, *self._ends)
                return
            if fate < LOSS + DUPLICATION:
                world.fire(Fault.DUPLICATE, *self._ends)
                copies = 2
            elif fate < LOSS + DUPLICATION + DELAY:
                world.fire(Fault.DELAY, *self._ends)
                delay += chance.random() * LONGEST_DELAY
            elif fate < LOSS + DUPLICATION + DELAY + REORDERING:
                world.fire(Fault.REORDER, *self._ends)
                delay, is_reordered = delay + chance.random(), True
        at = world.loop.time() + delay
        if not is_reordered:
            at = self._last = max(self._last, at)
        for copy in range(copies):
            world.loop.call_at(at + copy * chance.random(), self._deliver, message)


class Link:
    """One connection that a worker dialled, as a socket would be: the replica's `Link`, and the worker's voice."""

    def __init__(self, network: Network, worker: Caller, process: "ReplicaProcess") -> None:
        self.worker_id = worker.worker_id
        self.process = process
        self.is_open = True
        self._network = network
        self._worker = worker
        self._worker_life, self._replica_life = worker.life, process.life
        self._replica = process.replica
        self._down = Channel(network, self.worker_id, process.name, self._reach_worker)
        self._up = Channel(network, self.worker_id, process.name, self._reach_replica)
        assert self._replica is not None
        self._replica_life.deliver(self._replica.home.connected, self.worker_id, self)

    # ------------------------------------------------------------------------------------------- the replica's side

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        def leave() -> None:
            self._network.world.trace.say(self.process.name, "->", self.worker_id, encoded.decode())
            self._network.checker.sent(self.process, self.worker_id, packet)
            if isinstance(packet, Offer):
                self._network.offers.append((self.worker_id, packet))
            self._down.send(packet)

        self._replica_life.deliver(leave)

    def close(self, reason: str) -> None:
        self._network.world.trace.say(self.process.name, "closes", self.worker_id, reason)
        self.end(0.0)

    # -------------------------------------------------------------------------------------------- the worker's side

    def say(self, packet: WorkerPacket) -> None:
        self._worker_life.deliver(self._up.send, packet)

    def end(self, after: float) -> None:
        """Both sides notice after so many seconds, each in its own time."""
        loop, chance = self._network.world.loop, self._network.chance
        loop.call_later(after + chance.random() * WAY, self._replica_life.deliver, self._end_for_replica)
        loop.call_later(after + chance.random() * WAY, self._worker_life.deliver, self._end_for_worker)

    def _end_for_replica(self) -> None:
        self.is_open = False
        if self._replica is not None:
            self._replica.home.disconnected(self.worker_id, self)

    def _end_for_worker(self) -> None:
        self.is_open = False
        self._worker.unlinked(self)

    def _reach_worker(self, packet: OrchestratorPacket) -> None:
        if self.is_open:
            self._worker_life.deliver(self._worker.receive, packet)

    def _reach_replica(self, packet: WorkerPacket) -> None:
        if not self.is_open:
            return
        world = self._network.world
        frame = encode_frame([packet])
        if not world.is_calm and self._network.chance.happens(TRUNCATION):
            world.fire(Fault.TRUNCATE, self.worker_id, self.process.name)
            frame = frame[: len(frame) // 2]
        try:
            packets = decode_worker_frame(frame)
        except ProtocolError:
            self.end(0.0)
            return
        world.trace.say(self.worker_id, "->", self.process.name, frame.decode())
        if self._replica is not None:
            self._replica_life.deliver(self._replica.reception.receive, self.worker_id, packets)
