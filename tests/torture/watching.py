"""Follows the event stream of one execution over every break to its end, and holds it against what streams promise."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import aiohttp

from orchestrator.core.seams import Clock
from orchestrator.event_stream import Event, EventParser
from tests.torture.link import Link

_QUIET: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=20)
"""Longer than the orchestrator lets a stream be silent."""
_AGAIN_S: Final = 0.4
_TURNED_AWAY: Final = (429, 503)


class Followed:
    """What the streams of one execution have told so far, all of them together.

    The facts have to add up to the document that the end brings: a stage whose change was never told shows there.
    """

    def __init__(self, execution_id: str) -> None:
        self.violations: list[str] = []
        self.last_id: int | None = None
        self.resumed = 0
        self.end: str | None = None
        self._execution_id = execution_id
        self._progress = 0.0
        self._stages: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """One event more; `violations` has what is wrong with it."""
        if self.end is not None:
            self._violate(f"was told of {event.name} after its end")
        if event.id is not None:
            self._take_id(int(event.id))
        data = event.data
        if event.name in ("snapshot", "stage", "execution", "end"):
            self._take_progress(data["progress"])
        match event.name:
            case "snapshot":
                self._stages = _statuses(data)
            case "stage":
                self._stages[data["stage"]["name"]] = data["stage"]["status"]
            case "end":
                self.end = data["status"]
                self._take_end(_statuses(data))

    def _take_id(self, number: int) -> None:
        if self.last_id is not None and number < self.last_id:
            self._violate(f"went back from {self.last_id} to {number}")
        self.last_id = number

    def _take_progress(self, progress: float) -> None:
        if progress < self._progress:
            self._violate(f"fell from {self._progress} % to {progress} %")
        self._progress = progress

    def _take_end(self, stages: Mapping[str, str]) -> None:
        told = {name: self._stages.get(name) for name in stages}
        if told != stages:
            self._violate(f"ended with {stages}, told was {told}")

    def _violate(self, what: str) -> None:
        self.violations.append(f"the stream of {self._execution_id} {what}")


async def follow(
    followed: Followed,
    execution_id: str,
    session: aiohttp.ClientSession,
    links: Sequence[Link],
    chance: Random,
    clock: Clock,
) -> None:
    """Return with the end; each break is resumed at an orchestrator that chance chooses."""
    while followed.end is None:
        url = f"http://127.0.0.1:{chance.choice(links).port}/api/executions/{execution_id}/events"
        headers = {} if followed.last_id is None else {"Last-Event-ID": str(followed.last_id)}
        try:
            async with session.get(url, headers=headers, timeout=_QUIET) as response:
                if response.status == 200:
                    followed.resumed += followed.last_id is not None
                    await _read(followed, response)
                elif response.status not in _TURNED_AWAY:
                    followed.violations.append(f"the stream of {execution_id} was answered with {response.status}")
                    return
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        if followed.end is None:
            await clock.sleep(_AGAIN_S)


async def _read(followed: Followed, response: aiohttp.ClientResponse) -> None:
    parser = EventParser()
    async for chunk in response.content.iter_any():
        for event in parser.feed(chunk):
            followed.take(event)


def _statuses(document: Mapping[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["status"] for stage in document["stages"]}


async def settled(watches: "set[asyncio.Task[None]]", seconds: float) -> None:
    """Give the streams so long to end; what is open then is broken off."""
    if watches:
        _, open_still = await asyncio.wait(watches, timeout=seconds)
        for watch in open_still:
            watch.cancel()
        await asyncio.gather(*open_still, return_exceptions=True)
