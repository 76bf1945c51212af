"""A replica as a process: the real `Replica`, which can be killed, stalled, stopped and started again."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from orchestrator.core.template import Template
from orchestrator.dispatch.home import Reach
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import UNAVAILABLE
from tests.simulation.calling import SimulatedTransport
from tests.simulation.chance import CountedIds, SeededRandom
from tests.simulation.database import Connection, Server
from tests.simulation.faults import Fault
from tests.simulation.network import Network
from tests.simulation.peering import dialler
from tests.simulation.store import MemoryBlobs, Version, simulated_store
from tests.simulation.world import Life, LifeClock, World

RESTART_SECONDS: Final = 0.5
SKEW_SECONDS: Final = 3600.0


class ReplicaProcess:
    """One replica through its lives. `serves` is whether it answers calls."""

    def __init__(
        self,
        world: World,
        name: str,
        network: Network,
        server: Server,
        templates: Mapping[Version, Template],
        blobs: MemoryBlobs,
        ids: CountedIds,
    ) -> None:
        self.name = name
        self.replica: Replica | None = None
        self.serves = False
        self.life = Life(world, f"{name}#0")
        self._world = world
        self._network = network
        self._server = server
        self._templates = templates
        self._blobs = blobs
        self._ids = ids
        self._chance = world.chance.stream(name)
        self._lives = 0
        self._clock = LifeClock(world, self.life)
        self._armed: str | None = None
        self._background: set[asyncio.Task[None]] = set()
        network.replicas[name] = self

    def boot(self) -> None:
        """Begin a life under the same name."""
        self._lives += 1
        self.life = life = Life(self._world, f"{self.name}#{self._lives}")
        self._clock = LifeClock(self._world, life)
        self._armed = None
        replica = self.replica = Replica(
            replica_id=self.name,
            store=simulated_store(
                self._server.tables,
                Connection(self._world, self._server, life),
                self._templates,
                self._blobs,
                self.name,
            ),
            reach=Reach(
                SimulatedTransport(self._network, self, life),
                f"http://{self.name}",
                dial=dialler(self._network, self, life),
            ),
            clock=self._clock,
            ids=self._ids,
            random=SeededRandom(self._chance.stream(f"life {self._lives}")),
            failpoints=_Failpoints(self, life),
            pace=self._world.pace,
        )
        self._world.trace.say(life.name, "boots")
        self.spawn(self._start(replica, life))

    async def _start(self, replica: Replica, life: Life) -> None:
        try:
            await replica.start()
        except UNAVAILABLE:
            life.deliver(self._die)
        else:
            self.serves = self.life is life

    def kill(self) -> None:
        """SIGKILL; somebody starts it again."""
        if not self.life.is_dead:
            self._world.fire(Fault.KILL, self.life.name)
            self._die()

    def kill_at(self, place: str) -> None:
        """SIGKILL when the journal is at this failpoint the next time."""
        self._armed = place

    def stall(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so many seconds."""
        life = self.life
        if life.is_dead or life.is_stalled:
            return
        self._world.fire(Fault.STOP, life.name, f"{seconds:.1f} s")
        life.stall()
        self._world.loop.call_later(seconds, life.go_on)

    def terminate(self) -> None:
        """SIGTERM: a clean stop, and another life after it."""
        if self.replica is None or not self.serves or self.life.is_stalled:
            return
        self._world.fire(Fault.TERM, self.life.name)
        self.serves = False
        self.spawn(self._stop(self.replica, self.life))

    def skew_clock(self) -> None:
        """The wall clock is an hour off, from now on or no longer."""
        self._world.fire(Fault.WALL_CLOCK, self.life.name)
        self._clock.skew_seconds = self._chance.choice((-SKEW_SECONDS, 0.0, SKEW_SECONDS))

    def heal(self) -> None:
        """Be there again, and with the right time."""
        self._armed = None
        self._clock.skew_seconds = 0.0
        if self.life.is_stalled:
            self.life.go_on()

    def reached(self, place: str) -> bool:
        """Whether the life ends at this failpoint."""
        if self._armed != place or self._world.is_calm:
            return False
        self._world.fire(
            Fault.KILL_BEFORE_REPLY if place == "journal.after_flush" else Fault.KILL, self.life.name, place
        )
        self._die()
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._world.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _stop(self, replica: Replica, life: Life) -> None:
        await replica.stop()
        life.deliver(self._die)

    def _die(self) -> None:
        self._world.trace.say(self.life.name, "ends")
        self.life.die()
        self.serves = False
        self.replica = None
        self._network.ended(self)
        self._world.loop.call_later(RESTART_SECONDS + self._chance.random(), self.boot)


class _Failpoints:
    """The seam `Failpoints` of one life."""

    def __init__(self, process: ReplicaProcess, life: Life) -> None:
        self._process = process
        self._life = life

    async def hit(self, name: str) -> None:
        if not self._life.is_dead and self._process.reached(name):
            await asyncio.get_running_loop().create_future()
