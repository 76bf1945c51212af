"""What other owners want slots for at workers that are at home here: the better placed goes first, whoever drives it.

A wish is void once it has been granted, and when it is not said again: an owner that stands still holds up nobody.
"""

from collections.abc import Mapping
from typing import Final

from orchestrator.core.order import OrderKey

WANT_AGAIN_SECONDS: Final = 0.5
WANT_LASTS_SECONDS: Final = 4 * WANT_AGAIN_SECONDS
"""An owner that is late with saying it again, on a busy machine, has not given up its place."""


class Rivals:
    """The first in order that each other owner waits with, by action."""

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[float, dict[str, OrderKey]]] = {}

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def want(self, owner: str, wanted: Mapping[str, OrderKey], now: float) -> None:
        """All that this owner wants at this monotonic time in seconds."""
        if wanted:
            self._wanted[owner] = (now + WANT_LASTS_SECONDS, dict(wanted))
        else:
            self.forget(owner)

    def granted(self, owner: str, action: str) -> None:
        """One of its stages got a slot; what it wants next it says again."""
        if owner in self._wanted:
            self._wanted[owner][1].pop(action, None)

    def forget(self, owner: str) -> None:
        self._wanted.pop(owner, None)

    def goes_before(self, action: str, key: OrderKey, now: float) -> bool:
        """Whether the next free slot for the action is for another owner's stage rather than for this one."""
        return any(
            until > now and (rival := wanted.get(action)) is not None and rival < key
            for until, wanted in self._wanted.values()
        )

    def outranks(self, owner: str, action: str, key: OrderKey, now: float) -> bool:
        """Whether this owner's stage goes before one that waits here under `key`."""
        until, wanted = self._wanted.get(owner, (0.0, {}))
        rival = wanted.get(action)
        return until > now and rival is not None and rival < key
