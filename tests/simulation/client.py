"""Clients: they submit, ask again when they were not answered, and change their minds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.requests import ExecuteRequest, KeyReused, Queued, WrongState
from orchestrator.core.template import Template
from orchestrator.dispatch.commands import Command
from orchestrator.dispatch.replica import Replica
from tests.simulation.chance import Chance
from tests.simulation.checker import Checker
from tests.simulation.network import Network
from tests.simulation.replica import ReplicaProcess
from tests.simulation.watching import Watch
from tests.simulation.world import Life, LifeClock, World

CLIENT: Final = "client_1"
TRIES: Final = 40
WATCHED: Final = 0.5
"""How probable it is that an execution is watched."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer 409: the execution's state forbids what was asked."""


class SimulatedClient:
    """One client and what it knows of its executions."""

    def __init__(
        self, world: World, network: Network, checker: Checker, replicas: list[ReplicaProcess], name: str
    ) -> None:
        self._world = world
        self._network = network
        self._checker = checker
        self._replicas = replicas
        self._chance: Chance = world.chance.stream(name)
        self._life = Life(world, name)
        self._name = name
        self._clock = LifeClock(world, self._life)
        self.watched: list[Watch] = []
        self._made = 0
        self._open = 0

    @property
    def is_busy(self) -> bool:
        """Whether it still wants something, or waits to be told of an end."""
        return self._open > 0 or not all(watch.has_ended for watch in self.watched)

    def begin(self, templates: Sequence[Template], executions: int, seconds: float) -> None:
        """Submit so many executions within the time, and command some of them."""
        for _ in range(executions):
            self._open += 1
            after = 0.5 + self._chance.random() * (seconds - 2)
            self._network.spawn(self._drive(self._chance.choice(templates), after))

    async def _drive(self, template: Template, after: float) -> None:
        await self._clock.sleep(after)
        await self._submit_and_command(template)
        self._open -= 1

    async def _submit_and_command(self, template: Template) -> None:
        execution_id = await self.submit(template)
        if execution_id is None:
            return
        if self._chance.happens(WATCHED):
            self._network.spawn(self._watch(execution_id))
        await self._clock.sleep(self._chance.random() * 4)
        if template.name == "approval":
            await self.command(execution_id, SignalReceived("approved", {"value": 1}))
        match self._chance.randrange(8):
            case 0 | 1:
                await self.command(execution_id, CancelRequested())
                await self._clock.sleep(2 * self._chance.random())
                await self.retry(execution_id)
            case 2:
                await self.command(execution_id, PauseRequested())
                await self._clock.sleep(2 * self._chance.random())
                await self.command(execution_id, ResumeRequested())

    async def _watch(self, execution_id: str) -> None:
        watch = Watch(self._network, self._life, CLIENT, execution_id)
        self.watched.append(watch)
        await watch.until_the_end(self._replicas)

    async def submit(self, template: Template) -> str | None:
        """The execution's id; None if there was no answer and no key to ask again with."""
        self._made += 1
        key = f"{self._name}-{self._made}" if self._chance.happens(0.7) else None
        given = {"value": 1, "key": key, "poison": self._chance.happens(0.15)}
        priority = self._chance.choice((25, 50, 75))
        body = (key or "").encode()
        request = ExecuteRequest(CLIENT, template, CLIENT, given, priority, key, body)

        async def execute(replica: Replica) -> Queued:
            queued = await replica.commands.execute(request)
            self._checker.submission_answered(queued.execution_id, key)
            return queued

        queued: Queued | None = await self._ask(execute, TRIES if key is not None else 1)
        if queued is None:
            return None
        if key is not None and self._chance.happens(0.3):
            again = await self._ask(execute, TRIES)
            if again is not None and again.execution_id != queued.execution_id:
                self._checker.violate("I2", f"{key} was answered with {queued.execution_id} and {again.execution_id}")
        if key is not None and self._chance.happens(0.2):
            await self._reuse(template, given, priority, key)
        return queued.execution_id

    async def _reuse(self, template: Template, given: dict[str, Any], priority: int, key: str) -> None:
        """The same key with another body makes nothing."""
        request = ExecuteRequest(CLIENT, template, CLIENT, given, priority, key, b"another body")

        async def execute(replica: Replica) -> bool:
            try:
                await replica.commands.execute(request)
            except KeyReused:
                return True
            return False

        if await self._ask(execute, TRIES) is False:
            self._checker.violate("I2", f"{key} was taken with another body")

    async def retry(self, execution_id: str) -> None:
        """Another execution in its place, once it has ended."""
        key = f"{self._name}-retry-{execution_id}"

        async def retry(replica: Replica) -> Queued | Refused:
            try:
                return await replica.commands.retry(CLIENT, execution_id, key, b"retry")
            except WrongState:
                return Refused()

        queued = await self._ask(retry, TRIES)
        if isinstance(queued, Queued):
            self._checker.submission_answered(queued.execution_id, None)

    async def command(self, execution_id: str, command: Command) -> None:
        """Command until there is an answer."""
        if isinstance(command, ResumeRequested):
            self._checker.resumed.add(execution_id)

        async def ask(replica: Replica) -> ExecutionStatus | Refused | None:
            try:
                status = await replica.commands.command(CLIENT, execution_id, command)
            except WrongState:
                return Refused()
            if status is not None and isinstance(command, CancelRequested):
                self._checker.cancel_answered(execution_id)
            elif status is not None and isinstance(command, PauseRequested):
                self._checker.paused.add(execution_id)
            return status

        await self._ask(ask, TRIES)

    async def _ask(self, request: Any, tries: int) -> Any:
        """The answer of whichever replica gives one first; None if none did."""
        for _ in range(tries):
            process = self._chance.choice(self._replicas)
            try:
                return await self._network.call(self._life, process, request)
            except Exception as unknown:
                self._world.trace.say(self._name, "knows nothing:", repr(unknown))
            await self._clock.sleep(0.2 + self._chance.random())
        return None
