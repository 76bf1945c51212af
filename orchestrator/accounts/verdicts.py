"""Remembers for a moment whom a secret stands for, so that a busy key costs one query in five seconds.

Invariant: the memory is bounded whatever is asked, and unknown secrets never push known ones out.

Where it is told to, it goes by what it knew for as long as the database cannot be asked: nobody can have revoked
anything there meanwhile, and a worker's sign of life must not be refused for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from orchestrator.core.seams import Clock
from orchestrator.store.database import UNAVAILABLE

LIFE_SECONDS: Final = 5.0
KEPT: Final = 10_000
LOOK_UPS: Final = 4
"""At once: a flood of unknown secrets must leave the pool's other connections to those who are known."""

PATIENCE_SECONDS: Final = 1.0
"""How long a database that may be away is waited for where there is an older verdict to go by."""

P = TypeVar("P")


class Verdicts(Generic[P]):
    """Verdicts by digest, None for a secret that stands for nobody; `find` asks the database.

    Those who ask for the same digest while it is being looked up wait for that look-up. For `outage_seconds` after its
    life a verdict still counts if the database does not answer.
    """

    def __init__(self, clock: Clock, find: Callable[[bytes], Awaitable[P | None]], outage_seconds: float = 0.0) -> None:
        self._clock = clock
        self._find = find
        self._outage_seconds = outage_seconds
        self._known: dict[bytes, tuple[float, P]] = {}
        self._unknown: dict[bytes, tuple[float, None]] = {}
        self._under_way: dict[bytes, asyncio.Task[P | None]] = {}
        self._look_ups = asyncio.Semaphore(LOOK_UPS)

    async def of(self, digest: bytes) -> P | None:
        """Whom the digest's secret stands for, as the database had it at most `LIFE_SECONDS` ago."""
        kept = self._known.get(digest) or self._unknown.get(digest)
        now = self._clock.monotonic()
        if kept is not None and now < kept[0]:
            return kept[1]
        look_up = self._under_way.get(digest)
        if look_up is None:
            look_up = self._under_way[digest] = asyncio.create_task(self._look_up(digest))
            look_up.add_done_callback(_heard)
        older = self._known.get(digest)
        if older is None or now >= older[0] + self._outage_seconds:
            # One caller who goes away must not end it for the others.
            return await asyncio.shield(look_up)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asyncio.shield(look_up)
        except UNAVAILABLE:
            return older[1]

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


def _heard(look_up: asyncio.Task[P | None]) -> None:
    """Nobody may be left who waits for it: then its fault is nobody's, and nothing for the log."""
    if not look_up.cancelled():
        look_up.exception()
