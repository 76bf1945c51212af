"""The real world behind the seams: the only place that reads clocks, draws random bytes and makes ids."""

import asyncio
import os
import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from orchestrator.core.ids import CHANCE_BITS, time_ordered_id
from orchestrator.core.seams import Timer


class SystemClock:
    """The machine's clocks and the running event loop's timers."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TimeOrderedIds:
    """Ids of this moment. Within one process they strictly grow."""

    def __init__(self) -> None:
        self._last = 0
        self._random = random.Random(os.urandom(32))

    def new(self, kind: str) -> str:
        number = (time.time_ns() // 1_000_000) << CHANCE_BITS | self._random.getrandbits(CHANCE_BITS)
        if number <= self._last or number >> CHANCE_BITS == self._last >> CHANCE_BITS:
            number = self._last + 1 + self._random.getrandbits(32)
        self._last = number
        return time_ordered_id(kind, number)


class SystemRandom:
    """Chance from the operating system for secrets, from a fast generator for jitter."""

    def draw(self) -> float:
        return random.random()

    def token(self, size: int) -> str:
        return secrets.token_urlsafe(size)


class NoFailpoints:
    """Production: no place fails on purpose."""

    async def hit(self, name: str) -> None:
        return None
