"""The ablations of the simulation: each safeguard taken away, and the seed that missed it."""

from tests.simulation.ablations import ABLATIONS
from tests.simulation.simulation import simulate
from tests.simulation.test_simulation import FIXED_SEEDS


def caught() -> dict[str, int | None]:
    """By name: the first of the fixed seeds under which the simulation noticed; None if none did.

    With every safeguard in its place none of these seeds breaks anything: the suite sees to it.
    """
    return {name: _first_seed(name) for name in sorted(ABLATIONS)}


def _first_seed(name: str) -> int | None:
    for seed in FIXED_SEEDS:
        with ABLATIONS[name]():
            if simulate(seed).violations:
                return seed
    return None
