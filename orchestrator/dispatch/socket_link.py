"""The WebSocket that a worker dials: JSON arrays of packets both ways, as many in a frame as there are to send."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from aiohttp.http import WebSocketError

from orchestrator.core.standing import Offence
from orchestrator.dispatch.frames import fitting
from orchestrator.dispatch.home import Home
from orchestrator.dispatch.link import Receiver
from protocol.codec import LARGE_BYTES, MAX_RESULT_BYTES, decode_worker_frame
from protocol.errors import ProtocolError
from protocol.packets import OrchestratorPacket, WorkerPacket

PING_SECONDS: Final = 10.0
BACKLOG_BYTES: Final = 256 * 1024 * 1024
"""A worker that reads so slowly that this much waits for it is cut off; its leases decide the rest."""

log = structlog.get_logger()


class SocketLink:
    """One open WebSocket. Whatever is sent in one turn of the loop leaves in one frame."""

    def __init__(self, worker_id: str, socket: web.WebSocketResponse) -> None:
        self.worker_id = worker_id
        self._socket = socket
        self._outgoing: list[bytes] = []
        self._waiting_bytes = 0
        self._due = asyncio.Event()
        self._closing: str | None = None

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        self._outgoing.append(encoded)
        self._waiting_bytes += len(encoded)
        self._due.set()

    def close(self, reason: str) -> None:
        self._closing = reason
        self._due.set()

    async def write(self) -> None:
        """Send what is waiting until the link is closed."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._outgoing:
                await self._socket.send_frame(self._next_frame(), WSMsgType.TEXT)
            if self._closing is not None or self._waiting_bytes > BACKLOG_BYTES:
                reason = (self._closing or "reads too slowly").encode()
                await self._socket.close(code=WSCloseCode.GOING_AWAY, message=reason)
                return

    def _next_frame(self) -> bytes:
        """As many of the waiting packets as a frame of the usual size holds, and one at least."""
        count = fitting(map(len, self._outgoing))
        packets, self._outgoing = self._outgoing[:count], self._outgoing[count:]
        self._waiting_bytes -= sum(map(len, packets))
        return b"[" + b",".join(packets) + b"]"


async def serve_link(request: web.Request, home: Home, receiver: Receiver, worker_id: str) -> web.WebSocketResponse:
    """Hold one worker's WebSocket, from its upgrade to its end."""
    socket = web.WebSocketResponse(heartbeat=PING_SECONDS, max_msg_size=MAX_RESULT_BYTES, compress=False)
    await socket.prepare(request)
    link = SocketLink(worker_id, socket)
    home.connected(worker_id, link)
    writer = asyncio.create_task(link.write())
    try:
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                if _is_too_big(message):
                    home.offended(worker_id, Offence.TOO_LARGE)
                break
            receiver.receive(worker_id, await _decoded(message.data))
    except ProtocolError as error:
        home.offended(worker_id, Offence.MALFORMED)
        log.warning("link.malformed", worker_id=worker_id, code=error.code, path=error.path, why=error.message)
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode()[:120])
    finally:
        home.disconnected(worker_id, link)
        writer.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await writer
    return socket


def _is_too_big(message: WSMessage) -> bool:
    return isinstance(message.data, WebSocketError) and message.data.code == WSCloseCode.MESSAGE_TOO_BIG


async def _decoded(frame: str | bytes) -> list[WorkerPacket]:
    """The frame's packets; the next frame is not read before this one has been dealt with."""
    return await asyncio.to_thread(_decode, frame) if len(frame) > LARGE_BYTES else _decode(frame)


def _decode(frame: str | bytes) -> list[WorkerPacket]:
    return decode_worker_frame(frame.encode() if isinstance(frame, str) else frame)
