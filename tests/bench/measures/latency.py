"""Idle latency: from the post of one execution to the news of its end, one after the other."""

import time

from tests.bench.chain import drive, latency_ms
from tests.bench.extent import Extent
from tests.bench.figures import WARM
from tests.bench.report import Plot, Report, percentiles
from tests.bench.stand import Stand

TARGET = "p50 4 ms, p99 10 ms"


async def measure(stand: Stand, extent: Extent) -> Report:
    async with stand.site() as site:
        await site.worker("bench-increment")
        await drive([site.baton], site.connection, WARM)
        until = time.perf_counter() + extent.seconds
        taken: list[float] = []
        while time.perf_counter() < until:
            taken.append(await latency_ms(site.baton, len(taken)))
        wrong = await site.connection.fetchval("SELECT count(*) FROM pipeline_executions WHERE status <> 'completed'")
    return Report(
        name="latency",
        title=f"submit to completed on an idle system, three stages, {len(taken)} executions one by one",
        target=TARGET,
        rows=[{"percentile": place, "ms": value} for place, value in percentiles(taken, 50, 95, 99, 100).items()],
        notes=("Seen by the client: the post over HTTP, and the `end` event of the execution's stream.",),
        faults=[f"{wrong} executions did not complete"] if wrong else [],
        plot=Plot("ms", ("percentile",)),
    )
