"""Where a peer that keeps no results leaves them, so that every execution can be checked."""

from typing import Final

import asyncpg

from tests.bench.peers.roles import LONGEST_SECONDS, STAGES
from tests.bench.polling import until_answered

CREATE: Final = "CREATE TABLE bench_results (execution bigint PRIMARY KEY, given int NOT NULL, value int NOT NULL)"
INSERT: Final = "INSERT INTO bench_results (execution, given, value) VALUES ($1, $2, $3)"
_ALL_ENDED: Final = "SELECT count(*) >= $2 FROM bench_results WHERE execution >= $1"
_RIGHT: Final = "SELECT count(*) FROM bench_results WHERE execution >= $1 AND value = given + $2"
_NEXT: Final = "SELECT coalesce(max(execution) + 1, 0) FROM bench_results"


async def next_execution(connection: asyncpg.Connection) -> int:
    """The first number that no execution had yet."""
    number: int = await connection.fetchval(_NEXT)
    return number


async def until_all_ended(connection: asyncpg.Connection, first: int, executions: int) -> None:
    """Return when there are results of so many executions from the first on."""
    await until_answered(connection, _ALL_ENDED, first, executions, seconds=LONGEST_SECONDS)


async def count_right(connection: asyncpg.Connection, first: int) -> int:
    """How many of them are what they should be."""
    right: int = await connection.fetchval(_RIGHT, first, STAGES)
    return right
