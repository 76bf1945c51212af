"""Results on their way to the orchestrator: kept until they are acked, and sent again until then.

Pure bookkeeping: time comes in as `now`, monotonic seconds; what is due goes out as packets, oldest first.
"""

from dataclasses import dataclass
from typing import Final

from protocol.packets import Result
from workers.kit.attempts import Identity
from workers.kit.backoff import Backoff
from workers.kit.seams import Chance

SLOWEST_BYTES_PER_S: Final = 1024 * 1024
"""A result is taken to be on its way for as long as this pace needs."""


@dataclass(slots=True)
class _Unacked:
    result: Result
    size_bytes: int
    due_at: float = 0.0
    sends: int = 0


class Outbox:
    """What was sent over the link, or still has to be, and has no ack yet."""

    def __init__(self, resend: Backoff, chance: Chance) -> None:
        self._resend = resend
        self._chance = chance
        self._unacked: dict[Identity, _Unacked] = {}

    def __len__(self) -> int:
        return len(self._unacked)

    def put(self, identity: Identity, result: Result, now: float, size_bytes: int = 0) -> None:
        """Keeps a result that is being sent for the first time; a large one is given the time to arrive."""
        unacked = self._unacked[identity] = _Unacked(result, size_bytes)
        self._sent(unacked, now)

    def remove(self, identity: Identity) -> bool:
        """Whether the acked result was still held here."""
        return self._unacked.pop(identity, None) is not None

    def again(self, identity: Identity, now: float) -> Result | None:
        """The result of one attempt, which is being sent once more because it was asked for."""
        unacked = self._unacked.get(identity)
        return None if unacked is None else self._sent(unacked, now)

    def due(self, now: float) -> list[Result]:
        """What has waited for its ack longer than its patience, which grows with every sending."""
        return [self._sent(unacked, now) for unacked in self._unacked.values() if unacked.due_at <= now]

    def all_again(self, now: float) -> list[Result]:
        """Everything, for a link that has just come up."""
        return [self._sent(unacked, now) for unacked in self._unacked.values()]

    def _sent(self, unacked: _Unacked, now: float) -> Result:
        unacked.sends += 1
        on_its_way_s = unacked.size_bytes / SLOWEST_BYTES_PER_S
        unacked.due_at = now + self._resend.delay_s(unacked.sends, self._chance) + on_its_way_s
        return unacked.result
