"""What is told of the queue, held against what happens: the real dispatcher and four workers, in driven time."""

import asyncio
import random
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from statistics import quantiles
from typing import Any, cast

import pytest

from orchestrator.core.execution import Execution, prepare
from orchestrator.core.template import Template, parse_template
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Fleet
from orchestrator.dispatch.line import FARTHEST_LOOK, KEPT_SECONDS, Line
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.watch import Hub
from orchestrator.store.journal import Journal
from orchestrator.store.record import Record
from orchestrator.system import SystemRandom
from protocol.packets import Accept, Offer, OrchestratorPacket, Process, Registration, Result, WorkerPacket
from tests.driven_clock import DrivenClock

COURSE = parse_template("""
template: course
version: 1
stages:
  read: {action: read}
  make: {needs: [read], action: make}
  index: {needs: [read], action: index}
  judge: {needs: [make, index], action: judge}
""")
NOTE = parse_template("template: note\nversion: 1\nstages: {only: {action: make}}\n")
EXPECTED_MS = {"read": 400, "make": 220, "index": 150, "judge": 70}
COURSE_MS = 690


class DurableAtOnce:
    """A journal whose every flush is through in the next turn of the loop."""

    def note(
        self,
        record: Record,
        stages: Iterable[str],
        told: Iterable[Any],
        then: Callable[[], None] | None,
        *,
        urgent: bool,
    ) -> None:
        if then is not None:
            asyncio.get_running_loop().call_soon(then)


class Hand:
    """A worker that takes what it is offered, and for each stage its own time."""

    def __init__(self, shop: "Shop", worker_id: str, slots: int) -> None:
        self.worker_id = worker_id
        self.slots = slots
        self.offers: dict[int, Offer] = {}
        self.most_held = 0
        self._shop = shop

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        match packet:
            case Offer():
                self.offers[packet.fence] = packet
                self.most_held = max(self.most_held, len(self.offers))
                self._shop.later(0.0, self, self._accept(packet))
            case Process():
                ms = EXPECTED_MS[self.offers[packet.fence].action] * self._shop.noise()
                self._shop.later(ms / 1000, self, self._result(packet))

    def close(self, reason: str) -> None:
        raise AssertionError(reason)

    def _accept(self, offer: Offer) -> Accept:
        return Accept(
            execution_id=offer.execution_id,
            stage_id=offer.stage_id,
            fence=offer.fence,
            estimated_completion_ms=EXPECTED_MS[offer.action],
        )

    def _result(self, process: Process) -> Result:
        return Result(
            execution_id=process.execution_id,
            stage_id=process.stage_id,
            fence=process.fence,
            status="completed",
            result={},
        )


class Shop:
    """A dispatcher with its workers. Nothing happens but by `until_done` and in the turns of the loop."""

    def __init__(self, *, workers: int = 4, slots: int = 4, sigma: float = 0.0, seed: int = 0) -> None:
        self.clock = DrivenClock()
        fleet = Fleet()
        self.dispatcher = Dispatcher(cast(Journal, DurableAtOnce()), self.clock, Hub(), fleet, Pace())
        self.answers = Answers(self.dispatcher, SystemRandom(), self._find_attempt, Tasks())
        self.line = Line(self.dispatcher)
        self.hands = [Hand(self, f"worker-{number}", slots) for number in range(workers)]
        self._chance = random.Random(seed)
        self._sigma = sigma
        self._later: list[tuple[float, int, Hand, WorkerPacket]] = []
        self._number = 0
        for hand in self.hands:
            registration = Registration(
                worker_id=hand.worker_id, capabilities=tuple(EXPECTED_MS), max_concurrent_executions=slots
            )
            worker, _ = fleet.enter(registration, "life_1", 0.0, self.clock.now())
            worker.link, worker.facts.connected = hand, True

    def noise(self) -> float:
        return self._chance.lognormvariate(0.0, self._sigma)

    def has_history(self) -> "Shop":
        """The workers have accepted each action before."""
        for worker in self.dispatcher.fleet:
            worker.facts.expected_ms.update(EXPECTED_MS)
        return self

    def later(self, seconds: float, hand: Hand, packet: WorkerPacket) -> None:
        self._number += 1
        heappush(self._later, (self.clock.monotonic() + seconds, self._number, hand, packet))

    async def submit(self, *templates: Template, priority: int = 50) -> list[Execution]:
        """Take executions up, all in one turn, and let what finds a slot be offered and accepted."""
        made = [self._execution(template, priority) for template in templates]
        for execution in made:
            self.dispatcher.engine.take_up(Record(execution))
        await turns()
        while self._later and self._later[0][0] <= self.clock.monotonic():
            await self._next()
        return made

    def _execution(self, template: Template, priority: int) -> Execution:
        self._number += 1
        execution = Execution(
            f"exec_{self._number:06}", "client_1", template, "client_1", {}, priority, self.clock.now()
        )
        prepare(execution, {})
        return execution

    def told(self, execution: Execution) -> tuple[float | None, float | None]:
        """Seconds from now to its start and to its end."""
        engine = self.dispatcher.engine
        action = execution.template.stages[0].action or ""
        position = engine.ready[action].ahead_of(engine.key(execution)) + 1
        start, finish = (
            None if ms is None else round(ms / 1000, 6)
            for ms in self.line.passage(engine.key(execution), action, position, execution)
        )
        return start, finish

    async def until_done(self, executions: list[Execution]) -> list[float]:
        """Seconds from now until each of them is completed."""
        began = self.clock.monotonic()
        ended: dict[str, float] = {}
        while len(ended) < len(executions):
            await self._next()
            for execution in executions:
                if execution.is_final:
                    ended.setdefault(execution.execution_id, self.clock.monotonic() - began)
        return [ended[execution.execution_id] for execution in executions]

    async def _next(self) -> None:
        """The next thing that a worker says."""
        at, _, hand, packet = heappop(self._later)
        self.clock.advance(at - self.clock.monotonic())
        if isinstance(packet, Result):
            del hand.offers[packet.fence]
        self.answers.receive(hand.worker_id, [packet])
        await turns()

    async def _find_attempt(self, execution_id: str, stage: str, fence: int) -> None:
        raise AssertionError("nothing is reported twice here")


