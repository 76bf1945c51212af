"""Slows down those who guess: so many tries at once, then one in a fixed time.

Invariant: the memory is fixed, and nothing that an attacker sends makes it forget him.
"""

from hashlib import blake2b
from mmap import mmap
from typing import Final

from orchestrator.core.seams import Clock

_SLOT_BYTES: Final = 2
_FLOAT_BYTES: Final = 8


class Throttled(Exception):
    """Too many tries; another is welcome after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too many tries; again in {retry_after:.0f} s")
        self.retry_after = retry_after


class Throttle:
    """Allows each key `burst` tries at once and one more each `seconds`.

    The generic cell rate algorithm (ITU-T I.371): one instant a key, until when its tries are paid for. Keys share
    65,536 slots by a hash with a secret `salt` of at most 64 bytes, so two of them may rarely share a limit.
    """

    def __init__(self, clock: Clock, salt: bytes, *, burst: int, seconds: float) -> None:
        self._clock = clock
        self._salt = salt
        self._burst_seconds = burst * seconds
        self._seconds = seconds
        # The kernel gives zeros, and memory only for the pages that somebody's try has touched.
        self._paid_until = memoryview(mmap(-1, _FLOAT_BYTES << 8 * _SLOT_BYTES)).cast("d")

    def take(self, key: str) -> None:
        """Count one try of the key; raises `Throttled`, and counts nothing, if there were too many."""
        slot, now = self._slot(key), self._clock.monotonic()
        paid_until = max(self._paid_until[slot], now) + self._seconds
        wait = paid_until - self._burst_seconds - now
        if wait > 0:
            raise Throttled(wait)
        self._paid_until[slot] = paid_until

    def give_back(self, key: str) -> None:
        """That try was no guess."""
        self._paid_until[self._slot(key)] -= self._seconds

    def _slot(self, key: str) -> int:
        hashed = blake2b(key.encode("utf-8", "surrogatepass"), key=self._salt, digest_size=_SLOT_BYTES)
        return int.from_bytes(hashed.digest())
