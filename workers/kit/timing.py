"""The kit's own durations, in one place so that a test can shorten them."""

from dataclasses import dataclass
from typing import Final

from workers.kit.backoff import Backoff

_RECONNECT: Final = Backoff(first_s=0.2, cap_s=10)
_RESEND: Final = Backoff(first_s=4, cap_s=60)
_TRANSFER: Final = Backoff(first_s=0.5, cap_s=10)


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds. What the orchestrator decides (heartbeat interval, lease, offer expiry) is not here."""

    reconnect: Backoff = _RECONNECT
    return_spread_s: float = 1
    """After a link that had held for a while is lost, its worker comes back at some moment within this time more."""
    resend: Backoff = _RESEND
    offer_grace_s: float = 1
    """How long after an offer's expiry its slot stays reserved: the start may be on its way."""
    file_after_s: float = 1
    """A result that took longer than this to make is written to disk; a cheaper one is simply made again."""
    folder_kept_s: float = 7 * 24 * 3600
    """How long the folder of a stage is kept that went on elsewhere, or never did."""
    folders_swept_s: float = 3600
    lessons_s: float = 10
    """How often what was learned about estimates is written to disk: a kill loses no more than that."""
    drain_s: float = 30
    stop_s: float = 5
    """How long handlers have to end after they were cancelled at the end of a drain."""
    flush_s: float = 5
    """How long a stopping worker waits for the acks of its last results."""
    transfer: Backoff = _TRANSFER
    """The rests between the tries of an upload or a download."""
    transfer_tries: int = 8
    transfer_idle_s: float = 60
    """How long a transfer may stand still before it is tried again."""
    request_s: float = 10
    ping_s: float = 10
