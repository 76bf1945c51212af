"""The event streams of executions, as server-sent events.

A stream watches the hub before it reads the execution, so nothing falls in between. Who was too slow, or watches what
another replica drives, falls behind and is told by reading it again. Invariant: a stream ends with the event `end`, or
it broke and can be resumed.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Annotated, Final

import structlog
from aiohttp import web
from pydantic import Field

from orchestrator.core.requests import UnknownExecution
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.executions import Snapshot
from orchestrator.web.at_once import AtOnce
from orchestrator.web.call import Call
from orchestrator.web.fields import ClientModel
from orchestrator.web.ports import Watcher
from orchestrator.web.told import Event, Told

QUIET_SECONDS: Final = 2.0
"""So often a stream looks whether its client is still there."""
KEEP_ALIVE_SECONDS: Final = 15.0
MOST_OF_A_CLIENT: Final = 64
MEDIA_TYPE: Final = "text/event-stream"

_PREAMBLE: Final = b"retry: 1000\n\n"
_KEEP_ALIVE: Final = b": still here\n\n"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")

log = structlog.get_logger()


class EventsQuery(ClientModel):
    """Where to resume, for those who cannot set the header Last-Event-ID."""

    last_event_id: Annotated[str, Field(max_length=100)] | None = None


class Streams:
    """The open streams of this process."""

    def __init__(self) -> None:
        advice = "streams are open already; close one first"
        self._open = AtOnce("too_many_streams", advice)
        self._closing = False

    async def close(self, app: web.Application) -> None:
        """Have every stream break off; its client resumes it elsewhere."""
        self._closing = True

    async def serve(self, call: Call, query: EventsQuery) -> web.StreamResponse:
        """One stream, from its first event to its last; raises `UnknownExecution`, and `Refused` 429 past the most."""
        execution_id = call.named("executionId")
        with self._open.counted(call.client_id, MOST_OF_A_CLIENT):
            watcher = call.services.hub.watch(execution_id)
            try:
                snapshot = await _read(call, execution_id)
                told = Told(_sequence(call.request.headers.get("Last-Event-ID", query.last_event_id)))
                return await self._tell(call, execution_id, watcher, snapshot, told)
            finally:
                call.services.hub.leave(watcher)

    async def _tell(
        self, call: Call, execution_id: str, watcher: Watcher, snapshot: Snapshot, told: Told
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA_TYPE, "X-Accel-Buffering": "no"})
        clock = call.services.clock
        try:
            await response.prepare(call.request)
            await response.write(_PREAMBLE + _encoded(told.of_snapshot(snapshot)))
            written_at = clock.monotonic()
            while not (told.ended or self._closing or _is_gone(call.request)):
                events = await next_events(watcher, told, partial(_read, call, execution_id))
                if events:
                    await response.write(_encoded(events))
                    written_at = clock.monotonic()
                elif clock.monotonic() - written_at >= KEEP_ALIVE_SECONDS:
                    await response.write(_KEEP_ALIVE)
                    written_at = clock.monotonic()
        except ConnectionError:
            log.debug("stream.left", execution_id=execution_id)
        except UNAVAILABLE as error:
            if not response.prepared:
                raise
            log.warning("stream.broken", execution_id=execution_id, error=repr(error))
        return response


async def next_events(watcher: Watcher, told: Told, read: Callable[[], Awaitable[Snapshot]]) -> list[Event]:
    """What a stream tells next, after its first snapshot; nothing after a quiet while."""
    notices = await watcher.next(QUIET_SECONDS)
    events: list[Event] = []
    if watcher.behind:
        # Cleared before the read: what is lost during it is noticed at the next turn.
        watcher.behind = False
        events = told.of_snapshot(await read())
    return events + told.of_notices(notices)


STREAMS: Final = web.AppKey("streams", Streams)


async def events(call: Call, query: EventsQuery) -> web.StreamResponse:
    """`GET /api/executions/{executionId}/events`."""
    return await call.request.app[STREAMS].serve(call, query)


async def _read(call: Call, execution_id: str) -> Snapshot:
    snapshot = await call.services.executions.find(call.client_id, execution_id)
    if snapshot is None:
        raise UnknownExecution(execution_id)
    return snapshot


def _sequence(last_event_id: str | None) -> int | None:
    """The sequence number in a Last-Event-ID; None for none, and for one that no stream gave."""
    return int(last_event_id) if last_event_id is not None and _NUMBER.fullmatch(last_event_id) else None


def _encoded(events: Iterable[Event]) -> bytes:
    return b"".join(event.encode() for event in events)


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
