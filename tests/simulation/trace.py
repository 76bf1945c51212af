"""What happened, in order: the hash says whether two runs were the same, the tail is what a violation prints."""

from collections import deque
from collections.abc import Callable
from hashlib import sha256
from typing import Final

TAIL: Final = 120


class Trace:
    """Lines with their virtual time."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._time = time
        self._hash = sha256()

    def say(self, *words: object) -> None:
        line = f"{self._time():10.6f} {' '.join(map(str, words))}"
        self.tail.append(line)
        self._hash.update(line.encode())

    @property
    def digest(self) -> str:
        """The hash of every line so far."""
        return self._hash.hexdigest()
