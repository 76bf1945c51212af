"""One HTTP call to a worker: what a link needs of whoever makes it, and what may come back.

The rules of the protocol are the link's; a transport carries bytes, and bounds them and the time that they take.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
from yarl import URL

CALL_FAULTS: Final = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What a call raises whose outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker answered: its status, its body, and when to come back if it said so."""

    status: int
    body: bytes
    retry_after_ms: int | None = None


class TooLong(Exception):
    """The answer has more bytes than were asked for; the rest was not read."""


class Transport(Protocol):
    """How workers' URLs are called, with this system's credentials."""

    async def call(self, method: str, url: URL, body: bytes | None, *, max_bytes: int, timeout: float | None) -> Reply:
        """The worker's answer, whatever its status.

        `timeout` is in seconds for all of it; with None the call lasts as long as its connection. Redirects are not
        followed and nothing is decompressed. Raises one of `CALL_FAULTS`, and `TooLong`.
        """