async def turns() -> None:
    """Let the loop turn until a result has become durable, its slot free, and the next stage offered."""
    loop = asyncio.get_running_loop()
    for _ in range(4):
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


def percentile_95(told: list[float | None], happened: list[float]) -> float:
    """Of the errors, as parts of what happened."""
    assert None not in told
    errors = [abs(cast(float, said) - took) / took for said, took in zip(told, happened, strict=True)]
    return quantiles(errors, n=20, method="inclusive")[-1]


@pytest.mark.parametrize(
    ("templates", "sigma", "seed"),
    [
        ([COURSE], 0.0, 0),
        ([COURSE], 0.25, 1),
        ([COURSE], 0.25, 2),
        ([COURSE, NOTE], 0.25, 3),
        ([NOTE, NOTE, NOTE, COURSE], 0.1, 4),
    ],
)
async def test_of_two_hundred_at_once_ninety_five_in_a_hundred_end_within_thirty_percent_of_what_was_told(
    templates: list[Template], sigma: float, seed: int
) -> None:
    shop = Shop(sigma=sigma, seed=seed).has_history()
    executions = await shop.submit(*templates * (200 // len(templates)))

    told = [shop.told(execution)[1] for execution in executions]
    happened = await shop.until_done(executions)

    assert percentile_95(told, happened) <= 0.3
    assert [hand.most_held for hand in shop.hands] == [4, 4, 4, 4]


async def test_two_hundred_that_come_one_by_one_are_told_as_well() -> None:
    shop = Shop(sigma=0.25, seed=5).has_history()
    executions, told = [], []
    for _ in range(200):
        executions += await shop.submit(COURSE)
        told.append(shop.told(executions[-1])[1])

    happened = await shop.until_done(executions)

    assert percentile_95(told, happened) <= 0.3


async def test_what_finds_a_free_slot_starts_now() -> None:
    shop = Shop(workers=1, slots=2).has_history()
    first, second, third = await shop.submit(COURSE, NOTE, NOTE)

    assert [shop.told(execution) for execution in (first, second, third)] == [
        (0.0, COURSE_MS / 1000),
        (0.0, 0.22),
        (0.22, 0.44),
    ]


async def test_what_is_at_work_is_nearer_to_its_end_as_time_goes_by() -> None:
    shop = Shop(workers=1, slots=1).has_history()
    _, waiting = await shop.submit(NOTE, NOTE)
    before = shop.told(waiting)
    shop.clock.advance(0.05)
    from_the_same_forecast = shop.told(waiting)
    shop.clock.advance(KEPT_SECONDS)

    assert before == (0.22, 0.44)
    assert from_the_same_forecast == (0.17, 0.39)
    assert shop.told(waiting)[1] == pytest.approx(0.44 - 0.05 - KEPT_SECONDS)


async def test_an_execution_at_work_is_told_what_is_left_of_it_though_a_slot_is_free() -> None:
    shop = Shop().has_history()
    [execution] = await shop.submit(COURSE)
    shop.clock.advance(0.3)

    assert shop.told(execution) == (0.0, round((COURSE_MS - 300) / 1000, 6))


async def test_what_came_since_the_forecast_follows_its_predecessor() -> None:
    shop = Shop(workers=1, slots=1).has_history()
    *_, waiting = await shop.submit(NOTE, NOTE)
    shop.told(waiting)
    newcomer, after_it = await shop.submit(NOTE, NOTE)

    assert [shop.told(execution) for execution in (newcomer, after_it)] == [(0.44, 0.66), (0.66, 0.88)]


async def test_what_stands_too_far_back_to_be_followed_is_told_by_the_share_of_those_before() -> None:
    shop = Shop(workers=1, slots=1).has_history()
    *_, last = await shop.submit(*[NOTE] * (FARTHEST_LOOK + 100))

    start, finish = shop.told(last)

    assert start == pytest.approx(0.22 * (FARTHEST_LOOK + 99), rel=0.01)
    assert finish == pytest.approx(0.22 * (FARTHEST_LOOK + 100), rel=0.01)


async def test_a_more_urgent_newcomer_is_told_an_earlier_start() -> None:
    shop = Shop(workers=1, slots=1).has_history()
    *_, last = await shop.submit(*[NOTE] * 10)
    [urgent] = await shop.submit(NOTE, priority=100)
    shop.clock.advance(KEPT_SECONDS)

    assert shop.told(urgent)[0] == pytest.approx(0.22 - KEPT_SECONDS)
    assert shop.told(last)[0] == pytest.approx(0.22 * 10 - KEPT_SECONDS)


async def test_without_estimates_and_history_nothing_is_told() -> None:
    shop = Shop()
    [execution] = await shop.submit(COURSE)

    assert shop.told(execution) == (0.0, None)


async def test_without_a_worker_nothing_is_told() -> None:
    shop = Shop(workers=0)
    [execution] = await shop.submit(COURSE)

    assert shop.told(execution) == (None, None)
