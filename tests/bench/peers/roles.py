"""The roles of a peer's program, each a process of its own: `prepare`, `work`, `drive`.

`python -m tests.bench.peers.NAME ROLE PLACE [EXECUTIONS]`; the place is a database's address, or a folder for a peer
that keeps its own. It runs in the peers' environment, so nothing of Baton's can be imported here.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import uvloop

STAGES: Final = 3
POLL_SECONDS: Final = 0.02
LONGEST_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from the first submission to the last end, and how many executions ended with their number plus 3."""

    seconds: float
    right: int


@dataclass(frozen=True, slots=True)
class Roles:
    """What a peer does in each role. `work` goes on until the process is ended, and says `ready` first."""

    prepare: Callable[[str], Awaitable[None]]
    work: Callable[[str], Awaitable[None]]
    drive: Callable[[str, int], Awaitable[Outcome]]


T = TypeVar("T")


def take_role(roles: Roles) -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["prepare", place]:
            uvloop.run(_bounded(roles.prepare(place)))
        case ["work", place]:
            uvloop.run(_bounded(roles.work(place), bounded=False))
        case ["drive", place, executions]:
            outcome = uvloop.run(_bounded(roles.drive(place, int(executions))))
            say({"seconds": outcome.seconds, "right": outcome.right})
        case other:
            raise SystemExit(f"not a role: {other}")


def say(what: object) -> None:
    """A line of JSON for whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _bounded(doing: Awaitable[T], *, bounded: bool = True) -> T:
    async with asyncio.timeout(LONGEST_SECONDS if bounded else None):
        return await doing
