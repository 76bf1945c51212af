"""When a worker comes back: as it is told to, and never in step with its fleet."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from protocol.packets import Registered, Registration
from workers.kit.backoff import Backoff
from workers.kit.membership import Membership
from workers.kit.orchestrators import Orchestrators
from workers.kit.seams import Seams
from workers.kit.timing import Timing

TIMING = Timing(reconnect=Backoff(first_s=0.2, cap_s=10), return_spread_s=3)


@dataclass
class Hours:
    """A clock that a test winds on; whoever sleeps is noted, and the last one sleeps for ever."""

    naps: int
    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.naps:
            self.enough.set()
            await asyncio.Event().wait()


class Highest:
    """Chance that always draws the most."""

    def uniform(self, a: float, b: float, /) -> float:
        return b


@dataclass
class Held:
    """A transport that holds for so many seconds."""

    clock: Hours
    seconds: float

    async def stay(self, registered: Registered) -> None:
        self.clock.seconds += self.seconds


@pytest.fixture
async def answers() -> list[web.Response]:
    return []


@pytest.fixture
async def orchestrator(answers: list[web.Response]) -> AsyncIterator[URL]:
    async def register(request: web.Request) -> web.Response:
        return answers.pop(0)

    app = web.Application()
    app.router.add_post("/api/workers", register)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


async def naps_of(orchestrator: URL, held_s: float, naps: int) -> list[float]:
    """How long a worker rests between its first tries."""
    clock = Hours(naps)
    async with aiohttp.ClientSession() as session:
        membership = Membership(
            session,
            Orchestrators([orchestrator]),
            Held(clock, held_s),
            registration=lambda: Registration(worker_id="w", capabilities=("work",), max_concurrent_executions=1),
            on_registered=lambda registered: None,
            is_unknown=asyncio.Event(),
            seams=Seams(clock=clock, chance=Highest()),
            timing=TIMING,
        )
        running = asyncio.create_task(membership.run())
        await asyncio.wait_for(clock.enough.wait(), 30)
        running.cancel()
    return clock.slept


def let_in() -> web.Response:
    answer = {"workerId": "w", "instanceId": "i", "protocol": 1, "heartbeatIntervalMs": 1000, "websocketUrl": "ws://x"}
    return web.json_response(answer, status=201)


async def test_a_worker_that_is_told_when_to_come_back_comes_no_sooner_and_not_all_at_that_moment(
    orchestrator: URL, answers: list[web.Response]
) -> None:
    answers += [web.Response(status=503, headers={"Retry-After": "4"}), web.Response(status=503), let_in()]

    assert await naps_of(orchestrator, held_s=0, naps=3) == [4 * 1.5, 0.4, 0.8]


async def test_nobody_is_kept_away_for_ever(orchestrator: URL, answers: list[web.Response]) -> None:
    answers += [web.Response(status=503, headers={"Retry-After": "99999"})]

    assert await naps_of(orchestrator, held_s=0, naps=1) == [60 * 1.5]


async def test_a_link_that_held_and_broke_is_dialled_again_at_some_moment_of_a_while(
    orchestrator: URL, answers: list[web.Response]
) -> None:
    answers += [let_in()]

    assert await naps_of(orchestrator, held_s=60, naps=1) == [0.2 + 3]
