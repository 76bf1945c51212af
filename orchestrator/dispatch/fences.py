"""Fences: one number for each offer, never issued twice by any replica.

A fence is `epoch << 32 | counter`. Epochs are drawn from one sequence of the database, so two replicas, or two lives
of one, never share an epoch; the counter never repeats within it. Both together stay below 2**53, so that a worker in
any language can echo the fence as a JSON number.
"""

from orchestrator.core.fence import epoch_of, fence_of


class Fences:
    """The fences of one replica's life."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._counter = 0

    def next(self) -> int:
        self._counter += 1
        return fence_of(self._epoch, self._counter)

    def is_to_come(self, fence: int) -> bool:
        """Whether this life might issue the fence, and has not yet."""
        return epoch_of(fence) == self._epoch and fence > fence_of(self._epoch, self._counter)
