"""Many seeds over several processes. What comes of them does not hang on how many processes there are."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Final

from tests.simulation.ablations import ABLATIONS
from tests.simulation.simulation import Outcome, simulate

AT_ONCE: Final = 4
"""Seeds that a process takes at a time."""


def explored(seeds: Sequence[int], ablation: str | None, processes: int) -> Iterator[Outcome]:
    """The outcome of each seed, in order; without a safeguard where an ablation is named."""
    one = partial(simulated, ablation)
    if processes == 1 or len(seeds) == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(one, seeds, chunksize=AT_ONCE)


def simulated(ablation: str | None, seed: int) -> Outcome:
    with nullcontext() if ablation is None else ABLATIONS[ablation]():
        return simulate(seed)
