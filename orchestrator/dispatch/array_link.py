"""Arrays of packets over plain HTTP to a worker's URL: whatever gathered during one call goes with the next.

One call at a time keeps the packets in order. A call without an answer leaves unknown what of it arrived. Then the
fences of its offers die, and everything else is sent again, for a worker takes a repetition for what it is.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from orchestrator.core.seams import Clock
from orchestrator.core.standing import Offence
from orchestrator.dispatch.called_link import CalledLink, Place, Unreadable, described
from orchestrator.dispatch.frames import fitting
from orchestrator.dispatch.link import Receiver
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.transport import CALL_FAULTS, Reply
from protocol.codec import LARGE_BYTES, MAX_RESULT_BYTES, sift_worker_frame
from protocol.errors import ProtocolError
from protocol.packets import Ack, Cancel, Offer, OrchestratorPacket, WorkerPacket

PATH: Final = "/api/packets"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A packet on its way, and since when, in monotonic seconds."""

    packet: OrchestratorPacket
    encoded: bytes
    since: float


class ArrayLink(CalledLink):
    """One worker that is reached by its URL and takes arrays. `offended` notes what it says that nobody can read."""

    def __init__(
        self,
        worker_id: str,
        place: Place,
        receiver: Receiver,
        tasks: Tasks,
        clock: Clock,
        offended: Callable[[str, Offence], None],
    ) -> None:
        super().__init__(worker_id, place)
        self._receiver = receiver
        self._tasks = tasks
        self._clock = clock
        self._offended = offended
        self._waiting: list[Waiting] = []
        self._posting: asyncio.Task[None] | None = None

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        self._waiting.append(Waiting(packet, encoded, self._clock.monotonic()))
        if self._posting is None:
            self._posting = self._tasks.create_task(self._post_all())

    def take_repeatable(self) -> bytes:
        """A frame for the answer to a call of the worker's, which may be lost without anybody's knowing.

        It takes of what waits the acks and the `stale` cancels: who provoked them and does not hear of them does so
        again.
        """
        taken = [each for each in self._waiting if _is_repeatable(each.packet)]
        if taken:
            self._waiting = [each for each in self._waiting if not _is_repeatable(each.packet)]
        return _frame(taken)

    def close(self, reason: str) -> None:
        self._waiting.clear()
        if self._posting is not None:
            self._posting.cancel(reason)

    def open_calls(self) -> list[int]:
        """None: no call lasts as long as an attempt."""
        return []

    async def probe(self, attempts: Sequence[tuple[str, str, int]]) -> bool:
        return await self.answers("/api/held")

    async def _post_all(self) -> None:
        try:
            while self._waiting:
                count = fitting(len(each.encoded) for each in self._waiting)
                array, self._waiting = self._waiting[:count], self._waiting[count:]
                if not await self._post(array):
                    await self._clock.sleep(self._pace.busy_again)
        finally:
            self._posting = None

    async def _post(self, array: Sequence[Waiting]) -> bool:
        """Whether the worker has the array."""
        try:
            packets = await self._read(await self.call("POST", PATH, _frame(array), MAX_RESULT_BYTES))
        except (Unreadable, *CALL_FAULTS) as fault:
            self._undelivered(array, described(fault))
            return False
        self._receiver.receive(self.worker_id, packets)
        return True

    async def _read(self, reply: Reply) -> Sequence[WorkerPacket]:
        if reply.status != 200:
            raise Unreadable(f"answered {reply.status} to an array of packets")
        is_large = len(reply.body) > LARGE_BYTES
        try:
            sifted = (
                await asyncio.to_thread(sift_worker_frame, reply.body) if is_large else sift_worker_frame(reply.body)
            )
        except ProtocolError as error:
            self._offended(self.worker_id, Offence.MALFORMED)
            raise Unreadable(f"cannot be understood: its answer to an array of packets: {error}") from None
        for fault in sifted.faults:
            self._offended(self.worker_id, Offence.MALFORMED)
            log.warning("packet.malformed", worker_id=self.worker_id, path=fault.path, why=fault.message)
        return sifted.packets

    def _undelivered(self, array: Sequence[Waiting], reason: str) -> None:
        """Nothing is known of the array, and the worker does not seem to be there for what waits behind it."""
        log.info("array.undelivered", worker_id=self.worker_id, packets=len(array), why=reason)
        # What is older than a lease speaks of nothing that lives: the attempt has been given up.
        earliest = self._clock.monotonic() - self._pace.lease
        undelivered = [*array, *self._waiting]
        self._waiting = [each for each in undelivered if each.since > earliest and not isinstance(each.packet, Offer)]
        for each in undelivered:
            if isinstance(each.packet, Offer):
                self._receiver.offer_unanswered(self.worker_id, each.packet.fence, reason)


def _frame(packets: Sequence[Waiting]) -> bytes:
    return b"[" + b",".join(each.encoded for each in packets) + b"]"


def _is_repeatable(packet: OrchestratorPacket) -> bool:
    return isinstance(packet, Ack) or (isinstance(packet, Cancel) and packet.reason == "stale")
