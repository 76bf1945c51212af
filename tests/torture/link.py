"""A proxy between two parts of the system: what passes it can be delayed, cut, stalled and swallowed.

Everybody dials a link, nobody the other side itself. With several servers behind it, a link stays with the one that
it has until that one refuses it: where the orchestrator is scaled out, something like it stands in front.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from orchestrator.core.seams import Clock

_CHUNK: Final = 1 << 16
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_DIAL_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Address:
    """A port of this machine, or the path of a socket."""

    port: int = 0
    path: Path | None = None


class Cut(Exception):
    """Break the connection off in place of handing this on."""


class Cutter:
    """What is to be cut off, once, in place of being handed on."""

    def __init__(self) -> None:
        self._asked_for: dict[str, Callable[[], None]] = {}

    def ask(self, what: str, done: Callable[[], None]) -> None:
        """Cut at the next `what`, and say so by `done`."""
        self._asked_for[what] = done

    def spare(self, what: str) -> None:
        """Ask no longer."""
        self._asked_for.pop(what, None)

    def cut_at(self, what: str) -> None:
        """A tap has come to such a thing; raises `Cut` if it was asked for."""
        done = self._asked_for.pop(what, None)
        if done is not None:
            done()
            raise Cut


class Tap(Protocol):
    """What reads along on one connection. Both may change what passes, or raise `Cut`."""

    def asked(self, data: bytes) -> bytes:
        """From the one who dialled."""

    def told(self, data: bytes) -> bytes:
        """To the one who dialled."""


class Through:
    """Looks at nothing."""

    def asked(self, data: bytes) -> bytes:
        return data

    def told(self, data: bytes) -> bytes:
        return data


class Link:
    """One listening place and the connections through it."""

    def __init__(
        self,
        name: str,
        servers: Sequence[Address],
        clock: Clock,
        *,
        path: Path | None = None,
        tap: Callable[["Link"], Tap] = lambda _: Through(),
    ) -> None:
        self.name = name
        self.servers = list(servers)
        self.latency_s = 0.0
        self.is_refusing = False
        self.is_swallowing = False
        self.truncates = False
        self._clock = clock
        self.cutter = Cutter()
        self.answered_while_held = asyncio.Event()
        self.port = 0
        self._path = path
        self._tap = tap
        self._passages: set[_Passage] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen at the path, or else on a port that is `port` from now on."""
        if self._path is not None:
            self._server = await asyncio.start_unix_server(self._entered, self._path)
            return
        self._server = await asyncio.start_server(self._entered, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()

    def reset(self) -> int:
        """Break every connection off; returns how many there were."""
        passages = list(self._passages)
        for passage in passages:
            passage.abort()
        return len(passages)

    def stall(self) -> "list[_Passage]":
        """Let nothing more pass on the connections that there are, without either side's knowing: half-open."""
        for passage in self._passages:
            passage.is_stalled.clear()
        return list(self._passages)

    def hold_answers(self) -> "list[_Passage]":
        """Let nothing more come back on the connections that there are; `answered_while_held` tells of the first."""
        self.answered_while_held.clear()
        for passage in self._passages:
            passage.answers_pass.clear()
        return list(self._passages)

    async def _entered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.take(reader, writer)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes = b"") -> None:
        """A connection of which `head` has been read already, to its end."""
        if self.is_refusing:
            abort(writer)
            return
        try:
            dialled = await self._dial()
        except (OSError, TimeoutError):
            abort(writer)
            return
        dialled[1].write(head)
        passage = _Passage(self, self._tap(self), self._clock, (reader, writer), dialled)
        if self.is_swallowing:
            passage.is_stalled.clear()
        self._passages.add(passage)
        try:
            await passage.run()
        finally:
            self._passages.discard(passage)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The first server that answers, beginning with the one that answered last."""
        for _ in self.servers[1:]:
            with suppress(OSError, TimeoutError):
                return await _connect(self.servers[0])
            self.servers.append(self.servers.pop(0))
        return await _connect(self.servers[0])


class _Passage:
    """One connection through a link."""

    def __init__(
        self,
        link: Link,
        tap: Tap,
        clock: Clock,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._link = link
        self._tap = tap
        self._clock = clock
        self._near = near
        self._far = far
        self.is_stalled = asyncio.Event()
        self.is_stalled.set()
        self.answers_pass = asyncio.Event()
        self.answers_pass.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        self._tasks = [asyncio.create_task(self._forth()), asyncio.create_task(self._back())]
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.abort()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()
        abort(self._near[1])
        abort(self._far[1])

    async def _forth(self) -> None:
        reader, writer = self._near[0], self._far[1]
        with suppress(OSError, Cut):
            while data := await reader.read(_CHUNK):
                await self._pass(writer, self._tap.asked(data))

    async def _back(self) -> None:
        reader, writer = self._far[0], self._near[1]
        with suppress(OSError, Cut):
            while data := await reader.read(_CHUNK):
                told = self._tap.told(data)
                if not self.answers_pass.is_set():
                    self._link.answered_while_held.set()
                    await self.answers_pass.wait()
                await self._pass(writer, told)

    async def _pass(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self.is_stalled.wait()
        if self._link.latency_s:
            await self._clock.sleep(self._link.latency_s)
        if self._link.truncates and len(data) > 1:
            self._link.truncates = False
            writer.write(data[: len(data) // 2])
            await writer.drain()
            raise Cut
        writer.write(data)
        await writer.drain()


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_DIAL_S):
        if address.path is not None:
            return await asyncio.open_unix_connection(address.path)
        return await asyncio.open_connection("127.0.0.1", address.port)


def abort(writer: asyncio.StreamWriter) -> None:
    """Close by a reset, where the connection knows such a thing."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_INET:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def socket_of(folder: Path) -> Path:
    """Where libpq looks for the server whose host is this folder."""
    return Path(os.fspath(folder)) / ".s.PGSQL.5432"
