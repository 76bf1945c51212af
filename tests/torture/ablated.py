"""The ablations of the simulation, as far as there are any: each safeguard taken away, and the seed that missed it."""

from typing import Final

from tests.simulation.ablations import ABLATIONS
from tests.simulation.simulation import simulate

_MOST_SEEDS: Final = 50


def caught() -> dict[str, int | None]:
    """By name: the first seed under which the simulation noticed; None if none of the first fifty did."""
    return {name: _first_seed(name) for name in sorted(ABLATIONS)}


def _first_seed(name: str) -> int | None:
    for seed in range(1, _MOST_SEEDS + 1):
        with ABLATIONS[name]():
            if simulate(seed).violations:
                return seed
    return None
