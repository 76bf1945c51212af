"""One seed's history: a cluster, its storm, and what the checker says of it.

The same seed gives the same history, whatever the machine and PYTHONHASHSEED; its digest shows it.
"""

import asyncio
import gc
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from orchestrator.core.events import ResumeRequested, SignalReceived
from orchestrator.core.template import Template, parse_template
from tests.simulation.chance import Chance, CountedIds
from tests.simulation.checker import Checker, Violation
from tests.simulation.client import CLIENT, SimulatedClient
from tests.simulation.database import Server
from tests.simulation.faults import Fault
from tests.simulation.http_worker import HttpWorker
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network
from tests.simulation.replica import ReplicaProcess
from tests.simulation.store import MemoryBlobs, Version
from tests.simulation.storm import Storm
from tests.simulation.tables import Tables
from tests.simulation.trace import Trace
from tests.simulation.worker import SimulatedWorker
from tests.simulation.worker_process import Temper, WorkerProcess
from tests.simulation.world import World

MOST_REPLICAS: Final = 3
CLIENTS: Final = 2
EXECUTIONS: Final = 5
"""Of each client, before retries."""
DIALLING: Final = 0.6
"""How probable it is that a worker dials; the others are called over HTTP."""
STORM_SECONDS: Final = 14.0
BOUND_SECONDS: Final = 60.0
"""So long after the last fault every execution has ended."""
UNEXPECTED: Final = frozenset({"loop.failed", "task.failed", "journal.refused"})
"""What the orchestrator logs and goes on from, but which no injected fault gives a reason for."""

