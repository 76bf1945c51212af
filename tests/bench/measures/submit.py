"""Submissions one by one through the HTTP API, from 64 clients that each wait for their answer."""

import asyncio
import time

import orjson

from tests.bench.chain import drive, until_nothing_waits, verify
from tests.bench.extent import Extent
from tests.bench.figures import WARM
from tests.bench.http_client import Connection, connections
from tests.bench.report import Cell, Plot, Report, percentiles
from tests.bench.stand import Site, Stand

CLIENTS = 64
TARGET = "2,500 executions/s"


async def measure(stand: Stand, extent: Extent) -> Report:
    rows: list[dict[str, Cell]] = []
    faults: list[str] = []
    for with_worker in (False, True):
        async with stand.site() as site:
            if with_worker:
                await site.worker("bench-increment")
                await drive([site.baton], site.connection, WARM)
            row, found = await _submitted(site, extent.seconds, with_worker)
            rows.append(row)
            faults += found
    return Report(
        name="submit",
        title=f"submissions one by one, {CLIENTS} clients over keep-alive connections, each durable before its 202",
        target=TARGET,
        rows=rows,
        notes=("Without a worker all of it stays in the queue's table; with one, all three stages run meanwhile.",),
        faults=faults,
        plot=Plot("submittedPerSecond", ("worker",)),
    )


async def _submitted(site: Site, seconds: float, with_worker: bool) -> tuple[dict[str, Cell], list[str]]:
    acknowledged: dict[str, int] = {}
    taken: list[float] = []
    faults: list[str] = []
    began = time.perf_counter()

    async def submit(connection: Connection, value: int) -> None:
        while (sent := time.perf_counter()) < began + seconds:
            body = orjson.dumps({"template": "bench_chain", "input": {"value": value}})
            status, answer = await connection.call("POST", "/api/pipelines/execute", body)
            taken.append((time.perf_counter() - sent) * 1000)
            if status != 202:
                faults.append(f"answered {status}: {answer.decode()}")
                return
            acknowledged[orjson.loads(answer)["executionId"]] = value

    async with connections(site.baton.url, CLIENTS) as clients:
        await asyncio.gather(*(submit(client, value) for value, client in enumerate(clients)))
    submitting = time.perf_counter() - began
    completing: float | None = None
    if with_worker:
        await until_nothing_waits(site.connection)
        completing = time.perf_counter() - began
        faults += (await verify(site.connection, acknowledged)).faults("with a worker")
    durable = await site.connection.fetchval(
        "SELECT count(*) FROM pipeline_executions WHERE execution_id = ANY ($1)", list(acknowledged)
    )
    if durable != len(acknowledged):
        faults.append(f"{len(acknowledged)} were acknowledged, {durable} are in the database")
    row: dict[str, Cell] = {
        "worker": "connected" if with_worker else "none",
        "executions": len(acknowledged),
        "submittedPerSecond": len(acknowledged) / submitting,
        "completedPerSecond": None if completing is None else len(acknowledged) / completing,
    }
    return row | {f"{place}Ms": value for place, value in percentiles(taken, 50, 99).items()}, faults
