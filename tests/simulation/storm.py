"""The weather of a simulation: which faults of processes, database and network strike when, drawn from the seed."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.database import Server
from tests.simulation.faults import Fault
from tests.simulation.network import Network
from tests.simulation.replica import ReplicaProcess
from tests.simulation.worker_process import WorkerProcess
from tests.simulation.world import World

STRIKES: Final = 14


class Storm:
    """Faults until `seconds` have passed; then everything is mended."""

    def __init__(
        self,
        world: World,
        network: Network,
        server: Server,
        replicas: Sequence[ReplicaProcess],
        workers: Sequence[WorkerProcess],
    ) -> None:
        self._world = world
        self._network = network
        self._server = server
        self._replicas = replicas
        self._workers = workers
        self._chance = world.chance.stream("storm")

    def begin(self, seconds: float) -> None:
        for _ in range(STRIKES):
            strike = self._chance.choice(self._strikes())
            self._world.loop.call_later(1 + self._chance.random() * (seconds - 1), strike)
        self._world.loop.call_later(seconds, self._end)

    def _strikes(self) -> tuple[Callable[[], None], ...]:
        lease = self._world.pace.lease
        chance, server = self._chance, self._server
        replica, worker = chance.choice(self._replicas), chance.choice(self._workers)
        peers = [one.name for one in self._replicas if one is not replica]
        neighbour = chance.choice(peers or [worker.worker_id])
        seconds = 0.2 + 2.5 * chance.random()
        return (
            replica.kill,
            lambda: replica.kill_at("journal.before_flush"),
            lambda: replica.kill_at("journal.after_flush"),
            lambda: replica.stall(lease * (0.5 + 1.5 * chance.random())),
            (lambda: server.depose(replica.name, neighbour)) if peers else replica.kill,
            replica.terminate,
            replica.skew_clock,
            self._restart_fleet,
            lambda: server.crash(Fault.DATABASE_KILL, seconds),
            lambda: server.crash(Fault.DATABASE_RESTART, 0.2),
            lambda: server.refuse_writes(Fault.DISK_FULL, seconds),
            lambda: server.refuse_writes(Fault.READ_ONLY, seconds),
            lambda: server.slow_down(2 * seconds),
            lambda: self._network.cut(worker.worker_id, replica.name, 3 * seconds),
            lambda: self._network.cut(neighbour, replica.name, 3 * seconds),
        )

    def _restart_fleet(self) -> None:
        self._world.fire(Fault.FLEET)
        for worker in self._workers:
            worker.crash()

    def _end(self) -> None:
        self._world.trace.say("the storm is over")
        self._world.is_calm = True
        self._server.heal()
        self._network.heal()
        for replica in self._replicas:
            replica.heal()
        for worker in self._workers:
            worker.life.go_on()
