"""Hashes and verifies passwords by argon2id, off the event loop.

Invariant: memory and threads are bounded, and a password without a hash takes as long as a wrong one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.accounts.throttle import Throttled

if TYPE_CHECKING:
    from argon2 import PasswordHasher

THREADS: Final = 2
WAITING: Final = 32
"""Passwords in work at once; past that a login is put off, for the queue would outlast its caller's patience."""
BUSY_SECONDS: Final = 1.0

T = TypeVar("T")


class Passwords:
    """Every method that computes raises `Throttled` while too many others wait.

    Without a `hasher` it is argon2's own, loaded with the first password.
    """

    def __init__(self, hasher: "PasswordHasher | None" = None) -> None:
        self._given = hasher
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._in_work = 0

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher

        return self._given or PasswordHasher()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The encoded hash, with its own salt and parameters."""
        return await self._in_thread(lambda: self._hasher.hash(_encoded(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the hash is the password's; without a hash False, at the same cost."""

        def matches() -> bool:
            from argon2.exceptions import VerifyMismatchError

            try:
                return self._hasher.verify(password_hash or _unmatched_hash(self._hasher), _encoded(password))
            except VerifyMismatchError:
                return False

        return await self._in_thread(matches)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _in_thread(self, compute: Callable[[], T]) -> T:
        if self._in_work >= WAITING:
            raise Throttled(BUSY_SECONDS)
        self._in_work += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, compute)
        finally:
            self._in_work -= 1


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _unmatched_hash(hasher: "PasswordHasher") -> str:
    """A hash with the hasher's parameters whose 32 bytes are zero: nobody knows a password for it."""
    parameters = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${parameters}${'A' * 22}${'A' * 43}"
