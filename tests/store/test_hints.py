"""Hints between replicas, over a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.store.database import Database
from orchestrator.store.hints import Hint, PostgresHints
from orchestrator.system import SystemClock


class Listener:
    """What one replica hears."""

    def __init__(self, database: Database, replica_id: str) -> None:
        self.hints = PostgresHints(database, SystemClock(), replica_id)
        self._heard: asyncio.Queue[Hint] = asyncio.Queue()

    async def next(self) -> Hint:
        async with asyncio.timeout(10):
            return await self._heard.get()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Listener"]:
        """From when it listens: then it is told to look at everything, for it may have missed something."""
        task = asyncio.create_task(self.hints.listen(self._heard.put_nowait))
        assert {await self.next() for _ in Hint} == set(Hint)
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_hint_reaches_the_replica_that_it_names_and_no_other(database: Database) -> None:
    async with Listener(database, "one").listening() as one, Listener(database, "two").listening() as two:
        one.hints.tell(Hint.INBOX, "two")
        one.hints.tell(Hint.REPLICAS)
        heard = {await two.next(), await two.next()}
        first = await one.next()

    assert heard == {Hint.INBOX, Hint.REPLICAS}
    assert first is Hint.REPLICAS


async def test_what_waits_to_be_told_can_be_told_at_once(database: Database) -> None:
    async with Listener(database, "one").listening() as one:
        one.hints.tell(Hint.INBOX, "one")
        await one.hints.flush()
        heard = await one.next()

    assert heard is Hint.INBOX


async def test_a_listener_whose_connection_was_cut_listens_again_and_is_told_to_look_at_everything(
    database: Database,
) -> None:
    async with Listener(database, "one").listening() as one:
        async with database.acquire() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE 'LISTEN%'"
            )
        heard = {await one.next() for _ in Hint}

    assert heard == set(Hint)
