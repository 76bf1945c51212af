"""Throughput of three-stage executions, through each transport, beside the floor of the same run."""

import os
import sys

from tests.bench.chain import drive
from tests.bench.extent import Extent
from tests.bench.figures import WARM, run_beside_floor
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import PROGRAMS, Site, Stand

TRANSPORTS = ("websocket", "http-arrays", "http")
TARGET = (
    "10,000 stages/s over the WebSocket and 0.4 of the floor; 5,000 stages/s with arrays of packets over HTTP; "
    "1,500 stages/s with the original single packets"
)


async def measure(stand: Stand, extent: Extent, transports: tuple[str, ...] = TRANSPORTS) -> Report:
    """The default executions are 3,000, in full 30,000; the original single packets have a third of that."""
    rows: list[dict[str, Cell]] = []
    faults: list[str] = []
    for transport in transports:
        executions = extent.pick(3000, 30_000) // (3 if transport == "http" else 1)
        async with stand.site() as site:
            await begin_worker(site, transport)
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
            "http-arrays is the same worker as websocket, reached by its URL: arrays of packets, posted both ways.",
            "http is a worker that knows the original single packets alone: one call to offer, one to process.",
        ),
        faults=faults,
        plot=Plot("stagesPerSecond", ("transport",)),
    )


async def begin_worker(site: Site, transport: str) -> None:
    """The worker that the transport is measured with, once it is in reach."""
    match transport:
        case "websocket":
            await site.worker("bench-increment")
        case "http-arrays":
            await site.worker("bench-increment", "--transport", "http", "--port", "0")
        case _:
            await single_packets(site)


async def single_packets(site: Site) -> None:
    """A worker that speaks the original HTTP calls and nothing else, once it is in reach."""
    worker_id = "bench-single-packets"
    command = [sys.executable, str(PROGRAMS / "single_packets.py")]
    output = site.baton.folder / f"{worker_id}.log"
    site.workers.append(site.baton.spawn(command, output, WORKER_ID=worker_id))
    await site.baton.until_worker(worker_id)
