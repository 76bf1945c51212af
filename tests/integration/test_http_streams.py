"""Event streams: the whole execution first, then what happens, each fact once, to the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from orchestrator.core.document import execution_document
from orchestrator.core.events import CancelRequested, Owned
from orchestrator.dispatch.watch import BACKLOG, Notice
from orchestrator.event_stream import Event, EventParser
from orchestrator.store.executions import Snapshot
from orchestrator.web import streams
from orchestrator.web.streams import KEEP_ALIVE_SECONDS
from tests.factories import an_execution, happen
from tests.integration.http_api import CLIENT_KEY, OTHER_KEY, Api, serving
from tests.integration.http_parts import CLIENT, Parts
from tests.integration.system import until

QUIET: list[Notice] = []


@dataclass(slots=True)
class ScriptedWatcher:
    """Hears what a test says, when the test says it."""

    said: asyncio.Queue[list[Notice]] = field(default_factory=asyncio.Queue)
    behind: bool = False
    stands_at: int | None = None

    async def next(self) -> list[Notice]:
        return await self.said.get()

    def wake(self) -> None:
        self.hear(QUIET)

    def fall_behind(self) -> None:
        """As when another replica did something."""
        self.behind = True
        self.wake()

    def hear(self, *batches: list[Notice]) -> None:
        for batch in batches:
            self.said.put_nowait(batch)


@dataclass(slots=True)
class ScriptedHub:
    """One watcher for everybody; `left` is set when somebody has gone."""

    watcher: ScriptedWatcher = field(default_factory=ScriptedWatcher)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, execution_id: str) -> ScriptedWatcher:
        return self.watcher

    def leave(self, watcher: ScriptedWatcher) -> None:
        self.left.set()


@pytest.fixture
def hub(parts: Parts) -> ScriptedHub:
    parts.hub = hub = ScriptedHub()
    return hub


@pytest.fixture
async def api(parts: Parts, hub: ScriptedHub) -> AsyncIterator[Api]:
    """The API over the scripted hub."""
    async with serving(parts.services()) as api:
        yield api


def a_snapshot(parts: Parts, sequence: int, *, status: str = "queued") -> dict[str, Any]:
    """What is durable of the execution from now on; returns its document."""
    execution = an_execution()
    if status == "running":
        happen(execution, Owned())
    if status == "cancelled":
        happen(execution, CancelRequested())
    parts.executions.snapshots[CLIENT, "exec_1"] = Snapshot(execution, sequence, None)
    return execution_document(execution)


def a_stage(sequence: int) -> Notice:
    return Notice(sequence, "stage", {"number": sequence})


def the_end(sequence: int) -> Notice:
    return Notice(sequence, "end", {"status": "completed"})


class Stream:
    """An open stream, read event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self._parser = EventParser()
        self._events: list[Event] = []

    async def next(self) -> Event | None:
        """The next event; None when the stream has ended."""
        while not self._events:
            chunk = await self.response.content.readany()
            if not chunk:
                return None
            self._events += self._parser.feed(chunk)
        return self._events.pop(0)

    async def rest(self) -> list[tuple[str, Any, str | None]]:
        """Name, data and last id of each event up to the end of the stream."""
        events = []
        while (event := await self.next()) is not None:
            events.append((event.name, event.data, event.id))
        return events


