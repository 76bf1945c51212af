"""Files as artifacts on the client's side: sent and received piece by piece, and hashed on the way.

What is received is whole: a file has the hash that was asked for under its final name, or it is not there.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

PIECE_BYTES: Final = 256 * 1024
QUIET_SECONDS: Final = 60.0
"""How long a transfer may stand still."""


class WrongHash(Exception):
    """What arrived is not what was sent, or asked for."""


class Outgoing:
    """Bytes, or a file's content, on their way out. Entered once for each try; times out when nothing moves."""

    def __init__(self, source: Path | bytes) -> None:
        self._source = source
        self._hash = sha256()
        self._bound = asyncio.timeout(QUIET_SECONDS)
        self.size = 0

    async def __aenter__(self) -> Self:
        source = self._source
        self._file = BytesIO(source) if isinstance(source, bytes) else await asyncio.to_thread(open, source, "rb")
        self.size = await asyncio.to_thread(self._file.seek, 0, os.SEEK_END)
        await asyncio.to_thread(self._file.seek, 0)
        await self._bound.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        await self._bound.__aexit__(kind, error, trace)

    async def pieces(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, PIECE_BYTES):
            self._hash.update(piece)
            yield piece
            self._bound.reschedule(asyncio.get_running_loop().time() + QUIET_SECONDS)

    def check(self, digest: str) -> None:
        """Raise `WrongHash` unless this is the hash of what was sent."""
        if digest != self._hash.hexdigest():
            raise WrongHash("the server has other bytes than were sent")


async def receive(response: aiohttp.ClientResponse, digest: str, to: Path) -> None:
    """Write the response's body to `to`, in place of what was there; raises `WrongHash`, and then it is untouched."""
    partial = to.with_name(f"{to.name}.{os.getpid()}.partial")
    arrived = sha256()
    try:
        with await asyncio.to_thread(open, partial, "wb") as file:
            async for piece in response.content.iter_chunked(PIECE_BYTES):
                arrived.update(piece)
                await asyncio.to_thread(file.write, piece)
        if arrived.hexdigest() != digest:
            raise WrongHash("what arrived does not have the hash that was asked for")
        await asyncio.to_thread(partial.replace, to)
    finally:
        partial.unlink(missing_ok=True)
