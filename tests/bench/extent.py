"""How much a measurement does: what is quick enough to try it, or as much as the targets are about."""

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extent:
    """`seconds` is how long each load goes on that is not a number of executions; `full` takes the large sizes."""

    seconds: float = 5.0
    full: bool = False

    def pick(self, small: T, full: T) -> T:
        return full if self.full else small
