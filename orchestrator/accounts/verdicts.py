"""Remembers for a moment whom a secret stands for, so that a busy key costs one query in five seconds.

Invariant: the memory is bounded whatever is asked, and unknown secrets never push known ones out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from orchestrator.core.seams import Clock

LIFE_SECONDS: Final = 5.0
KEPT: Final = 10_000
LOOK_UPS: Final = 4
"""At once: a flood of unknown secrets must leave the pool's other connections to those who are known."""

P = TypeVar("P")


class Verdicts(Generic[P]):
    """Verdicts by digest, None for a secret that stands for nobody; `find` asks the database.

    Those who ask for the same digest while it is being looked up wait for that look-up.
    """

    def __init__(self, clock: Clock, find: Callable[[bytes], Awaitable[P | None]]) -> None:
        self._clock = clock
        self._find = find
        self._known: dict[bytes, tuple[float, P]] = {}
        self._unknown: dict[bytes, tuple[float, None]] = {}
        self._under_way: dict[bytes, asyncio.Task[P | None]] = {}
        self._look_ups = asyncio.Semaphore(LOOK_UPS)

    async def of(self, digest: bytes) -> P | None:
        """Whom the digest's secret stands for, as the database had it at most `LIFE_SECONDS` ago."""
        kept = self._known.get(digest) or self._unknown.get(digest)
        if kept is not None and self._clock.monotonic() < kept[0]:
            return kept[1]
        look_up = self._under_way.get(digest)
        if look_up is None:
            look_up = self._under_way[digest] = asyncio.create_task(self._look_up(digest))
        # One caller who goes away must not end it for the others.
        return await asyncio.shield(look_up)

    def forget(self, digest: bytes) -> None:
        """Ask the database again; also for those whose look-up is under way now."""
        for memory in (self._known, self._unknown, self._under_way):
            memory.pop(digest, None)

    def forget_all(self) -> None:
        for memory in (self._known, self._unknown, self._under_way):
            memory.clear()

    async def _look_up(self, digest: bytes) -> P | None:
        try:
            async with self._look_ups:
                until = self._clock.monotonic() + LIFE_SECONDS
                principal = await self._find(digest)
            if self._is_current(digest):
                self._keep(digest, until, principal)
            return principal
        finally:
            if self._is_current(digest):
                del self._under_way[digest]

    def _is_current(self, digest: bytes) -> bool:
        # Not if it was forgotten meanwhile: what it read may be older than what made us forget.
        return self._under_way.get(digest) is asyncio.current_task()

    def _keep(self, digest: bytes, until: float, principal: P | None) -> None:
        self._known.pop(digest, None)
        self._unknown.pop(digest, None)
        if principal is None:
            _make_room(self._unknown)
            self._unknown[digest] = (until, None)
        else:
            _make_room(self._known)
            self._known[digest] = (until, principal)


def _make_room(memory: dict[bytes, tuple[float, P]]) -> None:
    # The oldest stands first: a verdict that is renewed is taken out and put in anew.
    if len(memory) >= KEPT:
        del memory[next(iter(memory))]
