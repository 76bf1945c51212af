"""Replays one seed, or explores many: `python -m tests.simulation --seed S [--seeds N] [--ablate NAME] [--trace]`."""

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from contextlib import nullcontext

from tests.simulation.ablations import ABLATIONS
from tests.simulation.faults import Fault
from tests.simulation.simulation import simulate


def main() -> int:
    """0 if no invariant was broken."""
    parser = ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seeds", type=int, default=1, help="how many, counted from --seed")
    parser.add_argument("--ablate", choices=sorted(ABLATIONS))
    parser.add_argument("--trace", action="store_true", help="print the end of each history")
    options = parser.parse_args()
    fired: Counter[Fault] = Counter()
    executions: Counter[str] = Counter()
    broken = []
    began = time.perf_counter()
    with ABLATIONS[options.ablate]() if options.ablate else nullcontext():
        for seed in range(options.seed, options.seed + options.seeds):
            outcome = simulate(seed)
            fired += outcome.fired
            executions += outcome.executions
            if outcome.violations:
                broken.append(seed)
            if outcome.violations or options.trace:
                print(outcome.report(options.ablate))
    took = time.perf_counter() - began
    for fault in Fault:
        print(f"{fired[fault]:7d}  {fault.value}")
    print(f"executions {dict(executions)}")
    print(f"{options.seeds} seeds in {took:.1f} s, {options.seeds / took * 60:.0f} a minute; last digest {outcome.digest}")
    print(f"{fired.total() / options.seeds:.1f} faults a seed; broken: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
