"""A count that fades: half of it is forgotten in each half-life. Pure; time comes in as seconds."""

from typing import Final, NamedTuple


class Fading(NamedTuple):
    """`weight` is what the count was worth at the time `at`, in monotonic seconds."""

    weight: float = 0.0
    at: float = 0.0

    def now(self, now: float, half_life: float) -> float:
        """What is left of it."""
        return self.weight * 0.5 ** ((now - self.at) / half_life) if self.weight else 0.0

    def one_more(self, now: float, half_life: float) -> "Fading":
        return Fading(self.now(now, half_life) + 1.0, now)


NOTHING: Final = Fading()
