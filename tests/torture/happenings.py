"""What goes on in the whole system, as it happens: workers tell of offers and results, links of commits.

Faults wait here for the n-th of something, and recoveries for the first of something.
"""

import asyncio
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from orchestrator.core.seams import Clock

About = Mapping[str, Any]
Condition = Callable[[About], bool]

_MOST_BYTES: Final = 4096


@dataclass(slots=True)
class _Waiter:
    kind: str
    remaining: int
    condition: Condition
    reached: "asyncio.Future[About]"


class Happenings:
    """The bus of events: `happened` is told, `nth` waits."""

    def __init__(self, clock: Clock) -> None:
        self.counts: Counter[str] = Counter()
        self.times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        """By kind and link: when, in seconds since 1970, in order."""
        self._clock = clock
        self._waiters: list[_Waiter] = []

    def happened(self, kind: str, about: About) -> None:
        self.counts[kind] += 1
        if "link" in about:
            self.times[kind, about["link"]].append(self._clock.now().timestamp())
        for waiter in list(self._waiters):
            if waiter.kind == kind and not waiter.reached.done() and waiter.condition(about):
                waiter.remaining -= 1
                if waiter.remaining == 0:
                    waiter.reached.set_result(about)

    async def nth(self, kind: str, n: int = 1, condition: Condition = lambda _: True) -> About:
        """What is known of the n-th such event from now on for which the condition holds."""
        waiter = _Waiter(kind, n, condition, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            return await waiter.reached
        finally:
            self._waiters.remove(waiter)

    @contextmanager
    def heard_at(self, path: Path) -> Iterator[None]:
        """Take what the workers' processes tell through the datagram socket at `path`, until the block ends."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.setblocking(False)
            ear.bind(os.fspath(path))
            loop = asyncio.get_running_loop()
            loop.add_reader(ear, self._hear, ear)
            try:
                yield
            finally:
                loop.remove_reader(ear)

    def _hear(self, ear: socket.socket) -> None:
        while True:
            try:
                told = orjson.loads(ear.recv(_MOST_BYTES))
            except BlockingIOError:
                return
            self.happened(told["event"], told)
