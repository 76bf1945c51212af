"""The figures that `scripts/bench` prints when nothing else is asked for: throughput with its floor, and idle latency.

The floor does exactly the row work of the run, so their ratio says what everything else costs: the handshake, the two
transports, the state machine, and the waiting of one for another.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from tests.bench.chain import STAGES, Drive, Verdict, drive, latency_ms, verify
from tests.bench.floor import Rows, floor_seconds, rows_between, rows_written
from tests.bench.report import percentiles
from tests.bench.stand import Site, a_stand
from tests.bench.usage import Usage

WARM: Final = 500
COMMITS: Final = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Run:
    """One run beside its floor: what each process cost, what rows and commits that took, and whether all is right."""

    drive: Drive
    floor_stages_per_second: float
    cpu_micros: dict[str, int]
    usage: dict[str, Usage]
    commits: int
    rows: dict[str, Rows]
    verdict: Verdict

    @property
    def ratio(self) -> float:
        return self.drive.stages_per_second / self.floor_stages_per_second


class Miscounted(Exception):
    """pg_stat and the database disagree, so the floor would do other work than the run."""


async def measure(executions: int, latencies: int) -> dict[str, Any]:
    """The figures as JSON has them."""
    async with a_stand() as stand, stand.site() as site:
        await site.worker("bench-increment")
        await drive([site.baton], site.connection, WARM)
        idle = percentiles([await latency_ms(site.baton, number) for number in range(latencies)], 50, 95, 99)
        run = await run_beside_floor(site, executions)
    return {
        "stagesPerSecond": round(run.drive.stages_per_second),
        "executionsPerSecond": round(run.drive.executions_per_second),
        "latencyMs": {place: round(value, 2) for place, value in idle.items()},
        "floor": {"stagesPerSecond": round(run.floor_stages_per_second)},
        "ratioToFloor": round(run.ratio, 3),
        "cpuMicrosPerExecution": run.cpu_micros,
        "commitsPerExecution": round(run.commits / executions, 2),
        "rssMb": {name: round(usage.resident_bytes / 2**20) for name, usage in run.usage.items()},
        "rowsPerExecution": {
            table: [round(count / executions, 2) for count in (row.inserted, row.updated, row.deleted)]
            for table, row in sorted(run.rows.items())
        },
        "verified": run.verdict.document(),
    }


async def run_beside_floor(site: Site, executions: int) -> Run:
    """Drive the executions through a warm system, then let the bare loop write as many rows."""
    rows_before, usage_before = await rows_written(site.connection), site.usage()
    commits_before = await site.connection.fetchval(COMMITS)
    driven = await drive([site.baton], site.connection, executions)
    usage, commits = site.usage(), await site.connection.fetchval(COMMITS) - commits_before
    rows = rows_between(rows_before, await rows_written(site.connection))
    if rows["pipeline_executions"].inserted != executions:
        raise Miscounted(f"{executions} executions were submitted, pg_stat counted {rows['pipeline_executions']}")
    packets = await site.connection.fetchval("SELECT packets::text FROM handshake_packets LIMIT 1")
    floor = await floor_seconds(lambda: asyncpg.connect(site.dsn), executions, rows, packets, time.perf_counter)
    return Run(
        drive=driven,
        floor_stages_per_second=executions * len(STAGES) / floor,
        cpu_micros={
            name: round((usage[name].cpu_seconds - before.cpu_seconds) / executions * 1e6)
            for name, before in usage_before.items()
        },
        usage=usage,
        commits=commits,
        rows=rows,
        verdict=await verify(site.connection, driven.acknowledged),
    )
