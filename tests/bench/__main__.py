"""`scripts/bench`: how fast it is here, in real processes with the full handshake, every execution checked.

Without a subcommand: throughput beside its floor, idle latency, CPU, memory and rows of three-stage executions. Each
subcommand is one row of the targets. They run alone, so give them an idle machine.
"""

import argparse
import asyncio
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final

import orjson
import uvloop

from tests.bench import figures, results
from tests.bench.extent import Extent
from tests.bench.measures import (
    connections,
    depth,
    history,
    latency,
    payload,
    replicas,
    start,
    status,
    submit,
    throughput,
    wide,
)
from tests.bench.peers import side_by_side
from tests.bench.report import Report
from tests.bench.stand import Stand, a_stand

Measure = Callable[[Stand, Extent], Coroutine[Any, Any, Report]]

MEASURES: Final[Mapping[str, Measure]] = {
    "throughput": throughput.measure,
    "latency": latency.measure,
    "submit": submit.measure,
    "status": status.measure,
    "depth": depth.measure,
    "history": history.measure,
    "connections": connections.measure,
    "replicas": replicas.measure,
    "payload": payload.measure,
    "wide": wide.measure,
    "start": start.measure,
    "peers": side_by_side.measure,
}
LONGEST_MINUTES: Final = {False: 10, True: 120}


def main() -> None:
    # Whoever ends the bench early, `timeout` for one, ends what it started as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = _parser()
    options = parser.parse_args()
    if options.measure is None:
        if options.executions < 2000:
            parser.error("fewer than 2,000 executions say little")
        _default(options)
    elif options.measure == "all":
        _all(options)
    else:
        _one(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--executions", type=int, default=6000, help="how many to run (at least 2,000; default 6,000)")
    parser.add_argument("--latencies", type=int, default=200, help="how many to time one by one when idle")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON, last")
    measures = parser.add_subparsers(dest="measure", metavar="measure")
    for name, measure in MEASURES.items():
        document = sys.modules[measure.__module__].__doc__ or ""
        _add_extent(measures.add_parser(name, help=document.partition("\n")[0], description=document))
    transports = throughput.TRANSPORTS
    measures.choices["throughput"].add_argument("--transport", choices=transports, help="this one alone; all if absent")
    everything = "every row of the targets, and tests/bench/RESULTS.md with its plots"
    added = measures.add_parser("all", help=everything, description=everything)
    _add_extent(added)
    added.add_argument("--only", nargs="+", choices=[*MEASURES], help="these rows alone")
    return parser


def _add_extent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each timed load goes on (default 5)")
    parser.add_argument("--full", action="store_true", help="the sizes that the targets are about; takes long")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one line of JSON, last")


def _default(options: argparse.Namespace) -> None:
    found = uvloop.run(figures.measure(options.executions, options.latencies))
    _print("".join(f"{name:24} {value}\n" for name, value in found.items()), found, as_json=options.json)
    verified = found["verified"]
    sys.exit(1 if verified["lost"] or verified["duplicated"] or verified["wrong"] else 0)


def _one(options: argparse.Namespace) -> None:
    measure = MEASURES[options.measure]
    if options.measure == "throughput" and options.transport is not None:
        measure = partial(throughput.measure, transports=(options.transport,))
    report = uvloop.run(_measured(measure, Extent(options.seconds, options.full)))
    _print(report.text(), report.document(), as_json=options.json)
    sys.exit(1 if report.faults else 0)


def _all(options: argparse.Namespace) -> None:
    reports = []
    for name in options.only or MEASURES:
        report = _measured_or_fault(name, Extent(options.seconds, options.full))
        _print(report.text() + "\n", report.document(), as_json=options.json)
        reports.append(report)
    path = results.write(reports, Extent(options.seconds, options.full))
    sys.stderr.write(f"written to {path}\n")
    sys.exit(1 if any(report.faults for report in reports) else 0)


def _measured_or_fault(name: str, extent: Extent) -> Report:
    """One that breaks off is a fault in the results; the others, which may have taken hours, are not lost with it."""
    try:
        return uvloop.run(_measured(MEASURES[name], extent))
    except Exception as error:
        traceback.print_exc()
        fault = f"broke off: {error!r}"
        return Report(name, "could not be measured", "none", rows=[{"measure": name}], faults=[fault])


async def _measured(measure: Measure, extent: Extent) -> Report:
    """One measurement on a server of its own; it is given up when it takes longer than anybody waits."""
    async with asyncio.timeout(LONGEST_MINUTES[extent.full] * 60), a_stand() as stand:
        return await measure(stand, extent)


def _print(table: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """A table for people; with --json that goes to standard error, and one line of JSON to standard output."""
    (sys.stderr if as_json else sys.stdout).write(table)
    if as_json:
        sys.stdout.write(orjson.dumps(document).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
