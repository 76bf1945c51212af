"""How packets are parted into frames: small enough that a large one does not delay the rest for long."""

from collections.abc import Iterable
from typing import Final

FRAME_BYTES: Final = 1024 * 1024


def fitting(sizes: Iterable[int]) -> int:
    """Of packets of these sizes in bytes, how many go into the next frame: as many as fit, and one at least."""
    total = count = 0
    for size in sizes:
        total += size
        if count and total > FRAME_BYTES:
            break
        count += 1
    return count
