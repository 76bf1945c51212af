"""Two replicas on one database against one, each with a worker of its own at home."""

import os
import time
from contextlib import AsyncExitStack

from tests.bench.chain import drive, verify
from tests.bench.extent import Extent
from tests.bench.figures import WARM
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import Site, Stand
from tests.bench.usage import usage_of

TARGET = "at least 1.5 times one, where cores allow"


async def measure(stand: Stand, extent: Extent) -> Report:
    executions = extent.pick(3_000, 30_000)
    rows: list[dict[str, Cell]] = []
    rates: list[float] = []
    faults: list[str] = []
    for replicas in (1, 2):
        row, rate, found = await _measured(stand, replicas, executions)
        rates.append(rate)
        rows.append({**row, "ratioToOne": rate / rates[0]})
        faults += found
    return Report(
        name="replicas",
        title=f"{executions:,} executions, submitted to all replicas in turn",
        target=TARGET,
        rows=rows,
        notes=(f"There are {os.cpu_count()} cores for everything, this client included.",),
        faults=faults,
        plot=Plot("stagesPerSecond", ("replicas",)),
    )


async def _measured(stand: Stand, replicas: int, executions: int) -> tuple[dict[str, Cell], float, list[str]]:
    dsn = await stand.new_database()
    async with AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(stand.site(dsn)) for _ in range(replicas)]
        for number, site in enumerate(sites):
            await site.worker(f"bench-increment-{number}")
        batons = [site.baton for site in sites]
        await drive(batons, sites[0].connection, WARM)
        cpu, began = _cpu_seconds(sites), time.perf_counter()
        driven = await drive(batons, sites[0].connection, executions)
        cores = (_cpu_seconds(sites) - cpu) / (time.perf_counter() - began)
        verdict = await verify(sites[0].connection, driven.acknowledged)
        shares = await sites[0].connection.fetch(
            "SELECT count(*) AS stages FROM stage_executions GROUP BY worker_id ORDER BY worker_id"
        )
    row: dict[str, Cell] = {
        "replicas": replicas,
        "stagesPerSecond": driven.stages_per_second,
        "coresUsed": cores,
        "stagesByWorker": " + ".join(str(share["stages"]) for share in shares),
    }
    return row, driven.stages_per_second, verdict.faults(f"{replicas} replicas")


def _cpu_seconds(sites: list[Site]) -> float:
    """Of the orchestrators, the workers, the one PostgreSQL and this process."""
    each = [process for site in sites for process in (site.orchestrator, *(worker.pid for worker in site.workers))]
    return sum(usage_of(pid).cpu_seconds for pid in (*each, sites[0].postmaster)) + time.process_time()
