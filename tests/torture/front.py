"""Where replicas dial one of them: who dials is read from the request, and the link of the two carries on from there.

All of them know the dialled one by the same URL, so a link for each pair has to tell them apart behind it. Replicas
name each other by the ids that they have in the database: whose each is, is learned from whom it is dialled as.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from tests.torture.link import Link, abort

_DIALLED: Final = re.compile(rb"GET /api/replicas/([^/ ]+)/link ")
_DIALLING: Final = re.compile(rb"\r\nx-worker-id: ([^\r]+)\r\n", re.IGNORECASE)
_HEAD_S: Final = 5.0

Names = dict[bytes, str]
"""By replica id: the orchestrator that was last dialled under it. One for all fronts."""


class Front:
    """The public address of one orchestrator; `links` are the ways to it, by the orchestrator that dials."""

    def __init__(self, orchestrator: str, links: Mapping[str, Link], names: Names) -> None:
        self._orchestrator = orchestrator
        self._links = links
        self._names = names
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Listen on a port that is `port` from now on."""
        self._server = await asyncio.start_server(self._entered, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _entered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            abort(writer)
            return
        link = self._link_of(head)
        if link is None:
            abort(writer)
        else:
            await link.take(reader, writer, head)

    def _link_of(self, head: bytes) -> Link | None:
        """None for one that nobody has dialled yet: it is dialled soon, and dials again."""
        dialled, dialling = _DIALLED.match(head), _DIALLING.search(head)
        if dialled is None or dialling is None:
            return None
        self._names[dialled[1]] = self._orchestrator
        return self._links.get(self._names.get(dialling[1], ""))
