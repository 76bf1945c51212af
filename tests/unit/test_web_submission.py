"""What makes two requests for an execution the same, and which keys and priorities are taken."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.requests import ExecuteRequest
from orchestrator.core.template import parse_template
from orchestrator.store.templates import Published
from orchestrator.web.fields import read
from orchestrator.web.refusal import Refused
from orchestrator.web.submission import (
    MOST_OF_A_BATCH,
    BatchBody,
    ExecuteBody,
    agreed_key,
    execute_request,
    hash_of,
    hash_of_retry,
    key_of_item,
)
from protocol.codec import loads
from tests.factories import NOON

SOURCE = """
template: greet
input: {type: object, required: [name], properties: {name: {type: string}, tone: {enum: [warm]}}}
stages: {hello: {action: echo, with: {text: "${input.name}"}}}
"""
TEMPLATE = replace(parse_template(SOURCE), version=7)
PUBLISHED = Published("client_9", "greet", 7, SOURCE, {}, NOON)


def body(**fields: Any) -> ExecuteBody:
    return read(ExecuteBody, {"template": "greet", **fields})


@pytest.mark.parametrize(
    "same",
    [
        b'{"input": {"a": 1, "b": [1, 2]}, "template": "greet"}',
        b'{"template":"greet","input":{"b":[1,2],"a":1}}',
        b'{"templateName": "greet", "parameters": {"a": 1, "b": [1, 2]}, "priority": "normal"}',
        b'{"template_name": "greet", "input": {"\\u0061": 1, "b": [1, 2]}, "priority": 50, "version": null}',
        b'{"template": "greet", "input": {"a": 1, "b": [1, 2]}, "idempotencyKey": "k"}',
    ],
)
def test_the_same_request_has_the_same_hash_however_it_is_written(same: bytes) -> None:
    assert hash_of(read(ExecuteBody, loads(same))) == hash_of(body(input={"a": 1, "b": [1, 2]}))


@pytest.mark.parametrize(
    "other",
    [
        {"input": {"a": 2}},
        {"input": {"a": "1"}},
        {"input": {"a": [1]}},
        {"version": 1},
        {"priority": "high"},
        {"template": "greets"},
        {"requestId": "req_1"},
    ],
    ids=str,
)
def test_another_request_has_another_hash(other: dict[str, Any]) -> None:
    assert hash_of(body(**{"input": {"a": 1}, **other})) != hash_of(body(input={"a": 1}))


def test_a_retry_has_the_hash_of_no_submission_and_of_no_other_retry() -> None:
    hashes = {hash_of_retry("exec_1"), hash_of_retry("exec_2"), hash_of(body()), hash_of(body(template="exec_1"))}

    assert len(hashes) == 4


def test_a_checked_request_names_the_template_where_it_stands() -> None:
    asked = body(input={"name": "Ada"}, priority="high", requestId="req_7")

    assert execute_request("client_1", asked, "key", PUBLISHED, TEMPLATE) == ExecuteRequest(
        client_id="client_1",
        template=TEMPLATE,
        template_client_id="client_9",
        input={"name": "Ada"},
        priority=75,
        key="key",
        body_hash=hash_of(asked),
        request_id="req_7",
    )


def test_a_request_without_a_key_needs_no_hash() -> None:
    request = execute_request("client_1", body(input={"name": "Ada"}), None, PUBLISHED, TEMPLATE)

    assert (request.key, request.body_hash) == (None, b"")


def test_every_fault_of_the_input_is_told_at_its_path() -> None:
    with pytest.raises(Refused) as caught:
        execute_request("client_1", body(input={"name": 1, "tone": "cold"}), None, PUBLISHED, TEMPLATE)

    refused = caught.value
    assert (refused.status, refused.code) == (422, "invalid_input")
    assert isinstance(refused.details, list)
    assert [fault["path"] for fault in refused.details] == ["input.name", "input.tone"]


@pytest.mark.parametrize(
    ("given", "number"), [("low", 25), ("normal", 50), ("high", 75), ("critical", 100), (0, 0), (100, 100)]
)
def test_a_priority_is_a_word_or_a_number(given: str | int, number: int) -> None:
    assert body(priority=given).priority == number


@pytest.mark.parametrize("given", ["urgent", "50", "HIGH", -1, 101, 50.0, True, [], {}], ids=repr)
def test_any_other_priority_is_refused_in_one_sentence(given: Any) -> None:
    with pytest.raises(Refused) as caught:
        body(priority=given)

    assert caught.value.details == [
        {
            "path": "priority",
            "message": "must be one of low, normal, high, critical, or a whole number from 0 to 100",
        }
    ]


@pytest.mark.parametrize(
    ("header", "in_body", "key"),
    [(None, None, None), ("a", None, "a"), (None, "a", "a"), ("a", "a", "a"), ("ключ 7", None, "ключ 7")],
)
def test_a_key_may_stand_in_the_header_or_in_the_body(header: str | None, in_body: str | None, key: str | None) -> None:
    assert agreed_key(header, in_body) == key


@pytest.mark.parametrize(
    ("header", "in_body"), [("a", "b"), ("", None), ("x" * 201, None), ("tab\tin it", None), ("\udcff", None)]
)
def test_a_key_that_is_none_or_two_is_refused(header: str | None, in_body: str | None) -> None:
    with pytest.raises(Refused) as caught:
        agreed_key(header, in_body)

    assert caught.value.status == 422


@pytest.mark.parametrize("key", ["", "x" * 201, "line\nbreak", 7], ids=repr)
def test_a_key_in_the_body_has_printable_characters_and_not_too_many(key: Any) -> None:
    with pytest.raises(Refused) as caught:
        body(idempotencyKey=key)

    assert isinstance(caught.value.details, list)
    assert caught.value.details[0]["path"] == "idempotencyKey"


def test_the_items_of_a_batch_with_a_key_have_keys_of_their_own() -> None:
    assert [key_of_item("k", 0), key_of_item("k", 1), key_of_item(None, 0)] == ["k/0", "k/1", None]


def test_a_batch_has_a_limit() -> None:
    read(BatchBody, {"executions": [{}] * MOST_OF_A_BATCH})
    with pytest.raises(Refused) as caught:
        read(BatchBody, {"executions": [{}] * (MOST_OF_A_BATCH + 1)})

    assert caught.value.status == 422
