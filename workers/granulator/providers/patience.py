"""How long a provider may take and how often it is asked again, in one place so that a test can shorten it."""

from dataclasses import dataclass
from typing import Final

from workers.kit.backoff import Backoff

_BACKOFF: Final = Backoff(first_s=1, cap_s=20)


@dataclass(frozen=True, slots=True)
class Patience:
    """All times in seconds. A timeout is not tried again: whoever was slow once has cost the whole wait already."""

    connect_s: float = 10
    idle_s: float = 60
    """How long a stream may be silent, its first byte included."""
    total_s: float = 600
    attempts: int = 4
    backoff: Backoff = _BACKOFF
    longest_wait_s: float = 30
    """A provider that asks for a longer pause has failed for now: the next one is quicker."""
