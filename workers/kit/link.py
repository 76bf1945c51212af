"""The WebSocket transport: one connection that the worker dials, frames of packets in both directions."""

import asyncio

import aiohttp
import structlog
from yarl import URL

from protocol.codec import LARGE_BYTES, MAX_RESULT_BYTES, decode_orchestrator_frame
from protocol.errors import ProtocolError
from protocol.packets import OrchestratorPacket, Registered
from workers.kit.engine import Engine
from workers.kit.orchestrators import Orchestrators
from workers.kit.race import first_to_end
from workers.kit.seams import Clock
from workers.kit.timing import Timing

log = structlog.get_logger()

Socket = aiohttp.ClientWebSocketResponse[bool]

_RESEND_CHECKS_PER_PATIENCE = 4
_CLOSE_S = 2


class Link:
    """Dials, reads, writes; keeps nothing that the engine would miss when the connection breaks."""

    def __init__(
        self, session: aiohttp.ClientSession, orchestrators: Orchestrators, engine: Engine, clock: Clock, timing: Timing
    ) -> None:
        self._session = session
        self._orchestrators = orchestrators
        self._engine = engine
        self._clock = clock
        self._timing = timing

    async def stay(self, registered: Registered) -> None:
        """Serves one connection to its end."""
        dialled = self._session.ws_connect(
            self._orchestrators.current.join(URL(registered.websocket_url)),
            heartbeat=self._timing.ping_s,
            max_msg_size=MAX_RESULT_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
            decode_text=False,
        )
        async with dialled as socket:
            self._engine.link_up()
            log.info("worker.linked", worker_id=registered.worker_id, instance_id=registered.instance_id)
            try:
                await first_to_end(self._read(socket), self._write(socket), self._resend())
            finally:
                self._engine.link_down()

    async def _read(self, socket: Socket) -> None:
        """Deals with whole frames. One that breaks the protocol is dropped: all that it can hold is said again."""
        async for message in socket:
            if message.type is aiohttp.WSMsgType.ERROR:
                raise aiohttp.ClientError(f"the link broke: {message.data}")
            try:
                packets = await _decoded(message.data)
            except ProtocolError as error:
                log.error("link.frame_refused", code=error.code, path=error.path, message=error.message)
                continue
            for packet in packets:
                self._engine.receive(packet)

    async def _write(self, socket: Socket) -> None:
        while True:
            await socket.send_frame(await self._engine.outgoing.frame(), aiohttp.WSMsgType.TEXT)

    async def _resend(self) -> None:
        while True:
            await self._clock.sleep(self._timing.resend.first_s / _RESEND_CHECKS_PER_PATIENCE)
            self._engine.resend_due()


async def _decoded(frame: bytes) -> list[OrchestratorPacket]:
    """The frame's packets; the next frame is not read before this one has been dealt with."""
    if len(frame) > LARGE_BYTES:
        return await asyncio.to_thread(decode_orchestrator_frame, frame)
    return decode_orchestrator_frame(frame)
