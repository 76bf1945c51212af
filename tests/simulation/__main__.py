"""Replays one seed, or explores many on all cores: `python -m tests.simulation --seed S [--seeds N]`."""

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from hashlib import sha256

import click

from orchestrator.system import SystemClock
from tests.simulation.ablations import ABLATIONS
from tests.simulation.exploration import explored
from tests.simulation.faults import Fault


def main() -> int:
    """0 if no invariant was broken."""
    parser = ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seeds", type=int, default=1, help="how many, counted from --seed")
    parser.add_argument("--ablate", choices=sorted(ABLATIONS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="as many as cores, unless given")
    parser.add_argument("--trace", action="store_true", help="print the end of each history")
    options = parser.parse_args()
    fired: Counter[Fault] = Counter()
    executions: Counter[str] = Counter()
    broken, digests = [], sha256()
    began = SystemClock().monotonic()
    for outcome in explored(range(options.seed, options.seed + options.seeds), options.ablate, options.processes):
        digests.update(outcome.digest.encode())
        fired += outcome.fired
        executions += outcome.executions
        if outcome.violations:
            broken.append(outcome.seed)
        if outcome.violations or options.trace:
            click.echo(outcome.report(options.ablate))
    took = SystemClock().monotonic() - began
    for fault in Fault:
        click.echo(f"{fired[fault]:7d}  {fault.value}")
    click.echo(f"executions {dict(sorted(executions.items()))}")
    click.echo(f"{options.seeds} seeds in {took:.1f} s: {options.seeds / took * 60:.0f} a minute")
    click.echo(f"{fired.total() / options.seeds:.1f} faults a seed; broken: {broken}")
    click.echo(f"digest {digests.hexdigest()}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
