"""Waiting for what another process does to the database: there is no signal that would not cost it something."""

import asyncio
from typing import Any, Final

import asyncpg

POLL_SECONDS: Final = 0.02


async def until_answered(
    connection: asyncpg.Connection, question: str, *arguments: Any, seconds: float, every: float = POLL_SECONDS
) -> None:
    """Return when the question's first value is true, asked `every` so many; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await connection.fetchval(question, *arguments):  # noqa: ASYNC110
            await asyncio.sleep(every)
