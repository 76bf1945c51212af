"""Packets waiting for the link's next write: whatever gathered since the last one leaves as one frame.

While the link is down nothing is kept here. A result waits in the outbox, an unanswered offer is asked again, and a
report is worth nothing once it is old.
"""

import asyncio
from collections import deque
from typing import Final

FRAME_BYTES: Final = 1024 * 1024
REPORTS_BEHIND: Final = 10_000


class Outgoing:
    """One link's queue, filled and emptied on the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._is_open = False

    def open(self) -> None:
        self._is_open = True

    def close(self) -> None:
        self._is_open = False
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
        packets = [self._waiting.popleft()]
        size = len(packets[0])
        while self._waiting and size + len(self._waiting[0]) <= FRAME_BYTES:
            packets.append(self._waiting.popleft())
            size += len(packets[-1])
        return b"[" + b",".join(packets) + b"]"