_STAGE: Final = "with: {value: 1, poison: '${input.poison}'}"
_SOURCES: Final = (
    f"template: single\nstages:\n  only: {{action: work, timeout: 4s, {_STAGE}}}\n",
    f"""template: chain
stages:
  one: {{action: work, timeout: 4s, {_STAGE}}}
  two: {{needs: [one], action: work, timeout: 4s, with: {{value: "${{stages.one.output.value}}"}}}}
""",
    """template: diamond
stages:
  first: {action: work, timeout: 4s, with: {value: 1}}
  left: {needs: [first], action: work, timeout: 4s, with: {value: "${stages.first.output.value}"}}
  middle: {needs: [first], action: work, timeout: 4s, with: {value: 7, poison: "${input.poison}"}}
  right: {needs: [first], action: work, timeout: 4s, with: {value: "${stages.first.output.value}"}}
  last: {needs: [left, middle, right], action: work, timeout: 4s, with: {value: "${stages.middle.output.value}"}}
""",
    """template: approval
stages:
  asked: {wait: {signal: approved, timeout: 20s}}
  done: {needs: [asked], action: work, timeout: 4s, with: {value: "${stages.asked.output.value}"}}
""",
)
_RETRIES: Final = "defaults: {retry: {max: 3, backoff: 200ms..800ms}}\n"
TEMPLATES: Final[Mapping[str, Template]] = {
    template.name: replace(template, version=1)
    for template in (parse_template(source.replace("\nstages:", f"\n{_RETRIES}stages:")) for source in _SOURCES)
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed. `digest` is the same whenever the history is."""

    seed: int
    digest: str
    violations: tuple[Violation, ...]
    fired: Counter[Fault]
    executions: Counter[str]
    seconds: float
    tail: tuple[str, ...]

    def report(self, ablation: str | None = None) -> str:
        """The broken invariants, what led there, and how to see it again."""
        how = f"python -m tests.simulation --seed {self.seed}" + (f" --ablate {ablation}" if ablation else "")
        return "\n".join([*self.tail, *map(str, self.violations), f"seed {self.seed}; again: {how}"])


def simulate(seed: int) -> Outcome:
    """Run one seed until every execution has ended, an invariant is broken, or the bound has passed.

    Garbage in cycles waits until it is over: what finalizers do would else hang on what this process did before.
    """
    gc.disable()
    try:
        return _history(seed)
    finally:
        gc.enable()


def _history(seed: int) -> Outcome:
    loop = VirtualLoop()
    trace = Trace(loop.time)
    world = World(seed, loop, trace, Chance(seed, "simulation"))
    cluster = _Cluster(world)
    with _logs_to(trace, cluster.checker):
        try:
            loop.run_until_complete(cluster.run())
            return cluster.outcome()
        finally:
            loop.close()


class _Cluster:
    """Everything that one simulation runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        chance = world.chance.stream("cluster")
        versions: dict[Version, Template] = {(CLIENT, name, 1): template for name, template in TEMPLATES.items()}
        tempers = [Temper.HONEST, *chance.sample(list(Temper), chance.randint(1, 5))]
        slots = {f"worker_{number}": chance.randint(1, 3) for number in range(len(tempers))}
        self.tables = Tables(world.loop.time)
        self.checker = Checker(world, self.tables, versions, slots)
        self.tables.witness = self.checker
        self.network = Network(world, self.checker)
        self.checker.replicas = self.network.replicas
        server, blobs, ids = Server(world, self.tables), MemoryBlobs(), CountedIds()
        self.replicas = [
            ReplicaProcess(world, f"replica_{number}", self.network, server, versions, blobs, ids)
            for number in range(chance.randint(1, MOST_REPLICAS))
        ]
        self.workers = [
            self._worker(chance, worker_id, temper, slots[worker_id])
            for worker_id, temper in zip(slots, tempers, strict=True)
        ]
        self.clients = [
            SimulatedClient(world, self.network, self.checker, self.replicas, f"client_{number}")
            for number in range(CLIENTS)
        ]
        self.storm = Storm(world, self.network, server, self.replicas, self.workers)

    def _worker(self, chance: Chance, worker_id: str, temper: Temper, slots: int) -> WorkerProcess:
        """One that dials, or one that is called."""
        if chance.happens(DIALLING):
            return SimulatedWorker(self.world, self.network, self.replicas, worker_id, temper, slots)
        knows_attempts = chance.happens(0.5)
        return HttpWorker(
            self.world, self.network, self.replicas, worker_id, temper, slots, knows_attempts=knows_attempts
        )

    async def run(self) -> None:
        self.world.loop.set_exception_handler(self._on_exception)
        for replica in self.replicas:
            replica.boot()
        for worker in self.workers:
            worker.boot()
        for client in self.clients:
            client.begin(list(TEMPLATES.values()), EXECUTIONS, STORM_SECONDS)
        self.storm.begin(STORM_SECONDS)
        await self._until_all_has_ended()
        if not self.checker.violations:
            self.checker.conclude()

    async def _until_all_has_ended(self) -> None:
        while not self.checker.violations:
            await self._second()
            stuck = self.checker.stuck()
            if self.world.is_calm and not stuck and not any(client.is_busy for client in self.clients):
                return
            if self.world.loop.time() > STORM_SECONDS + BOUND_SECONDS:
                for execution_id in stuck:
                    row = self.tables.executions[execution_id]
                    stages = {stage["name"]: stage["status"] for stage in self.tables.stages_of(execution_id)}
                    self.checker.violate("I5", execution_id, row["status"], row["owner"], row["owner_epoch"], stages)
                for watch in [one for client in self.clients for one in client.watched if not one.has_ended]:
                    self.checker.violate("streams", f"{watch.execution_id}: no end after {watch.last_event_id}")
                return
            if self.world.is_calm:
                await self._move_on(stuck)

    async def _move_on(self, stuck: list[str]) -> None:
        """Nobody keeps an execution waiting for ever."""
        for execution_id in stuck:
            status = self.tables.executions[execution_id]["status"]
            if status == "paused":
                await self.clients[0].command(execution_id, ResumeRequested())
            elif status == "waiting":
                await self.clients[0].command(execution_id, SignalReceived("approved", {"value": 1}))

    async def _second(self) -> None:
        over = self.world.loop.create_future()
        self.world.loop.call_later(1.0, over.set_result, None)
        await over

    def outcome(self) -> Outcome:
        return Outcome(
            seed=self.world.seed,
            digest=self.world.trace.digest,
            violations=tuple(self.checker.violations),
            fired=self.world.fired,
            executions=Counter(row["status"] for row in self.tables.executions.values()),
            seconds=self.world.loop.time(),
            tail=tuple(self.world.trace.tail),
        )

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and "never retrieved" not in context["message"]:
            self.checker.fault_in_a_loop(error)


@contextmanager
def _logs_to(trace: Trace, checker: Checker) -> Iterator[None]:
    """What the orchestrator warns of becomes part of the trace."""

    def keep(_: object, level: str, event: MutableMapping[str, Any]) -> Any:
        name = event.pop("event")
        error = sys.exc_info()[1] if level == "exception" else event.pop("exc_info", None)
        trace.say("LOG", name, event)
        if name in UNEXPECTED:
            if isinstance(error, BaseException):
                checker.fault_in_a_loop(error)
            else:
                checker.violate("no loop fails", name, event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
