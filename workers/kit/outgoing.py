"""Packets waiting for the transport's next write: whatever gathered since the last one leaves as one frame.

While the link is down nothing is kept here. A result waits in the outbox, an unanswered offer is asked again, and a
report is worth nothing once it is old.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

FRAME_BYTES: Final = 1024 * 1024
REPORTS_BEHIND: Final = 10_000


class Outgoing:
    """One transport's queue, filled and emptied on the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._is_open = False

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        self._is_open = False
        self.clear()

    def clear(self) -> None:
        """Forgets what waits: nobody will hear it in time."""
        self._waiting.clear()

    def put(self, packet: bytes) -> None:
        """Queues an encoded packet."""
        if self._is_open:
            self._waiting.append(packet)
            self._filled.set()

    def put_report(self, packet: bytes) -> None:
        """Queues progress or a log line, unless the link is so far behind that reports would fill the memory."""
        if len(self._waiting) < REPORTS_BEHIND:
            self.put(packet)

    async def frame(self) -> bytes:
        """Waits for packets and takes as many as one frame should hold, at least one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return joined(self.take())

    def take(self) -> list[bytes]:
        """As many of the packets that wait as one frame should hold: none if none waits, else at least one."""
        packets: list[bytes] = []
        size = 0
        while self._waiting and (not packets or size + len(self._waiting[0]) <= FRAME_BYTES):
            packets.append(self._waiting.popleft())
            size += len(packets[-1])
        return packets


def joined(packets: Iterable[bytes]) -> bytes:
    """The frame that holds these encoded packets."""
    return b"[" + b",".join(packets) + b"]"
