"""The event streams of executions, as server-sent events.

A stream watches the hub before it reads the execution, so nothing falls in between. Who was too slow, or watches what
another replica drives, falls behind and is told by reading it again, in one read with all who watch the same. One look
at all streams finds those whose client is gone or has long heard nothing, so a quiet one costs nothing. Invariant: a
stream ends with the event `end`, or it broke and can be resumed.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import structlog
from aiohttp import web
from pydantic import Field

from orchestrator.core.requests import UnknownExecution
from orchestrator.store.blobs import ArtifactLost
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.executions import Snapshot
from orchestrator.web.at_once import AtOnce
from orchestrator.web.call import Call
from orchestrator.web.fields import ClientModel
from orchestrator.web.ports import Services, Watcher
from orchestrator.web.shared_reads import SharedReads
from orchestrator.web.told import Event, Told

LOOK_SECONDS: Final = 2.0
"""So often it is looked whether the clients are still there."""
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


@dataclass(eq=False, slots=True)
class _Stream:
    """One open stream; `written_at` is when its client was last sent something, in monotonic seconds."""

    request: web.Request
    watcher: Watcher
    written_at: float

    @property
    def is_gone(self) -> bool:
        transport = self.request.transport
        return transport is None or transport.is_closing()


class Streams:
    """The open streams of this process."""

    def __init__(self, services: Services) -> None:
        self._hub = services.hub
        self._clock = services.clock
        self._reads = SharedReads(services.executions.find)
        self._counts = AtOnce("too_many_streams", "streams are open already; close one first")
        self._open: set[_Stream] = set()
        self._closing = False

    async def keep(self) -> None:
        """Look after the streams, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Wake the streams that have something to do though nothing happened."""
        long_ago = self._clock.monotonic() - KEEP_ALIVE_SECONDS
        for stream in self._open:
            if stream.written_at <= long_ago or stream.is_gone:
                stream.watcher.wake()

    async def close(self, app: web.Application) -> None:
        """Have every stream break off; its client resumes it elsewhere."""
        self._closing = True
        for stream in self._open:
            stream.watcher.wake()

    async def serve(self, call: Call, query: EventsQuery) -> web.StreamResponse:
        """One stream, from its first event to its last; raises `UnknownExecution`, and `Refused` 429 past the most."""
        execution_id = call.named("executionId")
        with self._counts.counted(call.client_id, MOST_OF_A_CLIENT):
            stream = _Stream(call.request, self._hub.watch(execution_id), self._clock.monotonic())
            self._open.add(stream)
            try:
                snapshot = await self._read(call.client_id, execution_id, stream.watcher)
                told = Told(_sequence(call.request.headers.get("Last-Event-ID", query.last_event_id)))
                return await self._tell(call.client_id, execution_id, stream, snapshot, told)
            finally:
                self._open.discard(stream)
                self._hub.leave(stream.watcher)

    async def _tell(
        self, client_id: str, execution_id: str, stream: _Stream, snapshot: Snapshot, told: Told
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA_TYPE, "X-Accel-Buffering": "no"})
        watcher = stream.watcher
        try:
            await response.prepare(stream.request)
            await response.write(_PREAMBLE + _encoded(told.of_snapshot(snapshot)))
            stream.written_at = self._clock.monotonic()
            read = partial(self._read, client_id, execution_id, watcher)
            while not (told.ended or self._closing or stream.is_gone):
                events = await next_events(watcher, told, read)
                if events:
                    await response.write(_encoded(events))
                elif self._clock.monotonic() - stream.written_at >= KEEP_ALIVE_SECONDS:
                    await response.write(_KEEP_ALIVE)
                else:
                    continue
                stream.written_at = self._clock.monotonic()
        except ConnectionError:
            log.debug("stream.left", execution_id=execution_id)
        except (ArtifactLost, *UNAVAILABLE) as error:
            if not response.prepared:
                raise
            log.warning("stream.broken", execution_id=execution_id, error=repr(error))
        return response

    async def _read(self, client_id: str, execution_id: str, watcher: Watcher) -> Snapshot:
        snapshot = await self._reads.of(client_id, execution_id)
        if snapshot is None:
            raise UnknownExecution(execution_id)
        watcher.stands_at = snapshot.sequence
        return snapshot


async def next_events(watcher: Watcher, told: Told, read: Callable[[], Awaitable[Snapshot]]) -> list[Event]:
    """What a stream tells next, after its first snapshot; nothing if it was only woken."""
    notices = await watcher.next()
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


def _sequence(last_event_id: str | None) -> int | None:
    """The sequence number in a Last-Event-ID; None for none, and for one that no stream gave."""
    return int(last_event_id) if last_event_id is not None and _NUMBER.fullmatch(last_event_id) else None


def _encoded(events: Iterable[Event]) -> bytes:
    return b"".join(event.encode() for event in events)
