"""Executions are read, listed, explained and commanded, each only by the client that it belongs to."""

from typing import Any

import pytest

from orchestrator.core.document import execution_document
from orchestrator.core.events import CancelRequested, Owned, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.requests import UnknownExecution, WrongState
from orchestrator.store.executions import Snapshot
from tests.factories import an_execution, happen
from tests.integration.http_api import OTHER_KEY, Api
from tests.integration.http_parts import CLIENT, Parts


def a_row(number: int) -> dict[str, Any]:
    return {
        "executionId": f"exec_{number:03}",
        "clientId": CLIENT,
        "template": "greet",
        "version": 1,
        "status": "queued",
        "priority": 50,
        "progress": 0,
        "error": None,
        "cost": {"costUsd": 0.0, "tokens": 0},
        "requestId": None,
        "retryOf": None,
        "createdAt": "2026-01-01T12:00:00.000Z",
        "startedAt": None,
        "finishedAt": None,
    }


async def test_an_execution_is_read_as_it_is_durable(api: Api, parts: Parts) -> None:
    execution = an_execution()
    happen(execution, Owned())
    parts.executions.snapshots[CLIENT, "exec_1"] = Snapshot(execution, 3, None)
    answer = await api.get("/api/executions/exec_1")

    assert (answer.status, answer.document) == (200, execution_document(execution))


@pytest.mark.parametrize("about", ["", "/events", "/packets"])
async def test_another_clients_execution_is_not_found(api: Api, parts: Parts, about: str) -> None:
    parts.executions.snapshots[CLIENT, "exec_1"] = Snapshot(an_execution(), 3, None)
    answer = await api.get(f"/api/executions/exec_1{about}", by=OTHER_KEY)

    assert (answer.status, answer.document["error"]) == (
        404,
        {"code": "unknown_execution", "message": "there is no execution exec_1", "details": None},
    )


async def test_a_list_is_read_page_by_page_to_its_end(api: Api, parts: Parts) -> None:
    parts.executions.rows = [a_row(number) for number in range(5, 0, -1)]
    read, path = [], "/api/executions?limit=2"
    while path:
        page = (await api.get(path)).document
        read += [[row["executionId"] for row in page["executions"]]]
        path = f"/api/executions?limit=2&cursor={page['nextCursor']}" if page["nextCursor"] else ""

    assert read == [["exec_005", "exec_004"], ["exec_003", "exec_002"], ["exec_001"]]


async def test_a_list_is_narrowed_by_what_is_asked(api: Api, parts: Parts) -> None:
    await api.get("/api/executions?status=failed&template=greet&clientId=client_1&limit=10")

    assert parts.executions.pages == [(CLIENT, "failed", "greet", None, 11)]


async def test_a_list_has_fifty_entries_where_nothing_is_said(api: Api, parts: Parts) -> None:
    parts.executions.rows = [a_row(number) for number in range(60, 0, -1)]
    answer = await api.get("/api/executions")

    assert len(answer.document["executions"]) == 50


async def test_another_clients_executions_are_not_listed(api: Api) -> None:
    assert (await api.get("/api/executions?client_id=client_2")).status == 403


async def test_a_cursor_that_no_list_gave_is_refused(api: Api) -> None:
    answer = await api.get("/api/executions?cursor=exec_1")

    assert (answer.status, answer.code, answer.paths) == (400, "bad_cursor", ["cursor"])


async def test_packets_are_given_in_order(api: Api, parts: Parts) -> None:
    about = {"stageId": "exec_1.a", "stage": "a", "attempt": 1, "fence": 7, "workerId": "w"}
    at = "2026-01-01T12:00:00.000Z"
    parts.executions.logged = [
        {**about, "seq": 1, "at": at, "direction": "out", "type": "offer", "sha256": "0" * 64, "bytes": 5_000},
        {**about, "seq": 2, "at": at, "direction": "in", "type": "accept", "body": {"executionId": "exec_1"}},
    ]
    answer = await api.get("/api/executions/exec_1/packets")

    assert answer.document == {"packets": parts.executions.logged}


async def test_an_execution_that_was_never_offered_has_no_packets(api: Api, parts: Parts) -> None:
    parts.executions.snapshots[CLIENT, "exec_1"] = Snapshot(an_execution(), 1, None)
    answer = await api.get("/api/executions/exec_1/packets")

    assert (answer.status, answer.document) == (200, {"packets": []})


async def test_an_execution_is_explained(api: Api) -> None:
    answer = await api.get("/api/executions/exec_1/explain")

    assert answer.document["reason"] == "no worker here offers echo"


async def test_an_execution_that_is_not_there_is_not_explained(api: Api) -> None:
    assert (await api.get("/api/executions/exec_9/explain")).code == "unknown_execution"


async def test_the_queue_is_the_clients_own(api: Api) -> None:
    answer = await api.get("/api/queue", by=OTHER_KEY)

    assert answer.document["queue"][0]["reason"] == "client_2 waits for its turn"


@pytest.mark.parametrize(
    ("path", "body", "command"),
    [
        ("cancel", None, CancelRequested()),
        ("pause", b"{}", PauseRequested()),
        ("resume", b"null", ResumeRequested()),
        ("signals/approved", b'{"by_whom": "Ada"}', SignalReceived("approved", {"by_whom": "Ada"})),
        ("signals/approved", b"false", SignalReceived("approved", False)),
        ("signals/approved", None, SignalReceived("approved", None)),
    ],
)
async def test_a_command_is_passed_on(
    api: Api, parts: Parts, path: str, body: bytes | None, command: CancelRequested
) -> None:
    answer = await api.post(f"/api/executions/exec_1/{path}", body)

    assert (answer.status, answer.document) == (200, {"executionId": "exec_1", "status": "cancelled"})
    assert parts.commands.commands == [(CLIENT, "exec_1", command)]


async def test_a_command_that_another_replica_carries_out_is_accepted(api: Api, parts: Parts) -> None:
    parts.commands.status = None
    answer = await api.post("/api/executions/exec_1/cancel")

    assert (answer.status, answer.document) == (202, {"executionId": "exec_1", "status": None})


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "signals/approved"])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (UnknownExecution("exec_1"), 404, "unknown_execution"),
        (WrongState("the execution is completed"), 409, "wrong_state"),
    ],
)
async def test_a_command_that_cannot_be_is_refused(
    api: Api, parts: Parts, verb: str, fault: Exception, status: int, code: str
) -> None:
    parts.commands.fault = fault
    answer = await api.post(f"/api/executions/exec_1/{verb}")

    assert (answer.status, answer.code) == (status, code)
    assert str(fault) in answer.document["error"]["message"]


async def test_a_command_leads_to_any_status(api: Api, parts: Parts) -> None:
    for status in ExecutionStatus:
        parts.commands.status = status
        answer = await api.post("/api/executions/exec_1/resume")

        assert answer.document["status"] == status.value
