"""Workers that are reached by plain HTTP: the original wire format works as it stands, and bad answers harm nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.core.events import CancelRequested
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.requests import RegistrationRefused
from orchestrator.core.standing import Dishonest
from orchestrator.dispatch import http_link
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import Database
from protocol.packets import Failure, Metrics, OrchestratorPacket, Progress, Registration, Result
from tests.replicas import BRISK, CLIENT, SINGLE, a_replica, a_request, final, kinds, published

PACE = BRISK
ONCE = "template: once\nstages: {only: {action: work, retry: {max: 1}, with: {value: '${input.value}'}}}\n"
FAN = "template: fan\nstages: {a: {action: work}, b: {action: work}, c: {needs: [a, b], action: work}}\n"

Answer = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


class SeedWorker:
    """A worker that knows the original calls and nothing else; a test replaces what it answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.at_once: dict[str, int] = {}
        self.most_at_once = 0
        self.handshake: Answer = self.accept
        self.process: Answer = self.complete
        self.processing = asyncio.Event()
        self.go_on = asyncio.Event()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/handshake", self._handshake)
        app.router.add_post("/api/process", self._process)
        app.router.add_get("/api/progress/{execution_id}", self._progress)
        return app

    async def _handshake(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append(("handshake", body))
        self.headers.append(dict(request.headers))
        return await self.handshake(request, body)

    async def _process(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append(("process", body))
        execution_id = body["executionId"]
        self.at_once[execution_id] = self.at_once.get(execution_id, 0) + 1
        self.most_at_once = max(self.most_at_once, self.at_once[execution_id])
        self.processing.set()
        try:
            return await self.process(request, body)
        finally:
            self.at_once[execution_id] -= 1

    async def _progress(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"executionId": request.match_info["execution_id"], "progress": 30, "stage": "x"})

    async def accept(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = {
            "executionId": body["executionId"],
            "workerId": "seed",
            "accepted": True,
            "estimatedCompletionMs": 20_000,
            "resourceRequirements": {"cpu": 0.5, "memory": 256, "apiCalls": 2},
        }
        return web.json_response(answer)

    async def complete(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        metrics = {"tokensUsed": 1500, "processingTimeMs": 15_000, "costUsd": 0.003}
        answer = {"executionId": body["executionId"], "status": "completed", "result": {"done": True}}
        return web.json_response({**answer, "metrics": metrics})

    async def wait(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await self.go_on.wait()
        return await self.complete(request, body)


@asynccontextmanager
async def at_work(
    database: Database, folder: Path, worker: SeedWorker, slots: int = 4
) -> AsyncIterator[tuple[Replica, str]]:
    """A replica with this worker registered by URL."""
    async with TestServer(worker.application()) as server, a_replica(database, folder, pace=PACE) as replica:
        url = str(server.make_url("/"))
        await register(replica, url, slots)
        yield replica, url
        worker.go_on.set()


async def register(replica: Replica, url: str, slots: int = 4) -> None:
    registration = Registration(
        worker_id="seed", url=url, capabilities=("work",), max_concurrent_executions=slots, instance_id="life_1"
    )
    await replica.home.register(registration)


async def run(replica: Replica, database: Database, source: str = SINGLE) -> str:
    return (await replica.commands.execute(a_request(await published(database, source)))).execution_id


async def test_the_original_wire_format_works_as_it_stands(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database))
        packets = await replica.executions.packets(CLIENT, execution.execution_id)

    (_, offered), (_, processed) = worker.calls[:2]
    stage = execution.stages["only"]
    assert (execution.status, execution.result) == (ExecutionStatus.COMPLETED, {"only": {"done": True}})
    assert (offered["action"], offered["inputData"], offered["resourceRequirements"]) == (
        "work",
        {"value": 1},
        {"timeoutMs": 600_000},
    )
    assert (processed["executionId"], processed["stageId"], processed["attempt"]) == (
        execution.execution_id,
        f"{execution.execution_id}.only",
        1,
    )
    assert worker.headers[0]["Authorization"] == "Bearer secret"
    assert worker.headers[0]["X-Worker-ID"]
    assert stage.metrics == {"tokensUsed": 1500, "processingTimeMs": 15_000.0, "costUsd": 0.003}
    assert (str(execution.usage.cost_usd), execution.usage.tokens, stage.estimate.ms) == ("0.003000000", 1500, 20_000)
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"]


async def test_a_worker_that_knows_no_stages_gets_one_of_an_execution_at_a_time(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database, FAN))

    assert execution.status is ExecutionStatus.COMPLETED
    assert worker.most_at_once == 1


async def test_a_worker_that_echoes_stage_ids_gets_stages_side_by_side(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()
    both = asyncio.Event()

    async def echo(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = {"executionId": body["executionId"], "stageId": body["stageId"], "accepted": True}
        return web.json_response(answer)

    async def meet(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if sum(call == "process" for call, _ in worker.calls) == 2:
            both.set()
        await both.wait()
        return await worker.complete(request, body)

    async with at_work(database, tmp_path, worker) as (replica, _):
        await final(replica, await run(replica, database))
        worker.calls.clear()
        worker.handshake, worker.process = echo, worker.complete
        await final(replica, await run(replica, database))
        worker.calls.clear()
        worker.process = meet
        execution = await final(replica, await run(replica, database, FAN))

    assert execution.status is ExecutionStatus.COMPLETED
    assert worker.most_at_once == 2


async def test_a_worker_may_answer_202_and_report_later(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()

    async def later(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=202)

    worker.process = later
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution_id = await run(replica, database)
        await worker.processing.wait()
        _, processed = next(call for call in worker.calls if call[0] == "process")
        key = {"execution_id": execution_id, "stage_id": processed["stageId"]}
        result = Result(**key, fence=processed["fence"], status="completed", result={"n": 1}, metrics=Metrics())
        answers = [await replica.reports.result("seed", result) for _ in range(2)]
        forged = await replica.reports.result("seed", result.model_copy(update={"fence": result.fence + 1}))
        execution = await final(replica, execution_id)

    assert (answers, forged) == ([True, True], False)
    assert execution.result == {"only": {"n": 1}}


async def test_a_report_with_a_wrong_address_harms_no_attempt_that_lives(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = SeedWorker()

    async def later(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=202)

    worker.process = later
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution_id = await run(replica, database)
        await worker.processing.wait()
        _, processed = next(call for call in worker.calls if call[0] == "process")
        key = {"execution_id": execution_id, "stage_id": processed["stageId"], "fence": processed["fence"]}
        wrong_stage, wrong_execution = {**key, "stage_id": "only"}, {**key, "execution_id": "exec_other"}
        seed = replica.fleet.get("seed")
        assert seed is not None
        sent: list[OrchestratorPacket] = []
        with monkeypatch.context() as patch:
            patch.setattr(seed.link, "send", lambda packet, encoded: sent.append(packet))
            with pytest.raises(Dishonest):
                await replica.reports.progress("seed", Progress(**wrong_stage, progress=5))
            told = await replica.reports.progress("seed", Progress(**wrong_execution, progress=5))
        taken = await replica.reports.result("seed", Result(**key, status="completed", result={"n": 1}))
        execution = await final(replica, execution_id)

    assert (told, sent, taken) == (False, [], True)
    assert (execution.result, execution.stages["only"].attempt) == ({"only": {"n": 1}}, 1)


async def test_a_long_call_to_a_worker_that_answers_nothing_else_is_not_taken_for_death(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()
    worker.process = worker.wait
    async with at_work(database, tmp_path, worker, slots=1) as (replica, _):
        execution_id = await run(replica, database)
        await worker.processing.wait()
        watcher = replica.hub.watch(execution_id)
        renewed = 0
        seed = replica.fleet.get("seed")
        assert seed is not None
        [held] = seed.assignments.values()
        lease = held.lease_until
        async with asyncio.timeout(10):
            while renewed < 3:
                await watcher.next(0.05)
                renewed += held.lease_until != lease
                lease = held.lease_until
        worker.go_on.set()
        execution = await final(replica, execution_id)

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)


async def nonsense(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text="ok then")


async def html(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text="<html><body>It works!</body></html>", content_type="text/html")


async def broken(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.Response(status=500, text="Internal Server Error")


async def another_execution(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.json_response({"executionId": "exec_other", "status": "completed", "result": {}, "accepted": True})


async def not_an_object(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.json_response([1, 2, 3])


async def not_a_number(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text='{"executionId": "x", "status": "completed", "result": NaN, "accepted": true}')


async def silence(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def huge(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    chunk = b"x" * 65_536
    while request.transport is not None and not request.transport.is_closing():
        await response.write(chunk)
    return response


BAD = [
    (nonsense, "malformed_answer"),
    (html, "malformed_answer"),
    (broken, "worker_error"),
    (another_execution, "malformed_answer"),
    (not_an_object, "malformed_answer"),
    (not_a_number, "malformed_answer"),
    (silence, "worker_lost"),
    (huge, "result_too_large"),
]


@pytest.mark.parametrize(("answer", "code"), BAD, ids=[answer.__name__ for answer, _ in BAD])
async def test_a_bad_answer_to_process_fails_the_attempt_with_a_code_and_a_sentence(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, code: str
) -> None:
    monkeypatch.setattr(http_link, "MAX_RESULT_BYTES", 1_000_000)
    worker = SeedWorker()
    worker.process = answer
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database, ONCE))
        seed = replica.fleet.get("seed")

    assert execution.status is ExecutionStatus.FAILED
    assert execution.error is not None
    assert execution.error.code == code
    assert execution.error.message.startswith("stage only: worker seed ")
    assert [loss.worker_id for loss in execution.stages["only"].losses] == (["seed"] if code == "worker_lost" else [])
    assert seed is not None
    offence = {"malformed_answer": "malformed", "result_too_large": "too_large"}.get(code)
    assert seed.facts.standing.offences == ({} if offence is None else {offence: 1})


@pytest.mark.parametrize(("answer", "_code"), BAD[:-1], ids=[answer.__name__ for answer, _ in BAD[:-1]])
async def test_a_bad_answer_to_an_offer_is_unknown_and_the_stage_waits_for_a_better_one(
    database: Database, tmp_path: Path, answer: Answer, _code: str
) -> None:
    worker = SeedWorker()
    asked = asyncio.Event()

    async def bad_then_good(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if asked.is_set():
            return await worker.accept(request, body)
        asked.set()
        return await answer(request, body)

    worker.handshake = bad_then_good
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database))

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)
    assert execution.stages["only"].offer_round >= 2


async def test_an_answer_after_its_time_is_not_waited_for(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()
    first = asyncio.Event()

    async def late_once(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if not first.is_set():
            first.set()
            await worker.go_on.wait()
        return await worker.accept(request, body)

    worker.handshake = late_once
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database))

    assert execution.status is ExecutionStatus.COMPLETED
    assert execution.stages["only"].offer_round == 2


async def test_a_400_says_that_the_input_is_wrong_and_fails_its_stage_with_the_workers_reason(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()

    async def refuse(request: web.Request, offer: dict[str, Any]) -> web.StreamResponse:
        answer = {"executionId": offer["executionId"], "accepted": False, "reason": "no topic"}
        return web.json_response(answer, status=400)

    worker.handshake = refuse
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database))

    assert execution.stages["only"].error == Failure(code="invalid_input", message="no topic")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"accepted": False, "reason": "no GPU", "code": "unsupported"}, "unsupported"),
        (400, {"accepted": False, "reason": "no topic", "code": "policy"}, "policy"),
        (200, {"accepted": False, "reason": "not today"}, "policy"),
        (429, None, "busy"),
        (503, None, "busy"),
        (404, None, "unsupported"),
    ],
)
async def test_each_way_to_refuse_is_understood_and_shown(
    database: Database, tmp_path: Path, status: int, body: dict[str, Any] | None, code: str
) -> None:
    worker = SeedWorker()
    refused = asyncio.Event()

    async def refuse(request: web.Request, offer: dict[str, Any]) -> web.StreamResponse:
        refused.set()
        if body is None:
            return web.Response(status=status)
        return web.json_response({"executionId": offer["executionId"], **body}, status=status)

    worker.handshake = refuse
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution_id = await run(replica, database)
        async with asyncio.timeout(10):
            while True:
                explained = await replica.outlook.explain(CLIENT, execution_id)
                [considered] = explained["stages"][0]["workers"]
                if considered["lastRefusal"] is not None:
                    break
        packets = await replica.executions.packets(CLIENT, execution_id)

    assert considered["lastRefusal"]["code"] == code
    assert kinds(packets)[:2] in ([], ["offer"], ["offer", "reject"])


async def test_a_cancel_ends_the_call_to_a_worker_that_knows_no_cancel(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()
    worker.process = worker.wait
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution_id = await run(replica, database)
        await worker.processing.wait()
        await replica.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(replica, execution_id)

    assert execution.status is ExecutionStatus.CANCELLED


async def test_a_failure_that_the_worker_reports_keeps_its_words(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()

    async def fail(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        error = {"code": "no_model", "message": "the model is gone", "retryable": False}
        return web.json_response({"executionId": body["executionId"], "status": "failed", "error": error})

    worker.process = fail
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database))

    assert execution.error == Failure(code="no_model", message="stage only: the model is gone")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.org/x", "is not an http or https URL"),
        ("worker", "is not an http or https URL"),
        ("http://user:secret@127.0.0.1/", "credentials"),
        ("http://127.0.0.1:1/", "nothing answers at"),
        ("http://169.254.169.254/", "nothing answers at"),
    ],
)
async def test_a_url_that_cannot_be_a_workers_is_refused_at_registration(
    database: Database, tmp_path: Path, url: str, message: str
) -> None:
    async with a_replica(database, tmp_path, pace=PACE) as replica:
        with pytest.raises(RegistrationRefused, match=message) as refused:
            await register(replica, url)
        known = await replica.registry.list()

    assert refused.value.path == "url"
    assert known == []


async def test_a_worker_that_registers_again_in_the_middle_of_a_call_goes_on_with_it(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()
    worker.process = worker.wait
    async with at_work(database, tmp_path, worker) as (replica, url):
        execution_id = await run(replica, database)
        await worker.processing.wait()
        await register(replica, url)
        worker.go_on.set()
        execution = await final(replica, execution_id)

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)
    assert sum(call == "process" for call, _ in worker.calls) == 1


async def test_a_worker_that_moves_in_the_middle_of_a_call_is_asked_for_it_at_its_new_place(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()
    worker.process = worker.wait
    async with (
        TestServer(worker.application()) as elsewhere,
        at_work(database, tmp_path, worker) as (replica, _),
    ):
        execution_id = await run(replica, database)
        await worker.processing.wait()
        worker.process = worker.complete
        await register(replica, str(elsewhere.make_url("/")))
        execution = await final(replica, execution_id)
        worker.go_on.set()

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)


async def test_a_5xx_to_process_is_tried_again_also_if_its_body_names_no_error(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()

    async def fail_once(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if sum(call == "process" for call, _ in worker.calls) > 1:
            return await worker.complete(request, body)
        return web.json_response({"executionId": body["executionId"], "status": "failed"}, status=500)

    worker.process = fail_once
    source = ONCE.replace("max: 1", "max: 2, backoff: 1ms..1ms")
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await run(replica, database, source))

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 2)


async def test_a_busy_workers_retry_after_is_waited_for(database: Database, tmp_path: Path) -> None:
    worker = SeedWorker()

    async def busy(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": "7"})

    worker.handshake = busy
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution_id = await run(replica, database)
        async with asyncio.timeout(10):
            while (seed := replica.fleet.get("seed")) is None or "work" not in seed.facts.refusals:
                await asyncio.to_thread(int)
        explained = await replica.outlook.explain(CLIENT, execution_id)

    [considered] = explained["stages"][0]["workers"]
    assert considered["code"] == "busy"
    assert 6000 < considered["againInMs"] <= 7000


async def test_a_successor_asks_again_for_what_was_at_a_worker_that_cannot_be_asked(
    database: Database, tmp_path: Path
) -> None:
    worker = SeedWorker()
    worker.process = worker.wait
    async with TestServer(worker.application()) as server:
        async with a_replica(database, tmp_path, pace=PACE) as first:
            await register(first, str(server.make_url("/")))
            execution_id = await run(first, database)
            await worker.processing.wait()
        worker.process = worker.complete
        async with a_replica(database, tmp_path, pace=PACE) as second:
            execution = await final(second, execution_id)
        worker.go_on.set()

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)
    assert sum(call == "process" for call, _ in worker.calls) == 2
