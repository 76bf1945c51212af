"""Just enough of an HTTP client for a load: keep-alive connections, one call at a time on each, nothing parsed twice.

A full client costs several times what it asks the server to do, and both share the cores here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from tests.integration.system import API_KEY

_LENGTH: Final = b"content-length:"


class Connection:
    """One connection to the API, as the client whose key the bench's systems know."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._headers = f"Host: {host}\r\nX-API-Key: {API_KEY}\r\n"

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The answer's status and body. The server has to say how long that is, as this one always does."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(_LENGTH))
        return status, await self._reader.readexactly(int(length[len(_LENGTH) :]))


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """That many open connections to the server at `url`."""
    host, _, port = urlsplit(url).netloc.partition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
    try:
        yield [Connection(reader, writer, f"{host}:{port}") for reader, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()
