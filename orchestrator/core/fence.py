"""How a fence is made of the epoch of the replica that issued it and a counter, and taken apart again.

Within an epoch the counter only grows, and a later epoch is a larger number: of two fences of one stage the larger is
the later one.
"""

from typing import Final

COUNTER_BITS: Final = 32


def fence_of(epoch: int, counter: int) -> int:
    """The fence; raises `OverflowError` for a counter that has no room."""
    if counter >> COUNTER_BITS:
        raise OverflowError("this replica has made four thousand million offers in one life: restart it")
    return epoch << COUNTER_BITS | counter


def epoch_of(fence: int) -> int:
    """The epoch under which the fence was issued."""
    return fence >> COUNTER_BITS
