"""Hints between replicas: "look now" instead of at the next poll. They may be lost; polling is the truth.

NOTIFY makes commits wait for each other, so it is never part of a transaction that does other work, and what is to be
told within a moment goes in one statement.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Final, Protocol

import asyncpg
import structlog

from orchestrator.core.seams import Clock
from orchestrator.store.database import UNAVAILABLE, Database
from orchestrator.store.statements import statements

CHANNEL: Final = "baton_hints"
GATHER_SECONDS: Final = 0.05
CHECK_SECONDS: Final = 10.0
"""A connection whose other end is gone says nothing, and so does one on which nothing is told: it is asked."""
RECONNECT_SECONDS: Final = 1.0

log = structlog.get_logger()


class Hint(StrEnum):
    """What there is to look at."""

    INBOX = "inbox"
    REPLICAS = "replicas"


Heard = Callable[[Hint], None]


class Hints(Protocol):
    """What replicas tell each other through the database."""

    def tell(self, hint: Hint, replica_id: str | None = None) -> None:
        """Tell one replica, or all, within a moment."""

    async def flush(self) -> None:
        """Tell at once what waits to be told. Raises one of `UNAVAILABLE`."""

    async def listen(self, heard: Heard) -> None:
        """Pass hints on until cancelled; all of them whenever some may have been missed."""


class PostgresHints:
    """LISTEN and NOTIFY on one channel; a hint is meant for the replica that it names, or for everyone."""

    def __init__(self, database: Database, clock: Clock, replica_id: str) -> None:
        self._database = database
        self._clock = clock
        self._replica_id = replica_id
        self._waiting: set[str] = set()
        self._sending: asyncio.Task[None] | None = None

    def tell(self, hint: Hint, replica_id: str | None = None) -> None:
        self._waiting.add(f"{hint.value} {replica_id or ''}")
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_soon())

    async def flush(self) -> None:
        told, self._waiting = self._waiting, set()
        if told:
            async with self._database.acquire() as connection:
                await connection.execute(statements("hints")["tell"], CHANNEL, sorted(told))

    async def listen(self, heard: Heard) -> None:
        while True:
            connection = None
            try:
                connection = await self._database.connect()
                await self._listen_on(connection, heard)
            except UNAVAILABLE as error:
                log.warning("hints.unheard", error=repr(error))
            finally:
                if connection is not None:
                    with suppress(*UNAVAILABLE):
                        connection.terminate()
            await self._clock.sleep(RECONNECT_SECONDS)

    async def _listen_on(self, connection: asyncpg.Connection, heard: Heard) -> None:
        def pass_on(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            kind, _, meant = str(payload).partition(" ")
            if meant in ("", self._replica_id) and kind in set(Hint):
                heard(Hint(kind))

        is_over = asyncio.Event()
        connection.add_termination_listener(lambda _connection: is_over.set())
        await connection.add_listener(CHANNEL, pass_on)
        for hint in Hint:
            heard(hint)
        while not is_over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await is_over.wait()
            await connection.execute(statements("hints")["check"])

    async def _send_soon(self) -> None:
        await self._clock.sleep(GATHER_SECONDS)
        try:
            await self.flush()
        except UNAVAILABLE as error:
            log.info("hints.untold", error=repr(error))
