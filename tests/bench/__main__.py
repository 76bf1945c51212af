"""`scripts/bench`: three trivial stages an execution, full handshake, real processes, PostgreSQL with fsync on.

The orchestrator, the worker and PostgreSQL are processes of their own; this one is the client. After the run every
execution is checked: none lost, none committed twice, every result right.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson

from orchestrator.store.embedded import EmbeddedPostgres
from orchestrator.store.embedded_cluster import Cluster
from tests.bench.floor import Rows, floor_seconds, rows_written
from tests.bench.usage import Usage, usage_of
from tests.integration.system import Baton, Process

STAGES: Final = 3
SUBMITTED_AT_ONCE: Final = 100
TEMPLATE: Final = """
template: bench_chain
input: {type: object, required: [value], properties: {value: {type: integer}}}
stages:
  one: {action: increment, with: {value: "${input.value}"}}
  two: {needs: [one], action: increment, with: {value: "${stages.one.output.value}"}}
  three: {needs: [two], action: increment, with: {value: "${stages.two.output.value}"}}
output: {value: "${stages.three.output.value}"}
"""


@dataclass(frozen=True, slots=True)
class Processes:
    """Whose cost is counted."""

    orchestrator: int
    worker: int
    postgres: int

    def usage(self) -> dict[str, Usage]:
        return {name: usage_of(getattr(self, name)) for name in ("orchestrator", "worker", "postgres")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--executions", type=int, default=6000, help="how many to run (at least 2,000; default 6,000)")
    parser.add_argument("--latencies", type=int, default=200, help="how many to time one by one when idle")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON, last")
    options = parser.parse_args()
    if options.executions < 2000:
        parser.error("fewer than 2,000 executions say little")
    figures = asyncio.run(measure(options.executions, options.latencies))
    _print(figures, as_json=options.json)
    verified = figures["verified"]
    sys.exit(1 if verified["lost"] or verified["duplicated"] or verified["wrong"] else 0)


async def measure(executions: int, latencies: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as name:
        folder = Path(name)
        postgres = EmbeddedPostgres(folder / "database")
        (folder / "database").mkdir()
        (folder / "baton").mkdir()
        dsn = await postgres.start()
        try:
            async with Baton(folder / "baton", "--database-url", dsn) as baton:
                module = str(Path(__file__).parent / "increment.py")
                worker = await baton.worker(module, "--worker-id", "bench-increment")
                await baton.until_worker("bench-increment")
                await baton.publish(TEMPLATE)
                return await _measure(baton, worker, dsn, folder, executions, latencies)
        finally:
            await postgres.stop()


async def _measure(
    baton: Baton, worker: Process, dsn: str, folder: Path, executions: int, latencies: int
) -> dict[str, Any]:
    assert baton.process is not None
    postmaster = Cluster(folder / "database").postmaster()
    assert postmaster is not None
    processes = Processes(baton.process.pid, worker.pid, postmaster)
    connection = await asyncpg.connect(dsn)
    await _run(baton, connection, 500, "warm")
    idle = [await _one(baton, number) for number in range(latencies)]
    rows_before, usage_before = await rows_written(connection), processes.usage()
    seconds, acknowledged = await _run(baton, connection, executions, "run")
    usage_after = processes.usage()
    rows_after = await rows_written(connection)
    verified = await _verify(connection, acknowledged)
    rows = {
        table: Rows(
            after.inserted - rows_before[table].inserted,
            after.updated - rows_before[table].updated,
            after.deleted - rows_before[table].deleted,
        )
        for table, after in rows_after.items()
    }
    packets = await connection.fetchval("SELECT packets::text FROM handshake_packets LIMIT 1")
    floor = await floor_seconds(lambda: asyncpg.connect(dsn), executions, rows, packets, time.perf_counter)
    await connection.close()
    stages_per_second = executions * STAGES / seconds
    floor_per_second = executions * STAGES / floor
    return {
        "stagesPerSecond": round(stages_per_second),
        "executionsPerSecond": round(executions / seconds),
        "latencyMs": _percentiles(idle),
        "floor": {"stagesPerSecond": round(floor_per_second)},
        "ratioToFloor": round(stages_per_second / floor_per_second, 3),
        "cpuMicrosPerExecution": {
            name: round((usage_after[name].cpu_seconds - before.cpu_seconds) / executions * 1e6)
            for name, before in usage_before.items()
        },
        "rssMb": {name: round(after.resident_bytes / 2**20) for name, after in usage_after.items()},
        "rowsPerExecution": {
            table: [round(count / executions, 2) for count in (row.inserted, row.updated, row.deleted)]
            for table, row in sorted(rows.items())
        },
        "verified": verified,
    }


async def _run(
    baton: Baton, connection: asyncpg.Connection, executions: int, name: str
) -> tuple[float, dict[str, int]]:
    """Submit in batches, wait until all are final; returns the seconds and the value each execution was given."""
    acknowledged: dict[str, int] = {}
    began = time.perf_counter()

    async def submit(first: int) -> None:
        values = range(first, min(first + SUBMITTED_AT_ONCE, executions))
        items = [{"template": "bench_chain", "input": {"value": value}} for value in values]
        status, answer = await baton.call("POST", "/api/pipelines/execute/batch", {"executions": items})
        assert status == 202, answer
        for value, item in zip(values, answer["executions"], strict=True):
            acknowledged[item["executionId"]] = value

    async def submit_every_fourth(offset: int) -> None:
        for first in range(offset * SUBMITTED_AT_ONCE, executions, 4 * SUBMITTED_AT_ONCE):
            await submit(first)

    await asyncio.gather(*(submit_every_fourth(offset) for offset in range(4)))
    async with asyncio.timeout(300):
        while True:
            # Both questions go through small indexes, so that asking costs the run nothing.
            if not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM pipeline_executions WHERE owner IS NOT NULL)"
                " OR EXISTS (SELECT FROM execution_queue)"
            ):
                return time.perf_counter() - began, acknowledged
            await asyncio.sleep(0.02)


async def _one(baton: Baton, value: int) -> float:
    """Milliseconds from the post of one execution to the news of its end, on an idle system."""
    began = time.perf_counter()
    execution_id = await baton.execute("bench_chain", {"value": value})
    await baton.ended(execution_id)
    return (time.perf_counter() - began) * 1000


async def _verify(connection: asyncpg.Connection, acknowledged: dict[str, int]) -> dict[str, int]:
    """Every acknowledged execution is there, completed, right, and each of its stages was committed once."""
    rows = await connection.fetch("SELECT execution_id, status, result FROM pipeline_executions")
    there = {row["execution_id"]: row for row in rows}
    wrong = 0
    for execution_id, value in acknowledged.items():
        row = there.get(execution_id)
        if row is not None:
            right = row["status"] == "completed" and orjson.loads(row["result"]) == {"value": value + STAGES}
            wrong += not right
    committed = await connection.fetch(
        """
        SELECT execution_id, stage_name, count(*) AS commits
        FROM handshake_packets, json_array_elements(packets) AS packet
        WHERE packet ->> 'type' = 'ack'
        GROUP BY execution_id, stage_name
        """
    )
    commits = {(row["execution_id"], row["stage_name"]): row["commits"] for row in committed}
    stages = [(execution_id, stage) for execution_id in acknowledged for stage in ("one", "two", "three")]
    return {
        "executions": len(acknowledged),
        "lost": sum(execution_id not in there for execution_id in acknowledged),
        "duplicated": sum(commits.get(stage, 0) > 1 for stage in stages),
        "wrong": wrong + sum(stage not in commits for stage in stages),
    }


def _percentiles(milliseconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {name: round(cuts[place - 1], 2) for name, place in (("p50", 50), ("p95", 95), ("p99", 99))}


def _print(figures: dict[str, Any], *, as_json: bool) -> None:
    """A table for people; with --json that goes to standard error, and one line of JSON to standard output."""
    table = "".join(f"{name:24} {value}\n" for name, value in figures.items())
    (sys.stderr if as_json else sys.stdout).write(table)
    if as_json:
        sys.stdout.write(orjson.dumps(figures).decode() + "\n")


if __name__ == "__main__":
    main()
