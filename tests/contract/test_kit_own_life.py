"""What a worker does besides its actions: hooks for its start and its end, HTTP endpoints of its own."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.contract.orchestrator_double import (
    HEADERS,
    Http,
    OrchestratorDouble,
    offer,
    serving,
    settings_for,
)
from workers.kit import Home, Worker
from workers.kit.http_gate import DESCRIBE
from workers.kit.service import Service

ROOT = Path(__file__).parents[2]
DECLARED = """
import sys
from workers.kit import Worker

worker = Worker("light")

@worker.on_start
async def open_store(home): ...

@worker.serve
def routes():
    from aiohttp import web
    return [web.get("/", lambda request: web.Response())]

sys.exit("aiohttp" in sys.modules)
"""


def an_echo() -> Worker:
    worker = Worker("echo")

    @worker.action("echo")
    async def echo(given: Any) -> Any:
        return given

    return worker


async def greet(request: web.Request) -> web.Response:
    return web.json_response({"hello": request.match_info["name"]})


async def job(request: web.Request) -> web.Response:
    if request.match_info["id"] != "7":
        raise web.HTTPNotFound(reason="no such job")
    return web.json_response({"job": 7})


def with_routes(*routes: web.RouteDef) -> Worker:
    worker = an_echo()
    worker.serve(lambda: routes)
    return worker


@asynccontextmanager
async def served(worker: Worker) -> AsyncIterator[Http]:
    async with (
        OrchestratorDouble() as double,
        serving(double, worker, port=0) as service,
        aiohttp.ClientSession() as session,
    ):
        yield Http(session, service)


async def test_a_workers_own_endpoints_stand_beside_the_kits() -> None:
    async with served(with_routes(web.get("/api/greetings/{name}", greet))) as http:
        own = await http.get("/api/greetings/Ada")
        status, health = await http.get("/health")

    assert own == (200, {"hello": "Ada"})
    assert (status, health["status"]) == (200, "ok")


async def test_they_are_behind_the_same_secret_and_err_in_the_same_shape() -> None:
    async with served(with_routes(web.get("/api/jobs/{id}", job))) as http:
        refused, _ = await http.get("/api/jobs/7", **{"X-Worker-ID": "someone"})
        nameless, _ = await http.get("/api/jobs/7", Authorization=HEADERS["Authorization"])
        status, answer = await http.get("/api/jobs/8")

    assert (refused, nameless, status) == (401, 401, 404)
    assert answer["error"] == {"code": "no_such_job", "message": "no such job", "details": {}}


async def test_a_workers_own_jobs_take_the_place_of_the_kits() -> None:
    shake = {"executionId": "7", "inputData": {}}
    async with served(with_routes(web.get("/api/jobs/{id}", job))) as http:
        await http.post("/api/handshake", shake)
        own = await http.get("/api/jobs/7")
    async with served(an_echo()) as http:
        await http.post("/api/handshake", shake)
        status, kits = await http.get("/api/jobs/7")

    assert own == (200, {"job": 7})
    assert (status, kits["executionId"]) == (200, "7")


async def test_a_workers_own_jobs_may_leave_what_they_do_not_know_to_the_kits() -> None:
    async def job_or_attempt(request: web.Request) -> web.StreamResponse:
        return await job(request) if request.match_info["id"] == "7" else await request.app[DESCRIBE](request)

    async with served(with_routes(web.get("/api/jobs/{id}", job_or_attempt))) as http:
        await http.post("/api/handshake", {"executionId": "8", "inputData": {}})
        own = await http.get("/api/jobs/7")
        status, kits = await http.get("/api/jobs/8")

    assert own == (200, {"job": 7})
    assert (status, kits["executionId"]) == (200, "8")


async def test_a_call_of_the_protocol_cannot_be_replaced() -> None:
    worker = with_routes(web.get("/api/process", greet), web.post("/api/process", greet))
    async with OrchestratorDouble() as double:
        with pytest.raises(ValueError, match="POST /api/process is the kit's own"):
            await Service(worker, settings_for(double, worker, port=0)).__aenter__()


async def test_hooks_run_before_the_first_offer_and_end_with_the_worker_in_the_reverse_order(tmp_path: Path) -> None:
    worker, told = an_echo(), []

    @worker.on_start
    @asynccontextmanager
    async def database(home: Home) -> AsyncIterator[None]:
        (home.data_folder / "opened").write_text(home.worker_id)
        told.append("database opened")
        yield
        told.append("database closed")

    @worker.on_start
    @contextmanager
    def lock(home: Home) -> Iterator[None]:
        told.append("locked")
        yield
        told.append("unlocked")

    @worker.on_start
    async def warm_up(home: Home) -> None:
        await asyncio.to_thread(told.append, "warmed up")

    @worker.on_start
    def count(home: Home) -> None:
        told.append("counted")

    async with OrchestratorDouble() as double, serving(double, worker, data_dir=tmp_path):
        begun = ["database opened", "locked", "warmed up", "counted"]
        assert told == begun
        await double.linked()
        await double.result_of(offer())
        assert told == begun

    assert told == [*begun, "unlocked", "database closed"]
    assert (tmp_path / "workers/worker-1/data/opened").read_text() == "worker-1"


async def test_a_worker_whose_hook_fails_does_not_start_and_ends_what_had_begun() -> None:
    worker, told = an_echo(), []

    @worker.on_start
    @contextmanager
    def lock(home: Home) -> Iterator[None]:
        try:
            yield
        finally:
            told.append("unlocked")

    @worker.on_start
    def fail(home: Home) -> None:
        raise LookupError("no model here")

    @worker.on_start
    def never(home: Home) -> None:
        told.append("never")

    async with OrchestratorDouble() as double:
        with pytest.raises(LookupError, match="no model here"):
            async with serving(double, worker):
                raise AssertionError("it started")

    assert (double.registrations, told) == ([], ["unlocked"])


async def test_without_a_data_directory_the_data_folder_ends_with_the_worker() -> None:
    worker, folders = an_echo(), []
    worker.on_start(lambda home: folders.append(home.data_folder))

    async with OrchestratorDouble() as double, serving(double, worker):
        assert folders[0].is_dir()

    assert not folders[0].exists()


def test_to_declare_hooks_and_endpoints_loads_no_server() -> None:
    subprocess.run([sys.executable, "-c", DECLARED], check=True, cwd=ROOT)


def test_hooks_and_routes_stay_the_functions_that_they_are() -> None:
    worker = an_echo()

    def routes() -> list[web.RouteDef]:
        return []

    def hook(home: Home) -> None: ...

    assert worker.serve(routes) is routes
    assert worker.on_start(hook) is hook
    assert (worker.routes, worker.start_hooks) == ((routes,), (hook,))
