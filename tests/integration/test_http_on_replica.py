"""The HTTP API over a real replica and its database: what it answers is what happened, and each client sees its own."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import WSCloseCode, WSMsgType

from orchestrator.app import BuiltInCheck, Readiness
from orchestrator.client import BatonClient
from orchestrator.dispatch import socket_link
from orchestrator.dispatch.replica import Replica
from orchestrator.store.accounts import AccountTables
from orchestrator.store.artifacts import Artifacts
from orchestrator.store.database import Database
from orchestrator.store.templates import Templates
from orchestrator.system import SystemClock
from orchestrator.web.identity import Access
from orchestrator.web.ports import Services
from orchestrator.web.table import ROUTES
from protocol.packets import Process
from tests.integration.http_api import CLIENT_KEY, NOBODY, OTHER_KEY, WORKER, Api, serving
from tests.integration.http_parts import Parts
from tests.integration.system import until_holds
from tests.replicas import CHAIN, ScriptedWorker, a_replica, accepting, honest

APPROVAL = "template: approval\nstages: {ask: {wait: {signal: approved}}}\noutput: {by: '${stages.ask.output.by}'}\n"


def services_of(replica: Replica, database: Database) -> Services:
    templates = Templates(database, SystemClock())
    return replace(
        Parts().services(),
        commands=replica.commands,
        queue_check=BuiltInCheck(replica.commands, templates, AccountTables(database)),
        executions=replica.executions,
        outlook=replica.outlook,
        templates=templates,
        workers=replica.workers,
        reports=replica.reports,
        artifacts=Artifacts(database, replica.journal.blobs),
        hub=replica.hub,
        health=Readiness(replica, database),
        clock=replica.clock,
    )


@pytest.fixture
async def replica(database: Database, tmp_path: Path) -> AsyncIterator[Replica]:
    async with a_replica(database, tmp_path) as replica:
        yield replica


@pytest.fixture
async def api(replica: Replica, database: Database) -> AsyncIterator[Api]:
    async with serving(services_of(replica, database)) as api:
        yield api


async def submitted(api: Api, source: str = CHAIN, value: int = 1, **fields: object) -> str:
    """The id of an execution of the template, which is published with it."""
    published = await api.post("/api/templates", source.encode())
    body = {"template": published.document["template"], "input": {"value": value}, **fields}
    answer = await api.post("/api/pipelines/execute", body)
    assert answer.status == 202, answer.document
    execution_id: str = answer.document["executionId"]
    return execution_id


async def events_of(api: Api, execution_id: str) -> list[tuple[str, str | None]]:
    """Name and last id of every event, up to the end."""
    async with BatonClient(api.url, CLIENT_KEY["X-API-Key"]) as client:
        return [(event.name, event.id) async for event in client.events(execution_id)]


async def test_an_execution_is_told_from_its_submission_to_its_result(api: Api, replica: Replica) -> None:
    execution_id = await submitted(api, requestId="req_7")
    await ScriptedWorker(replica, honest).join()
    events = await events_of(api, execution_id)

    document = (await api.get(f"/api/executions/{execution_id}")).document
    assert (document["status"], document["result"], document["progress"]) == ("completed", {"value": 3}, 100)
    assert (document["requestId"], document["currentStage"]) == ("req_7", None)
    numbers = [int(number) for _, number in events if number is not None]
    assert events[0][0] == "snapshot"
    assert events[-1][0] == "end"
    assert numbers == sorted(numbers)


async def test_its_packets_are_the_whole_handshake(api: Api, replica: Replica) -> None:
    await ScriptedWorker(replica, honest).join()
    execution_id = await submitted(api)
    await events_of(api, execution_id)
    packets = (await api.get(f"/api/executions/{execution_id}/packets")).document["packets"]

    assert [packet["type"] for packet in packets] == ["offer", "accept", "process", "result", "ack"] * 2
    assert {packet["stage"] for packet in packets} == {"one", "two"}


async def test_what_waits_is_explained_listed_and_queued(api: Api) -> None:
    execution_id = await submitted(api)
    explained = (await api.get(f"/api/executions/{execution_id}/explain")).document
    queued = (await api.get("/api/queue")).document
    listed = (await api.get("/api/executions?status=queued&template=chain")).document

    assert (explained["status"], explained["currentStage"], explained["position"]) == ("queued", "one", 1)
    assert [entry["executionId"] for entry in queued["queue"]] == [execution_id]
    assert [row["executionId"] for row in listed["executions"]] == [execution_id]


async def test_a_batch_stands_in_the_queue_in_its_order(api: Api) -> None:
    await api.post("/api/templates", CHAIN.encode())
    items = [{"template": "chain", "input": {"value": value}} for value in range(20)]
    answer = await api.post("/api/pipelines/execute/batch", {"executions": items}, key="k")
    again = await api.post("/api/pipelines/execute/batch", {"executions": items}, key="k")
    queued = (await api.get("/api/queue")).document

    ids = [entry["executionId"] for entry in answer.document["executions"]]
    assert [entry["executionId"] for entry in queued["queue"]] == ids
    assert [entry["executionId"] for entry in again.document["executions"]] == ids


async def test_an_execution_waits_for_its_signal(api: Api) -> None:
    execution_id = await submitted(api, APPROVAL)
    answer = await api.post(f"/api/executions/{execution_id}/signals/approved", {"by": "Ada"})
    document = (await api.get(f"/api/executions/{execution_id}")).document

    assert answer.status == 200
    assert (document["status"], document["result"]) == ("completed", {"by": "Ada"})


async def test_an_execution_is_paused_resumed_cancelled_and_executed_again(api: Api, replica: Replica) -> None:
    execution_id = await submitted(api)
    path = f"/api/executions/{execution_id}"
    steps = [(await api.post(f"{path}/{verb}")).document["status"] for verb in ("pause", "resume", "cancel")]
    twice = await api.post(f"{path}/cancel")
    first = await api.post(f"{path}/retry", key="k")
    again = await api.post(f"{path}/retry", key="k")
    await ScriptedWorker(replica, honest).join()
    await events_of(api, first.document["executionId"])

    retried = (await api.get(f"/api/executions/{first.document['executionId']}")).document
    assert (steps, twice.status, twice.code) == (["paused", "queued", "cancelled"], 409, "wrong_state")
    assert first.document["executionId"] == again.document["executionId"] != execution_id
    assert (retried["status"], retried["retryOf"]) == ("completed", execution_id)


async def test_a_worker_reports_over_http_and_a_stale_report_is_told_to_stop(api: Api, replica: Replica) -> None:
    worker = await ScriptedWorker(replica, accepting, worker_id="worker-1").join()
    execution_id = await submitted(api, "template: one\nstages: {only: {action: work}}\n")
    process = await worker.got(Process)
    stage = f"/api/executions/{execution_id}/stages/{process.stage_id}"
    progress = await api.post(f"{stage}/progress", {"fence": process.fence, "progress": 50}, by=WORKER)
    stale = await api.post(f"{stage}/complete", {"fence": process.fence + 1, "result": 0}, by=WORKER)
    complete = {"fence": process.fence, "result": {"answer": 42}, "metrics": {"costUsd": 0.5, "tokensUsed": 7}}
    committed = [await api.post(f"{stage}/complete", complete, by=WORKER) for _ in range(2)]

    document = (await api.get(f"/api/executions/{execution_id}")).document
    assert (progress.status, stale.status, stale.document["directive"]) == (200, 409, "stop")
    assert [answer.status for answer in committed] == [200, 200]
    assert document["result"] == {"only": {"answer": 42}}
    assert document["cost"] == {"costUsd": 0.5, "tokens": 7}


async def test_no_client_sees_or_changes_what_is_anothers(api: Api) -> None:
    # No worker: the execution stays as it is unless one of the calls changes it.
    execution_id = await submitted(api)
    before = (await api.get(f"/api/executions/{execution_id}")).document
    seen = {}
    for route in ROUTES:
        if route.access is Access.CLIENT and "{" in route.path:
            path = route.path.format(executionId=execution_id, name="chain", sha256="0" * 64)
            seen[route.path] = (await api.call(route.method, path, by=OTHER_KEY)).status
    rows = (await api.get("/api/executions", by=OTHER_KEY)).document["executions"]
    queue = (await api.get("/api/queue", by=OTHER_KEY)).document["queue"]
    listed = (await api.get("/api/templates", by=OTHER_KEY)).document["templates"]

    assert set(seen.values()) == {404}, seen
    assert (rows, queue, listed) == ([], [], [])
    assert (await api.get(f"/api/executions/{execution_id}")).document == before


async def test_it_is_ready_while_its_database_answers(api: Api) -> None:
    ready = await api.get("/api/readyz", by=NOBODY)

    assert (ready.status, set(ready.document["checks"])) == (200, {"database", "lease"})


@pytest.mark.parametrize(
    ("frame", "close_code", "offence"),
    [("x" * 5_000, WSCloseCode.MESSAGE_TOO_BIG, "too_large"), ("[{]", WSCloseCode.POLICY_VIOLATION, "malformed")],
    ids=["too large", "malformed"],
)
async def test_a_frame_that_has_to_be_refused_is_noted_against_its_worker(
    api: Api, monkeypatch: pytest.MonkeyPatch, frame: str, close_code: int, offence: str
) -> None:
    monkeypatch.setattr(socket_link, "MAX_RESULT_BYTES", 4_000)
    worker = {"workerId": "worker-1", "capabilities": ["work"], "maxConcurrentExecutions": 1}
    await api.post("/api/workers", worker, by=WORKER)
    async with api.session.ws_connect(f"{api.url}/api/workers/worker-1/link", headers=WORKER) as socket:
        await socket.send_str(frame)
        closed = await socket.receive(30)

    async def is_noted() -> bool:
        document = (await api.get("/api/workers/worker-1")).document
        return bool(document["standing"] == {"demerit": 1, "offences": {offence: 1}})

    assert (closed.type, closed.data) == (WSMsgType.CLOSE, close_code)
    await until_holds(is_noted, "the offence is noted")
