"""Many connected workers and many watchers of executions on one replica, and what each costs it in memory.

They are made by several light processes. That they are held is seen by work: executions are run by the many workers,
and in the end every watcher has to be told of the end of the execution that it watches.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import orjson

from orchestrator.accounts.digest import digest
from tests.bench.chain import SubmissionRefused, drive, verify
from tests.bench.extent import Extent
from tests.bench.report import Cell, Report
from tests.bench.stand import Site, Stand
from tests.bench.usage import usage_of
from tests.integration.system import Process, until

TARGET = "1,000 workers and 10,000 watchers held, memory of each printed"
STREAMS_OF_A_CLIENT: Final = 64
CLIENTS_OF_A_PROCESS: Final = 40
SPARE_FILES: Final = 500
PATIENCE_SECONDS: Final = 180
WAITS: Final = "template: bench_waits\nstages: {ok: {wait: {signal: go}}}\n"
Watched = tuple[str, str, int]
"""A client's key, its execution, and how many watch it."""


async def measure(stand: Stand, extent: Extent) -> Report:
    workers, watchers = extent.pick((100, 1_000), (1_000, 10_000))
    limit = _allow_files(workers + watchers + SPARE_FILES)
    faults: list[str] = []
    async with stand.site() as site:
        at_rest = _resident(site)
        await _crowd(site, "workers", str(workers))
        with_workers, connected = _resident(site), await _ready_workers(site)
        watched = await _watched(site, watchers)
        before_watchers, began = _resident(site), time.perf_counter()
        crowds = await _watching(site, watched)
        opening, with_watchers = time.perf_counter() - began, _resident(site)

        meanwhile, found = await _work(site, extent.pick(1_000, 5_000))
        faults += found
        began = time.perf_counter()
        told = await _told_of_ends(site, watched, crowds)
        telling = time.perf_counter() - began
    if connected != workers:
        faults.append(f"{connected} of {workers} workers are ready")
    if told != watchers:
        faults.append(f"{told} of {watchers} watchers were told of the end")
    rows: list[dict[str, Cell]] = [
        {"what": "workers", "held": connected, "kbEach": (with_workers - at_rest) / workers / 1024},
        {"what": "watchers", "held": told, "kbEach": (with_watchers - before_watchers) / watchers / 1024},
    ]
    return Report(
        name="connections",
        title=f"{workers:,} workers with a slot each and {watchers:,} event streams on one replica",
        target=TARGET,
        rows=rows,
        notes=(
            f"The orchestrator: {at_rest >> 20} MB at rest, {with_watchers >> 20} MB with all of them.",
            f"Meanwhile {meanwhile}.",
            f"Watchers were opened in {opening:.1f} s by {len(crowds)} processes, as {len(watched)} clients of at most "
            f"{STREAMS_OF_A_CLIENT} streams each; {told:,} were told of the ends in {telling:.1f} s.",
            f"A process may have {limit:,} open files here.",
        ),
        faults=faults,
    )


async def _work(site: Site, executions: int) -> tuple[str, list[str]]:
    """What is done while all are connected, and what is wrong with it."""
    try:
        driven = await drive([site.baton], site.connection, executions)
    except SubmissionRefused as refusal:
        return "nothing", [f"under connections a submission was refused: {refusal}"]
    faults = (await verify(site.connection, driven.acknowledged)).faults("under connections")
    took_part = await site.connection.fetchval("SELECT count(DISTINCT worker_id) FROM stage_executions")
    return f"{driven.stages_per_second:,.0f} stages/s, done by {took_part:,} of the workers", faults


def _resident(site: Site) -> int:
    return usage_of(site.orchestrator).resident_bytes


async def _watching(site: Site, watched: Sequence[Watched]) -> list[Process]:
    """Processes that hold the streams, once all are open."""
    shares = [
        orjson.dumps(watched[first : first + CLIENTS_OF_A_PROCESS]).decode()
        for first in range(0, len(watched), CLIENTS_OF_A_PROCESS)
    ]
    return [await _crowd(site, "watchers", share) for share in shares]


async def _told_of_ends(site: Site, watched: Sequence[Watched], crowds: Sequence[Process]) -> int:
    """Let every watched execution end; returns how many watchers saw it."""
    for key, execution_id, _ in watched:
        await _signal(site, key, execution_id)
    lines = [await _last_line(crowd) for crowd in crowds]
    return sum(line["told"] for line in lines)


def _allow_files(wanted: int) -> int:
    """Let this process and its children open that many files, if the system lets us; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        raise SystemExit(f"{wanted} open files are needed and {hard} are allowed: raise the limit (ulimit -n)")
    return soft


async def _signal(site: Site, key: str, execution_id: str) -> None:
    """Let a waiting execution go on, however often a busy server has to be asked."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        status = 503
        while status == 503:
            path = f"/api/executions/{execution_id}/signals/go"
            status, answer = await site.baton.call("POST", path, {}, {"X-API-Key": key})
    assert status in (200, 202), answer


async def _crowd(site: Site, kind: str, wanted: str) -> Process:
    """A process with many connections, once all of them are open."""
    name = f"crowd-{len(site.workers)}"
    command = [sys.executable, "-m", "tests.bench.programs.crowd", kind, name, wanted]
    output = site.baton.folder / f"{name}.log"
    crowd = site.baton.spawn(command, output)
    site.workers.append(crowd)
    await until(lambda: b'"open"' in output.read_bytes() or not crowd.is_alive, f"{kind} are open", PATIENCE_SECONDS)
    assert crowd.is_alive, output.read_text()
    return crowd


async def _last_line(crowd: Process) -> dict[str, Any]:
    await until(lambda: not crowd.is_alive, "all watchers were told of an end", PATIENCE_SECONDS)
    line: dict[str, Any] = orjson.loads(crowd.output.read_bytes().splitlines()[-1])
    return line


async def _ready_workers(site: Site) -> int:
    _, answer = await site.baton.call("GET", "/api/workers")
    return sum(worker["status"] == "ready" for worker in answer["workers"] if worker["workerId"].startswith("crowd"))


async def _watched(site: Site, watchers: int) -> list[Watched]:
    """Clients with an execution each that ends when it is signalled.

    A client may have only so many streams open, so there are as many clients as it takes.
    """
    watched: list[Watched] = []
    for first in range(0, watchers, STREAMS_OF_A_CLIENT):
        key = await _new_client(site.connection, f"watcher-{first // STREAMS_OF_A_CLIENT}")
        headers = {"X-API-Key": key}
        status, answer = await site.baton.call("POST", "/api/templates", WAITS.encode(), headers)
        assert status == 201, answer
        status, answer = await site.baton.call("POST", "/api/pipelines/execute", {"template": "bench_waits"}, headers)
        assert status == 202, answer
        watched.append((key, answer["executionId"], min(STREAMS_OF_A_CLIENT, watchers - first)))
    return watched


async def _new_client(connection: asyncpg.Connection, name: str) -> str:
    """A client's key, which may do anything that clients may."""
    key = f"key-of-the-bench-{name}"
    await connection.execute("INSERT INTO clients (client_id, name) VALUES ($1, $1)", name)
    await connection.execute(
        "INSERT INTO api_keys (key_id, key_hash, client_id, name, scopes)"
        " VALUES ($1, $2, $1, 'bench', ARRAY['read', 'execute', 'templates'])",
        name,
        digest(key),
    )
    return key
