"""The HTTP transport: the orchestrator posts arrays of packets to the worker, and the worker posts arrays to it.

What gathers while one array is on its way goes with the next. What an array carried that got no answer is lost, as with
a link that breaks: results are kept, and all of them are sent again.
"""

import asyncio

import aiohttp
import structlog

from protocol.codec import LARGE_BYTES, sift_orchestrator_frame
from protocol.errors import ProtocolError
from protocol.packets import Registered
from workers.kit.engine import Engine
from workers.kit.orchestrators import Orchestrators
from workers.kit.outbox import SLOWEST_BYTES_PER_S
from workers.kit.race import first_to_end
from workers.kit.seams import Clock
from workers.kit.timing import Timing

log = structlog.get_logger()

_RESEND_CHECKS_PER_PATIENCE = 4
_SHOWN_BYTES = 1_000


class Refused(aiohttp.ClientError):
    """The orchestrator did not take an array."""


class Posts:
    """Sends what the engine has to say for as long as it is heard. What is said to the worker comes by its server."""

    def __init__(
        self, session: aiohttp.ClientSession, orchestrators: Orchestrators, engine: Engine, clock: Clock, timing: Timing
    ) -> None:
        self._session = session
        self._orchestrators = orchestrators
        self._engine = engine
        self._clock = clock
        self._timing = timing
        # The first offers may come before the answer to the registration does.
        engine.outgoing.open()

    async def stay(self, registered: Registered) -> None:
        """Raises a connection's error, or `Refused`, when an array was not taken."""
        self._engine.link_up()
        path = f"api/workers/{registered.worker_id}/packets"
        try:
            await first_to_end(self._post(path), self._resend())
        finally:
            self._engine.outgoing.clear()

    async def _post(self, path: str) -> None:
        while True:
            frame = await self._engine.outgoing.frame()
            url = self._orchestrators.current / path
            timeout = aiohttp.ClientTimeout(total=self._timing.request_s + len(frame) / SLOWEST_BYTES_PER_S)
            async with self._session.post(url, data=frame, timeout=timeout, allow_redirects=False) as response:
                body = await response.read()
                status = response.status
            try:
                if status == 422:
                    log.error("packet.refused_there", answer=body[:_SHOWN_BYTES].decode(errors="replace"))
                elif status == 200:
                    await receive(self._engine, body)
                else:
                    raise Refused(f"an array of packets was answered with {status}")
            except ProtocolError as error:
                raise Refused(f"the answer to an array of packets cannot be read: {error}") from None

    async def _resend(self) -> None:
        while True:
            await self._clock.sleep(self._timing.resend.first_s / _RESEND_CHECKS_PER_PATIENCE)
            self._engine.resend_due()


async def receive(engine: Engine, frame: bytes) -> None:
    """Deals with those of the frame's packets that can be read; raises `ProtocolError` for what is no frame at all."""
    is_large = len(frame) > LARGE_BYTES
    sifted = await asyncio.to_thread(sift_orchestrator_frame, frame) if is_large else sift_orchestrator_frame(frame)
    for fault in sifted.faults:
        log.error("packet.refused", code=fault.code, path=fault.path, message=fault.message)
    for packet in sifted.packets:
        engine.receive(packet)
