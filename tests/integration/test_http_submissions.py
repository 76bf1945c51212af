"""Executions are submitted, one or many, once for each idempotency key; and made again."""

from typing import Any

import pytest

from orchestrator.core.requests import KeyReused, UnknownExecution, WrongState
from orchestrator.web.submission import MOST_OF_A_BATCH
from tests.integration.http_api import OTHER_KEY, Api
from tests.integration.http_parts import CLIENT, Parts

EXECUTE = "/api/pipelines/execute"
BATCH = "/api/pipelines/execute/batch"
ADA = {"template": "greet", "input": {"name": "Ada"}}
LINKS = {
    "self": "/api/executions/exec_1",
    "events": "/api/executions/exec_1/events",
    "packets": "/api/executions/exec_1/packets",
    "explain": "/api/executions/exec_1/explain",
    "cancel": "/api/executions/exec_1/cancel",
}


async def test_a_submission_is_answered_with_where_it_stands(api: Api) -> None:
    answer = await api.post(EXECUTE, {**ADA, "priority": "high"})

    assert (answer.status, answer.headers["Location"]) == (202, "/api/executions/exec_1")
    assert answer.document == {
        "executionId": "exec_1",
        "status": "queued",
        "priority": 75,
        "queuePosition": 1,
        "estimatedCompletionAt": "2026-01-01T12:00:05.000Z",
        "links": LINKS,
    }


async def test_a_submission_is_passed_on_as_it_was_meant(api: Api, parts: Parts) -> None:
    await api.post(EXECUTE, {**ADA, "priority": 7, "version": 1, "requestId": "req_9", "idempotencyKey": "k"})

    [request] = parts.commands.requests
    assert (request.client_id, request.template.name, request.template_client_id) == (CLIENT, "greet", "")
    assert (request.input, request.priority, request.key, request.request_id) == ({"name": "Ada"}, 7, "k", "req_9")


@pytest.mark.parametrize(
    "body",
    [
        {"templateName": "greet", "parameters": {"name": "Ada"}},
        {"template_name": "greet", "parameters": {"name": "Ada"}},
        {"template": "greet", "input": {"name": "Ada"}, "request_id": None},
    ],
)
async def test_the_accepted_names_are_taken(api: Api, body: dict[str, Any]) -> None:
    assert (await api.post(EXECUTE, body)).status == 202


