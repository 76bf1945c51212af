"""Chance and identity from a seed: a stream for each name, so that one more draw here moves nothing there."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from random import Random as Generator

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Chance(Generator):
    """A stream of chance that hangs on the seed and its name only."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        super().__init__(int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:8]))

    def stream(self, name: str) -> "Chance":
        """An independent stream below this one."""
        return Chance(self._seed, f"{self._name}/{name}")

    def happens(self, probability: float) -> bool:
        return self.random() < probability


class SeededRandom:
    """The seam `Random`."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def draw(self) -> float:
        return self._chance.random()

    def token(self, size: int) -> str:
        return urlsafe_b64encode(self._chance.randbytes(size)).decode()


class CountedIds:
    """The seam `Ids` for a whole cluster: ids sort by the order in which they were made."""

    def __init__(self) -> None:
        self._made = 0

    def new(self, kind: str) -> str:
        self._made += 1
        digits = ""
        number = self._made
        for _ in range(8):
            number, digit = divmod(number, 32)
            digits = _DIGITS[digit] + digits
        return f"{kind}_{digits}"