@asynccontextmanager
async def watching(api: Api, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    url = f"{api.url}/api/executions/exec_1/events{query}"
    async with api.session.get(url, headers={**CLIENT_KEY, **headers}) as response:
        assert response.status == 200, await response.read()
        yield Stream(response)


async def test_a_stream_tells_the_whole_and_then_what_happens_to_the_end(
    api: Api, parts: Parts, hub: ScriptedHub
) -> None:
    document = a_snapshot(parts, 4)
    hub.watcher.hear([a_stage(5)], [Notice(6, "log", {"message": "hi"}), a_stage(7), the_end(8)])
    async with watching(api) as stream:
        told = await stream.rest()

    assert told == [
        ("snapshot", document, "4"),
        ("stage", {"number": 5}, "5"),
        ("log", {"message": "hi"}, "5"),
        ("stage", {"number": 7}, "7"),
        ("end", {"status": "completed"}, "8"),
    ]


async def test_a_stream_is_one_to_browsers_and_proxies(api: Api, parts: Parts) -> None:
    a_snapshot(parts, 4, status="cancelled")
    async with watching(api) as stream:
        headers = stream.response.headers
        raw = await stream.response.read()

    assert headers["Content-Type"] == "text/event-stream"
    assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert headers["X-Request-ID"] == "req_1"
    assert raw.startswith(b"retry: 1000\n\nid: 4\nevent: snapshot\ndata: {")


async def test_nothing_falls_between_the_watching_and_the_reading(parts: Parts) -> None:
    a_snapshot(parts, 4)

    def meanwhile() -> None:
        for notice in (a_stage(4), a_stage(5), the_end(6)):
            parts.hub.publish("exec_1", notice)

    parts.executions.on_read = meanwhile
    async with serving(parts.services()) as api, watching(api) as stream:
        told = await stream.rest()

    assert [(name, number) for name, _, number in told] == [("snapshot", "4"), ("stage", "5"), ("end", "6")]


async def test_a_final_execution_is_told_and_ended(api: Api, parts: Parts) -> None:
    document = a_snapshot(parts, 9, status="cancelled")
    async with watching(api) as stream:
        told = await stream.rest()

    assert told == [("snapshot", document, "9"), ("end", document, "9")]


@pytest.mark.parametrize(
    ("query", "headers"),
    [("", {"Last-Event-ID": "4"}), ("?lastEventId=4", {}), ("?lastEventId=1", {"Last-Event-ID": "4"})],
)
async def test_a_stream_resumes_after_what_was_told(
    api: Api, parts: Parts, hub: ScriptedHub, query: str, headers: dict[str, str]
) -> None:
    a_snapshot(parts, 4)
    hub.watcher.hear([a_stage(5), the_end(6)])
    async with watching(api, query, **headers) as stream:
        told = await stream.rest()

    assert [name for name, _, _ in told] == ["stage", "end"]


@pytest.mark.parametrize("last", ["3", "99", "", "x", "-1", "4.0", "9" * 50])
async def test_a_stream_that_resumes_anywhere_else_begins_anew(
    api: Api, parts: Parts, hub: ScriptedHub, last: str
) -> None:
    a_snapshot(parts, 4)
    hub.watcher.hear([the_end(5)])
    async with watching(api, **{"Last-Event-ID": last}) as stream:
        told = await stream.rest()

    assert [name for name, _, _ in told] == ["snapshot", "end"]


async def test_one_who_was_too_slow_is_told_the_whole_again(api: Api, parts: Parts, hub: ScriptedHub) -> None:
    a_snapshot(parts, 4)
    async with watching(api) as stream:
        await stream.next()
        document = a_snapshot(parts, 400, status="running")
        hub.watcher.behind = True
        hub.watcher.hear([a_stage(number) for number in range(401 - BACKLOG, 402)], [the_end(402)])
        told = await stream.rest()

    assert not hub.watcher.behind
    assert [(name, number) for name, _, number in told] == [("snapshot", "400"), ("stage", "401"), ("end", "402")]
    assert told[0][1] == document


async def test_what_another_replica_did_is_found_by_reading_again(api: Api, parts: Parts, hub: ScriptedHub) -> None:
    a_snapshot(parts, 4)
    async with watching(api) as stream:
        await stream.next()
        hub.watcher.hear(QUIET)
        running = a_snapshot(parts, 6, status="running")
        hub.watcher.fall_behind()
        first = await stream.next()
        final = a_snapshot(parts, 9, status="cancelled")
        hub.watcher.fall_behind()
        rest = await stream.rest()

    assert first == Event("snapshot", running, "6")
    assert rest == [("snapshot", final, "9"), ("end", final, "9")]


async def test_all_who_watch_the_same_are_told_by_one_reading(parts: Parts) -> None:
    a_snapshot(parts, 4)
    async with serving(parts.services()) as api, AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(api)) for _ in range(10)]
        for stream in watchers:
            await stream.next()
        final = a_snapshot(parts, 9, status="cancelled")
        reads = parts.executions.reads
        parts.hub.stands_at("exec_1", 9)
        told = [await stream.rest() for stream in watchers]

    assert told == [[("snapshot", final, "9"), ("end", final, "9")]] * 10
    assert parts.executions.reads == reads + 1


