"""A way to PostgreSQL that is cut where a test wants it: after the server has answered, before its answer arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

QUERY_DONE: Final = b"s\x00\x00\x00\x04Z\x00\x00\x00\x05I"
"""PortalSuspended and ReadyForQuery, idle: a statement of which one row was asked for is done, and committed."""


class CuttingProxy:
    """Passes bytes on, and drops a connection instead of an answer that has a certain text in it, once."""

    def __init__(self, host: str, port: int | None) -> None:
        self._host = host
        self._port = port
        self._text: bytes | None = None
        self._bridges: set[asyncio.Task[None]] = set()
        self.cut = asyncio.Event()

    def cut_at(self, text: bytes) -> None:
        """The next answer with this text in it never arrives."""
        self._text = text
        self.cut.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._port is None:
            from_server, to_server = await asyncio.open_unix_connection(self._host)
        else:
            from_server, to_server = await asyncio.open_connection(self._host, self._port)
        there = asyncio.create_task(self._pump(reader, to_server, answers=False))
        back = asyncio.create_task(self._pump(from_server, writer, answers=True))
        self._bridges |= {there, back}
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        for side in (writer, to_server):
            side.transport.abort()
        await asyncio.wait((there, back))
        self._bridges -= {there, back}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await source.read(1 << 16):
                if answers and self._text is not None and self._text in data:
                    self._text = None
                    self.cut.set()
                    return
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        for bridge in self._bridges:
            bridge.cancel()


@asynccontextmanager
async def a_cutting_proxy(dsn: str) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """A proxy in front of the server, and the address of the same database through it."""
    parts = urlsplit(dsn)
    folder = parse_qs(parts.query).get("host", [""])[0]
    port = parts.port or int(parse_qs(parts.query).get("port", ["5432"])[0])
    proxy = CuttingProxy(f"{folder}/.s.PGSQL.{port}", None) if folder else CuttingProxy(parts.hostname or "", port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    own_port = server.sockets[0].getsockname()[1]
    user = quote(parts.username or "", safe="")
    password = f":{quote(parts.password, safe='')}" if parts.password else ""
    try:
        yield proxy, f"postgresql://{user}{password}@127.0.0.1:{own_port}{parts.path}"
    finally:
        server.close()
        proxy.close()