@pytest.mark.parametrize(
    ("body", "path", "hint"),
    [
        ({"templat": "greet"}, "templat", 'did you mean "template"?'),
        ({**ADA, "prioritty": 1}, "prioritty", 'did you mean "priority"?'),
        ({**ADA, "parameters": {}}, "parameters", 'is the same field as "input"'),
        ({"input": {}}, "template", "is required"),
        ({**ADA, "version": 0}, "version", "greater than or equal to 1"),
        ({**ADA, "version": "1"}, "version", "valid integer"),
        ({"template": "greet"}, "input.name", "is required"),
        ({**ADA, "input": {"name": 7}}, "input.name", "string"),
        ({**ADA, "input": []}, "input", "object"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_told_at_its_path(api: Api, body: dict[str, Any], path: str, hint: str) -> None:
    answer = await api.post(EXECUTE, body)

    [fault] = answer.document["error"]["details"]
    assert answer.status == 422
    assert fault["path"].startswith(path)
    assert hint in fault["message"]


@pytest.mark.parametrize("body", [{**ADA, "template": "gret"}, {**ADA, "version": 9}])
async def test_an_unknown_template_is_not_found(api: Api, body: dict[str, Any]) -> None:
    answer = await api.post(EXECUTE, body)

    assert (answer.status, answer.code) == (404, "unknown_template")


async def test_the_same_key_and_body_is_the_same_execution(api: Api) -> None:
    first = await api.post(EXECUTE, ADA, key="k")
    again = await api.post(EXECUTE, {"input": {"name": "Ada"}, "templateName": "greet", "idempotencyKey": "k"})

    assert again.status == 202
    assert again.document["executionId"] == first.document["executionId"]
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")


async def test_the_same_key_with_another_body_is_refused(api: Api) -> None:
    await api.post(EXECUTE, ADA, key="k")
    answer = await api.post(EXECUTE, {**ADA, "priority": "low"}, key="k")

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


async def test_another_clients_key_is_another_key(api: Api) -> None:
    first = await api.post(EXECUTE, ADA, key="k")
    other = await api.post(EXECUTE, ADA, key="k", by=OTHER_KEY)

    assert other.document["executionId"] != first.document["executionId"]


async def test_two_keys_in_one_request_are_refused(api: Api) -> None:
    answer = await api.post(EXECUTE, {**ADA, "idempotencyKey": "a"}, key="b")

    assert (answer.status, answer.paths) == (422, ["idempotencyKey"])


async def test_an_items_fault_does_not_hinder_the_others(api: Api) -> None:
    items = [ADA, {"template": "gret"}, 7, {**ADA, "priority": "urgent"}, {"template": "greet"}, {**ADA, "x": 1}, ADA]
    answer = await api.post(BATCH, {"executions": items})

    entries = answer.document["executions"]
    assert answer.status == 202
    assert [entry.get("executionId") or entry["error"]["code"] for entry in entries] == [
        "exec_1",
        "unknown_template",
        "invalid_request",
        "invalid_request",
        "invalid_input",
        "invalid_request",
        "exec_2",
    ]
    assert entries[0]["links"] == LINKS
    assert [entry["error"]["details"][0]["path"] for entry in entries[2:4]] == [
        "executions[2]",
        "executions[3].priority",
    ]


async def test_items_have_keys_of_their_own(api: Api) -> None:
    items = [
        {**ADA, "idempotencyKey": "a"},
        {**ADA, "idempotency_key": "a"},
        {**ADA, "input": {"name": "B"}, "idempotencyKey": "a"},
    ]
    answer = await api.post(BATCH, {"executions": items})

    first, again, other = answer.document["executions"]
    assert first["executionId"] == again["executionId"]
    assert other["error"]["code"] == "idempotency_key_reused"


async def test_a_batch_with_a_key_can_be_sent_again(api: Api) -> None:
    items = [ADA, {**ADA, "input": {"name": "Bob"}}]
    first = await api.post(BATCH, {"executions": items}, key="k")
    again = await api.post(BATCH, {"executions": items}, key="k")

    ids = [[entry["executionId"] for entry in answer.document["executions"]] for answer in (first, again)]
    assert ids == [["exec_1", "exec_2"], ["exec_1", "exec_2"]]


async def test_an_empty_batch_is_done_at_once(api: Api) -> None:
    answer = await api.post(BATCH, {"executions": []})

    assert (answer.status, answer.document) == (202, {"executions": []})


async def test_a_batch_that_is_too_long_is_refused_whole(api: Api, parts: Parts) -> None:
    answer = await api.post(BATCH, {"executions": [ADA] * (MOST_OF_A_BATCH + 1)})

    assert (answer.status, answer.paths, parts.commands.requests) == (422, ["executions"], [])


async def test_an_inner_fault_at_one_item_is_that_items(api: Api, parts: Parts) -> None:
    parts.commands.fault = ZeroDivisionError()
    answer = await api.post(BATCH, {"executions": [ADA, ADA]})

    failed, taken = answer.document["executions"]
    assert (answer.status, failed["error"]["code"], taken["executionId"]) == (202, "internal_error", "exec_1")


async def test_a_retry_is_a_new_execution(api: Api) -> None:
    answer = await api.post("/api/executions/exec_1/retry")

    assert (answer.status, answer.headers["Location"]) == (202, "/api/executions/exec_1_again")
    assert (answer.document["executionId"], answer.document["retryOf"]) == ("exec_1_again", "exec_1")


async def test_a_retrys_key_is_of_that_retry(api: Api) -> None:
    await api.post("/api/executions/exec_1/retry", key="k")
    again = await api.post("/api/executions/exec_1/retry", key="k")
    other = await api.post("/api/executions/exec_2/retry", key="k")
    submission = await api.post(EXECUTE, ADA, key="k")

    assert [answer.status for answer in (again, other, submission)] == [202, 422, 422]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (UnknownExecution("exec_1"), 404, "unknown_execution"),
        (WrongState("the execution is running"), 409, "wrong_state"),
        (KeyReused("used before"), 422, "idempotency_key_reused"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_retry_that_cannot_be_is_refused(
    api: Api, parts: Parts, fault: Exception, status: int, code: str
) -> None:
    parts.commands.fault = fault
    answer = await api.post("/api/executions/exec_1/retry")

    assert (answer.status, answer.code) == (status, code)