async def test_who_has_read_as_far_as_another_replica_went_reads_nothing_again(parts: Parts) -> None:
    a_snapshot(parts, 4)
    async with serving(parts.services()) as api, watching(api) as stream:
        await stream.next()
        parts.hub.stands_at("exec_1", 4)
        parts.hub.publish("exec_1", the_end(5))
        told = await stream.rest()

    assert [name for name, _, _ in told] == ["end"]
    assert parts.executions.reads == 1


async def test_a_look_at_the_streams_wakes_none_that_has_nothing_to_do(
    api: Api, parts: Parts, hub: ScriptedHub
) -> None:
    a_snapshot(parts, 4)
    async with watching(api) as stream:
        await stream.next()
        api.streams.look()

        assert hub.watcher.said.empty()


async def test_a_long_silence_is_broken_by_a_comment(api: Api, parts: Parts, hub: ScriptedHub) -> None:
    a_snapshot(parts, 4)
    async with watching(api) as stream:
        await stream.next()
        api.streams.look()
        parts.clock.advance(KEEP_ALIVE_SECONDS)
        api.streams.look()
        comment = await stream.response.content.readuntil(b"\n\n")
        hub.watcher.hear([the_end(5)])
        rest = await stream.rest()

    assert (comment, [name for name, _, _ in rest]) == (b": still here\n\n", ["end"])


async def test_who_leaves_is_not_watched_for_any_more(api: Api, parts: Parts, hub: ScriptedHub) -> None:
    a_snapshot(parts, 4)

    def has_left() -> bool:
        api.streams.look()
        return hub.left.is_set()

    async with watching(api) as stream:
        await stream.next()
        stream.response.close()
        await until(has_left, "the stream is given up")


async def test_a_client_has_so_many_streams_and_no_more(
    api: Api, parts: Parts, hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_OF_A_CLIENT", 2)
    a_snapshot(parts, 4)
    async with watching(api) as first, watching(api) as second:
        refused = await api.get("/api/executions/exec_1/events")
        other = await api.get("/api/executions/exec_1/events", by=OTHER_KEY)
        hub.watcher.hear([the_end(5)], [the_end(5)])
        await first.rest()
        await second.rest()
    a_snapshot(parts, 6, status="cancelled")
    async with watching(api) as again:
        await again.rest()

    assert (refused.status, refused.code, other.status) == (429, "too_many_streams", 404)


async def test_a_database_that_goes_away_breaks_the_stream_off_without_an_end(
    api: Api, parts: Parts, hub: ScriptedHub
) -> None:
    a_snapshot(parts, 4)
    async with watching(api) as stream:
        await stream.next()
        parts.executions.fault = ConnectionRefusedError()
        hub.watcher.fall_behind()
        rest = await stream.rest()

    assert rest == []


async def test_a_database_that_is_away_is_told_before_the_stream_begins(api: Api, parts: Parts) -> None:
    parts.executions.fault = TimeoutError()

    assert (await api.get("/api/executions/exec_1/events")).status == 503


async def test_a_fault_of_ours_in_the_middle_breaks_the_stream_off(api: Api, parts: Parts, hub: ScriptedHub) -> None:
    a_snapshot(parts, 4)
    async with watching(api) as stream:
        await stream.next()
        parts.executions.fault = ZeroDivisionError()
        hub.watcher.fall_behind()
        rest = await stream.rest()

    assert rest == []


async def test_a_server_that_stops_lets_its_streams_go(parts: Parts, hub: ScriptedHub) -> None:
    a_snapshot(parts, 4)
    async with aiohttp.ClientSession() as session:
        async with serving(parts.services()) as api:
            response = await session.get(f"{api.url}/api/executions/exec_1/events", headers=CLIENT_KEY)
        told = await Stream(response).rest()

    assert [name for name, _, _ in told] == ["snapshot"]
    assert hub.left.is_set()
