"""What everything in a simulation shares, and the lives of its processes."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from orchestrator.dispatch.pace import Pace
from tests.simulation.chance import Chance
from tests.simulation.faults import Fault
from tests.simulation.loop import VirtualLoop
from tests.simulation.tables import EPOCH
from tests.simulation.trace import Trace

PACE: Final = Pace(
    heartbeat=1.0,
    lease=3.0,
    offer_expires=2.0,
    cancel_grace=1.0,
    busy_again=0.3,
    refused_again=0.5,
    refused_longest=3.0,
    sweep=0.5,
    poll=1.0,
    talk=0.25,
    call_timeout=2.0,
)
LATE_TIMER: Final = 0.004
"""Seconds by which a timer may go off late."""


@dataclass(slots=True)
class World:
    """One simulation's loop, seed and record. `is_calm`: no more faults are injected."""

    seed: int
    loop: VirtualLoop
    trace: Trace
    chance: Chance
    pace: Pace = PACE
    fired: Counter[Fault] = field(default_factory=Counter)
    is_calm: bool = False

    def fire(self, fault: Fault, *about: object) -> None:
        """Record that a fault happens now."""
        self.fired[fault] += 1
        self.trace.say("FAULT", fault, *about)


class Timer:
    """A call that was put off; one that a stalled process slept through is made when it goes on."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def go_off(self) -> None:
        if self._callback is not None:
            self._callback()


class Life:
    """One life of a process. Whatever reaches it or leaves it passes `deliver`: a stalled process gets and sends it
    when it goes on, a dead one never."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_stalled = False
        self._world = world
        self._chance = world.chance.stream(f"timers of {name}")
        self._held: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def deliver(self, callback: Callable[..., object], *args: Any) -> None:
        if self.is_dead:
            return
        if self.is_stalled:
            self._held.append((callback, args))
        else:
            callback(*args)

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        late = self._chance.random() * LATE_TIMER
        self._world.loop.call_later(seconds + late, self.deliver, timer.go_off)
        return timer

    def stall(self) -> None:
        self.is_stalled = True

    def go_on(self) -> None:
        self.is_stalled = False
        held, self._held = self._held, []
        for callback, args in held:
            self.deliver(callback, *args)

    def die(self) -> None:
        self.is_dead = True
        self._held.clear()


class LifeClock:
    """The seam `Clock` of one life. `skew_seconds` is how wrong its wall clock is."""

    def __init__(self, world: World, life: Life, skew_seconds: float = 0.0) -> None:
        self.skew_seconds = skew_seconds
        self._loop = world.loop
        self._life = life

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time() + self.skew_seconds)

    def monotonic(self) -> float:
        return self._loop.time()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return self._life.later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        over = self._loop.create_future()
        self._life.later(seconds, partial(conclude, over, None))
        await over


def conclude(future: "asyncio.Future[object]", outcome: object) -> None:
    """Give the future its outcome, an exception to be raised or a value, unless nobody waits any more."""
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
