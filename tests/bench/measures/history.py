"""Throughput over a database that has a long history, against one that is empty; alternating, so both see the same."""

import time
from statistics import median

from tests.bench.backlog import let_be_history, settle
from tests.bench.chain import drive, verify
from tests.bench.extent import Extent
from tests.bench.figures import WARM
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import Site, Stand

TARGET = "at least 0.9 of an empty database with 1,000,000 finished executions"


async def measure(stand: Stand, extent: Extent) -> Report:
    finished, executions, rounds = extent.pick(20_000, 1_000_000), extent.pick(2_000, 20_000), extent.pick(2, 3)
    async with stand.site() as empty, stand.site() as full:
        for site in (empty, full):
            await site.worker("bench-increment")
            await drive([site.baton], site.connection, WARM)
        began = time.perf_counter()
        packets = await full.connection.fetchval("SELECT packets::text FROM handshake_packets LIMIT 1")
        await let_be_history(full.connection, finished, packets)
        await settle(full.connection)
        loaded = time.perf_counter() - began
        rates: dict[int, list[float]] = {0: [], finished: []}
        faults: list[str] = []
        for _ in range(rounds):
            for history, site in ((0, empty), (finished, full)):
                driven = await drive([site.baton], site.connection, executions)
                rates[history].append(driven.stages_per_second)
                faults += (await verify(site.connection, driven.acknowledged)).faults(f"history {history}")
        sizes = {0: await _megabytes(empty), finished: await _megabytes(full)}
    rows: list[dict[str, Cell]] = [
        {
            "finished": history,
            "databaseMb": sizes[history],
            "stagesPerSecond": median(rate),
            "ratioToEmpty": median(rate) / median(rates[0]),
        }
        for history, rate in rates.items()
    ]
    return Report(
        name="history",
        title=f"{executions:,} executions over a history, medians of {rounds} alternating rounds",
        target=TARGET,
        rows=rows,
        notes=(f"The history was made inside the database in {loaded:.0f} s, with stages and packets, and vacuumed.",),
        faults=faults,
        plot=Plot("stagesPerSecond", ("finished",)),
    )


async def _megabytes(site: Site) -> int:
    size: int = await site.connection.fetchval("SELECT pg_database_size(current_database()) >> 20")
    return size
