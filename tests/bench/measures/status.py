"""`GET /api/executions/{id}` under a steady load of 1,000 requests a second."""

import asyncio
import time
from collections.abc import Sequence

import orjson

from tests.bench.chain import drive
from tests.bench.extent import Extent
from tests.bench.http_client import Connection, connections
from tests.bench.report import Plot, Report, percentiles
from tests.bench.stand import Stand
from tests.bench.usage import usage_of

EXECUTIONS = 500
CONNECTIONS = 50
PER_SECOND = 1000
TARGET = "p50 1 ms, p99 5 ms in the server"


async def measure(stand: Stand, extent: Extent) -> Report:
    """Requests leave when they are due, whatever became of those before; a late one counts from when it was due."""
    async with stand.site() as site:
        await site.worker("bench-increment")
        ids = list((await drive([site.baton], site.connection, EXECUTIONS)).acknowledged)
        cpu_before = usage_of(site.orchestrator).cpu_seconds
        async with connections(site.baton.url, CONNECTIONS) as opened:
            taken, faults = await _asked(opened, ids, round(extent.seconds * PER_SECOND))
        cpu = (usage_of(site.orchestrator).cpu_seconds - cpu_before) / len(taken) * 1e6
    return Report(
        name="status",
        title=f"GET /api/executions/{{id}} at {PER_SECOND} requests/s over {CONNECTIONS} connections",
        target=TARGET,
        rows=[
            {"percentile": place, "ms": value, "requests": len(taken), "orchestratorCpuMicrosPerRequest": cpu}
            for place, value in percentiles(taken, 50, 95, 99, 100).items()
        ],
        notes=("Seen by the client, whose own turn is in it: what the server takes is less.",),
        faults=faults,
        plot=Plot("ms", ("percentile",)),
    )


async def _asked(opened: Sequence[Connection], ids: Sequence[str], requests: int) -> tuple[list[float], list[str]]:
    """Milliseconds of each request from when it was due, and what was wrong with answers."""
    taken: list[float] = []
    faults: list[str] = []
    began = time.perf_counter()

    async def ask(connection: Connection, first: int) -> None:
        for number in range(first, requests, len(opened)):
            due = began + number / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            execution_id = ids[number % len(ids)]
            status, answer = await connection.call("GET", f"/api/executions/{execution_id}")
            taken.append((time.perf_counter() - due) * 1000)
            if status != 200 or orjson.loads(answer)["executionId"] != execution_id:
                faults.append(f"{execution_id} was answered with {status}")

    await asyncio.gather(*(ask(connection, first) for first, connection in enumerate(opened)))
    return taken, faults
