"""The kit's adapters to what a test must be able to replace: the clock, chance and fresh ids.

No other file of the kit reads the time, sleeps, draws a random number or makes an id.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Elapsed time in seconds; its zero means nothing."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Chance(Protocol):
    """A source of jitter."""

    def uniform(self, a: float, b: float, /) -> float: ...


class SystemClock:
    """The machine's monotonic clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def fresh_id() -> str:
    """32 hexadecimal digits that nobody else has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Seams:
    """Everything of the outside world that the kit's decisions depend on."""

    clock: Clock = field(default_factory=SystemClock)
    chance: Chance = field(default_factory=random.Random)
    fresh_id: Callable[[], str] = fresh_id
