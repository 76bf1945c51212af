"""Throughput of three-stage executions, through each transport, beside the floor of the same run."""

import os
import sys

from tests.bench.chain import drive
from tests.bench.extent import Extent
from tests.bench.figures import WARM, run_beside_floor
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import PROGRAMS, Site, Stand

TRANSPORTS = ("websocket", "http")
TARGET = "10,000 stages/s over the WebSocket and 0.4 of the floor; 1,500 stages/s with the original single packets"


async def measure(stand: Stand, extent: Extent, transports: tuple[str, ...] = TRANSPORTS) -> Report:
    """The default executions for the WebSocket are 3,000, in full 30,000; HTTP has a third of that."""
    rows: list[dict[str, Cell]] = []
    faults: list[str] = []
    for transport in transports:
        executions = extent.pick(3000, 30_000) // (1 if transport == "websocket" else 3)
        async with stand.site() as site:
            await (site.worker("bench-increment") if transport == "websocket" else single_packets(site))
            await drive([site.baton], site.connection, min(WARM, executions))
            run = await run_beside_floor(site, executions)
        rows.append(
            {
                "transport": transport,
                "executions": executions,
                "stagesPerSecond": run.drive.stages_per_second,
                "floorStagesPerSecond": run.floor_stages_per_second,
                "ratioToFloor": run.ratio,
                **{f"{name}CpuMicrosPerExecution": cpu for name, cpu in run.cpu_micros.items()},
            }
        )
        faults += run.verdict.faults(transport)
    return Report(
        name="throughput",
        title="three trivial stages an execution, full handshake, until the last one is durable and final",
        target=TARGET,
        rows=rows,
        notes=(
            f"{os.cpu_count()} cores are shared by the orchestrator, the worker, PostgreSQL and this client.",
            "http is a worker that knows the original single packets alone: one call to offer, one to process.",
            "Arrays of packets over plain HTTP are not in the protocol of this version, so there is no row for them.",
        ),
        faults=faults,
        plot=Plot("stagesPerSecond", ("transport",)),
    )


async def single_packets(site: Site) -> None:
    """A worker that speaks the original HTTP calls and nothing else, once it is in reach."""
    worker_id = "bench-single-packets"
    command = [sys.executable, str(PROGRAMS / "single_packets.py")]
    output = site.baton.folder / f"{worker_id}.log"
    site.workers.append(site.baton.spawn(command, output, WORKER_ID=worker_id))
    await site.baton.until_worker(worker_id)
