"""Fences: one number for each offer, never issued twice by any replica.

A fence is `epoch << 32 | counter`. Epochs are drawn from one sequence of the database, so two replicas, or two lives
of one, never share an epoch; the counter never repeats within it. Both together stay below 2**53, so that a worker in
any language can echo the fence as a JSON number.
"""

from itertools import count


class Fences:
    """The fences of one replica's life."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._counter = count(1)

    def next(self) -> int:
        counter = next(self._counter)
        if counter >> 32:
            raise OverflowError("this replica has made four thousand million offers in one life: restart it")
        return self._epoch << 32 | counter
