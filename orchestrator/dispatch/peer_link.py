"""One connection between two replicas: frames both ways, as many messages in each as there are to send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol, TypeVar

import aiohttp
from aiohttp import WSMsgType, web
from yarl import URL

from orchestrator.dispatch.peer_messages import Message, frame_of
from protocol.codec import LARGE_BYTES, MAX_RESULT_BYTES

FRAME_BYTES: Final = 1024 * 1024
MAX_FRAME_BYTES: Final = MAX_RESULT_BYTES + 64 * 1024
"""The largest result, and what is said around it."""

T = TypeVar("T")


class PeerSocket(Protocol):
    """A connection that carries frames whole and in order until one end has had enough."""

    async def send(self, frame: bytes) -> None:
        """Raises `ConnectionError` once the connection has ended."""

    def frames(self) -> AsyncIterator[bytes]:
        """What comes in, to the end of the connection."""

    async def close(self) -> None:
        """End the connection."""


Dial = Callable[[str, str], AbstractAsyncContextManager[PeerSocket]]
"""Connects to the replica of this id at this URL. Raises `OSError`, `TimeoutError` or `aiohttp.ClientError`."""


class PeerLink:
    """The sending half. Whatever is told in one turn of the loop leaves in as few frames as it fits."""

    def __init__(self, socket: PeerSocket) -> None:
        self._socket = socket
        self._waiting: list[bytes] = []
        self._due = asyncio.Event()

    def tell(self, message: Message) -> None:
        self._waiting.append(message.encoded())
        self._due.set()

    async def write(self) -> None:
        """Send what waits until the connection ends."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                try:
                    await self._socket.send(self._next_frame())
                except ConnectionError:
                    return

    def _next_frame(self) -> bytes:
        """As many messages as a frame of the usual size holds, and one at least."""
        size = count = 0
        while count < len(self._waiting) and (count == 0 or size + len(self._waiting[count]) <= FRAME_BYTES):
            size += len(self._waiting[count])
            count += 1
        messages, self._waiting = self._waiting[:count], self._waiting[count:]
        return frame_of(messages)


async def decoded(decode: Callable[[bytes], T], frame: bytes) -> T:
    """The frame's messages; a large one is read in a thread."""
    return await asyncio.to_thread(decode, frame) if len(frame) > LARGE_BYTES else decode(frame)


class WebSocket:
    """A `PeerSocket` on either end of a WebSocket."""

    def __init__(self, socket: "web.WebSocketResponse | aiohttp.ClientWebSocketResponse[bool]") -> None:
        self._socket = socket

    async def send(self, frame: bytes) -> None:
        await self._socket.send_bytes(frame)

    async def frames(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY:
                return
            yield message.data

    async def close(self) -> None:
        await self._socket.close()


def dialler(session: aiohttp.ClientSession, secret: str, replica_id: str, ping_seconds: float) -> Dial:
    """Dials as this replica. A peer that does not answer a ping within half of `ping_seconds` is taken for gone."""
    headers = {"Authorization": f"Bearer {secret}", "X-Worker-ID": replica_id}

    @asynccontextmanager
    async def dial(url: str, peer_id: str) -> AsyncIterator[PeerSocket]:
        async with session.ws_connect(
            URL(url) / "api/replicas" / peer_id / "link",
            headers=headers,
            heartbeat=ping_seconds,
            max_msg_size=MAX_FRAME_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=ping_seconds),
        ) as socket:
            yield WebSocket(socket)

    return dial


class Host(Protocol):
    """Who speaks with the replicas that dial this one."""

    async def serve(self, peer_id: str, socket: PeerSocket) -> None:
        """To the end of the connection."""


async def serve_peer(request: web.Request, host: Host, peer_id: str, ping_seconds: float) -> web.WebSocketResponse:
    """The other end: a replica dialled this one."""
    socket = web.WebSocketResponse(heartbeat=ping_seconds, max_msg_size=MAX_FRAME_BYTES, compress=False)
    await socket.prepare(request)
    await host.serve(peer_id, WebSocket(socket))
    await socket.close()
    return socket
