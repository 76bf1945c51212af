"""How long to wait before trying again: doubling, capped, and jittered so that a fleet does not return in step."""

from dataclasses import dataclass

from workers.kit.seams import Chance

_DOUBLINGS_THAT_MATTER = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds: about `first_s` after one failure, twice that after two, never above `cap_s`."""

    first_s: float
    cap_s: float

    def delay_s(self, failures: int, chance: Chance) -> float:
        """The wait after `failures` (at least 1) failures in a row: between half and all of the doubled wait."""
        whole = min(self.cap_s, self.first_s * 2.0 ** min(failures - 1, _DOUBLINGS_THAT_MATTER))
        return chance.uniform(whole / 2, whole)
