"""A worker as a process: its lives, and the temper that says how it fails."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from tests.simulation.faults import Fault
from tests.simulation.network import Network
from tests.simulation.replica import ReplicaProcess
from tests.simulation.world import Life, World

ACTION: Final = "work"


class Temper(Enum):
    """How a worker fails."""

    HONEST = "honest"
    SLOW = "slow"
    CRASHING = "crashing"
    ZOMBIE = "zombie"
    LYING = "lying"
    REFUSING = "refusing"


class WorkerProcess:
    """One worker through its lives. Who inherits from it says what a life begins with, and how it is cut off."""

    def __init__(
        self,
        world: World,
        network: Network,
        replicas: Sequence[ReplicaProcess],
        worker_id: str,
        temper: Temper,
        slots: int,
    ) -> None:
        self.worker_id = worker_id
        self.temper = temper
        self.slots = slots
        self.life = Life(world, f"{worker_id}#0")
        self._world = world
        self._network = network
        self._replicas = replicas
        self._chance = world.chance.stream(worker_id)
        self._lives = 0

    def boot(self) -> None:
        """Begin a life with what an earlier one wrote down."""
        self._lives += 1
        self.life = Life(self._world, f"{self.worker_id}#{self._lives}")
        self._begin_life()

    def crash(self, fault: Fault | None = None) -> None:
        """End at once, and begin anew in a while."""
        if self.life.is_dead:
            return
        if fault is not None:
            self._world.fire(fault, self.life.name)
        self.life.die()
        self._hang_up(0.0 if self._chance.happens(0.7) else 1.0)
        self._world.loop.call_later(0.2 + 2 * self._chance.random(), self.boot)

    def stall(self, seconds: float) -> None:
        """Neither hear nor say anything, and go on as if nothing had happened."""
        life = self.life
        if not life.is_stalled:
            life.stall()
            self._world.loop.call_later(seconds, life.go_on)

    def _begin_life(self) -> None:
        raise NotImplementedError

    def _hang_up(self, after: float) -> None:
        """Whoever was connected with the life that ended notices after so many seconds."""
        raise NotImplementedError

    @property
    def _instance_id(self) -> str:
        return self.life.name.replace("#", ".")

    def _takes(self) -> float:
        """Seconds that an attempt will take."""
        takes = 0.1 + 0.9 * self._chance.random()
        return takes + 5 * self._chance.random() if self._misbehaves(Temper.SLOW, 0.5) else takes

    def _oversleeps(self) -> None:
        """A zombie does not hear for longer than a lease lasts."""
        if self._misbehaves(Temper.ZOMBIE, 0.4):
            self._world.fire(Fault.LATE, self.worker_id)
            self.stall(self._world.pace.lease * (1.0 + self._chance.random()))

    def _misbehaves(self, temper: Temper, probability: float) -> bool:
        return self.temper is temper and not self._world.is_calm and self._chance.happens(probability)
