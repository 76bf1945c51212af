"""Workers register, beat, are listed, drained and linked."""

from typing import Any

import aiohttp
import pytest

from orchestrator.core.requests import RegistrationRefused
from protocol.packets import AttemptKey, Directive, Heartbeat, Registration
from tests.integration.http_api import CLIENT_KEY, WORKER, Api
from tests.integration.http_parts import Parts

REGISTRATION = {"workerId": "worker-1", "capabilities": ["echo"], "maxConcurrentExecutions": 2}
SHOWN = {
    "workerId": "worker-1",
    "url": None,
    "capabilities": ["echo"],
    "status": "ready",
    "slots": {"total": 2, "free": 2},
    "staleResults": 0,
    "standing": {"demerit": 0, "offences": {}},
}


async def register(api: Api) -> None:
    answer = await api.post("/api/workers", REGISTRATION, by=WORKER)
    assert answer.status == 201


async def test_a_registration_is_answered_with_what_the_worker_needs(api: Api) -> None:
    answer = await api.post("/api/workers", REGISTRATION, by=WORKER)

    assert (answer.status, answer.headers["Location"]) == (201, "/api/workers/worker-1")
    assert answer.document == {
        "workerId": "worker-1",
        "instanceId": "inst_1",
        "protocol": 1,
        "heartbeatIntervalMs": 5_000,
        "websocketUrl": "ws://127.0.0.1/api/workers/worker-1/link",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"workerId": "worker-1", "capabilities": ["echo"], "maxConcurrentExecutions": 2, "mood": {"is": "good"}},
        {"worker_id": "worker-1", "capabilities": ["echo"], "max_concurrent_executions": 2},
    ],
)
async def test_a_workers_fields_are_taken_in_either_case_and_its_own_ignored(
    api: Api, parts: Parts, body: dict[str, Any]
) -> None:
    await api.post("/api/workers", body, by=WORKER)

    assert parts.workers.registrations == [
        Registration(worker_id="worker-1", capabilities=("echo",), max_concurrent_executions=2)
    ]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"capabilities": []}, "capabilities"),
        ({"capabilities": ["Not An Action"]}, "capabilities[0]"),
        ({"maxConcurrentExecutions": 0}, "maxConcurrentExecutions"),
        ({"running": [{"executionId": "exec_1"}]}, "running[0].stageId"),
        ({"labels": {"a": 1}}, "labels.a"),
    ],
    ids=str,
)
async def test_a_registration_that_is_not_right_is_refused_at_its_path(
    api: Api, fields: dict[str, Any], path: str
) -> None:
    answer = await api.post("/api/workers", REGISTRATION | fields, by=WORKER)

    assert (answer.status, answer.paths[0]) == (422, path)


async def test_a_registration_that_cannot_stand_is_refused_at_its_path(api: Api, parts: Parts) -> None:
    parts.workers.fault = RegistrationRefused("url", "nothing answers at http://127.0.0.1:9")
    answer = await api.post("/api/workers", REGISTRATION, by=WORKER)

    assert (answer.status, answer.document["error"]["details"]) == (
        422,
        [{"path": "url", "message": "nothing answers at http://127.0.0.1:9"}],
    )


@pytest.mark.parametrize("named", [{}, {"workerId": "worker-1"}, {"worker_id": "worker-1"}])
async def test_a_handshake_is_a_registration_by_the_header(api: Api, parts: Parts, named: dict[str, str]) -> None:
    answer = await api.post("/api/handshake", {**named, "protocol": 1, "capabilities": ["echo"]}, by=WORKER)

    assert (answer.status, answer.document["workerId"]) == (201, "worker-1")
    assert parts.workers.registrations == [Registration(worker_id="worker-1", capabilities=("echo",))]


async def test_a_heartbeat_is_answered_with_directives(api: Api, parts: Parts) -> None:
    await register(api)
    parts.workers.directives = [Directive(directive="stop", execution_id="exec_1", stage_id="exec_1.a", fence=7)]
    key = {"executionId": "exec_1", "stageId": "exec_1.a", "attempt": 1, "fence": 7}
    answer = await api.post("/api/workers/worker-1/heartbeat", {"load": 0.5, "running": [key]}, by=WORKER)

    assert answer.document == {
        "directives": [{"directive": "stop", "executionId": "exec_1", "stageId": "exec_1.a", "fence": 7}]
    }
    held = AttemptKey(execution_id="exec_1", stage_id="exec_1.a", attempt=1, fence=7)
    assert parts.workers.heartbeats == [("worker-1", Heartbeat(load=0.5, running=(held,)))]


async def test_a_worker_that_is_not_known_any_more_is_sent_to_register(api: Api) -> None:
    answer = await api.post("/api/workers/worker-1/heartbeat", by=WORKER)

    assert (answer.status, answer.code) == (404, "unknown_worker")


async def test_workers_are_listed_and_read(api: Api) -> None:
    await register(api)

    assert (await api.get("/api/workers")).document == {"workers": [SHOWN]}
    assert (await api.get("/api/workers/worker-1")).document == SHOWN
    assert (await api.get("/api/workers/worker-2")).code == "unknown_worker"


async def test_a_worker_is_drained(api: Api, parts: Parts) -> None:
    await register(api)
    answer = await api.call("DELETE", "/api/workers/worker-1", by=WORKER)

    assert (answer.status, answer.document) == (202, {"workerId": "worker-1", "status": "draining"})
    assert parts.workers.drained == ["worker-1"]


async def test_a_worker_that_is_not_there_is_not_drained(api: Api) -> None:
    assert (await api.call("DELETE", "/api/workers/worker-1", by=WORKER)).status == 404


@pytest.mark.parametrize("origin", [None, "same"])
async def test_a_registered_worker_dials_in(api: Api, origin: str | None) -> None:
    await register(api)
    headers = {**WORKER, **({"Origin": api.url} if origin else {})}
    async with api.session.ws_connect(f"{api.url}/api/workers/worker-1/link", headers=headers) as socket:
        assert await socket.receive_str() == "worker-1"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://"])
async def test_a_page_of_another_origin_does_not_dial_in(api: Api, origin: str) -> None:
    await register(api)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await api.session.ws_connect(f"{api.url}/api/workers/worker-1/link", headers={**WORKER, "Origin": origin})

    assert caught.value.status == 403


@pytest.mark.parametrize(("headers", "status"), [(WORKER, 404), (CLIENT_KEY, 403), ({}, 401)])
async def test_a_link_is_for_registered_workers(api: Api, headers: dict[str, str], status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await api.session.ws_connect(f"{api.url}/api/workers/worker-1/link", headers=headers)

    assert caught.value.status == status


async def test_a_link_that_is_no_websocket_is_refused(api: Api) -> None:
    await register(api)

    assert (await api.get("/api/workers/worker-1/link", by=WORKER)).status == 400
