"""What a command says when it ends other than well, and the code with which it ends."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from orchestrator.call_faults import ApiError, Unreachable, refusal, retry_after_s
from orchestrator.cli.failures import ExitCode, detail_lines, failure


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ApiError(404, "unknown_template", "no such template"), ExitCode.REFUSED),
        (ApiError(301, "http_301", "Moved"), ExitCode.REFUSED),
        (ApiError(503, "database_away", "the database is away"), ExitCode.UNREACHABLE),
        (Unreachable("http://h", "connection refused"), ExitCode.UNREACHABLE),
    ],
)
def test_what_is_refused_and_what_cannot_serve_end_with_different_codes(
    error: ApiError | Unreachable, code: ExitCode
) -> None:
    assert failure(error).exit_code == code


def test_a_refusal_tells_message_code_paths_and_request() -> None:
    details = [{"path": "input.name", "message": "is required"}, {"path": "", "message": "too many"}]
    error = ApiError(422, "invalid_input", "the input breaks its schema", details, "req_7")

    assert failure(error).message.splitlines() == [
        "the input breaks its schema (invalid_input)",
        "  input.name: is required",
        "  too many",
        "Request: req_7",
    ]


def test_a_refused_key_is_told_where_a_key_is_taken_from() -> None:
    assert "--api-key or BATON_API_KEY" in failure(ApiError(401, "unauthenticated", "no such key")).message


def test_a_server_out_of_reach_is_told_with_what_to_do() -> None:
    assert failure(Unreachable("http://h:1", "connection refused")).message.splitlines() == [
        "Cannot reach http://h:1: connection refused.",
        "Is `baton up` running there? Start it, or name the server with --url or BATON_URL.",
    ]


def test_a_request_that_may_have_been_taken_is_said_to_be_so() -> None:
    message = failure(Unreachable("http://h:1", "no answer in time", maybe_done=True)).message

    assert message.splitlines()[-1].startswith("The request may have been taken")


def test_what_the_server_says_cannot_steer_the_terminal() -> None:
    assert failure(ApiError(400, "bad", "a\x1b[2Jb\x9bc\u202ed")).message == "a[2Jbcd (bad)"


@pytest.mark.parametrize(
    ("details", "lines"),
    [
        (None, []),
        ("one thing", ["one thing"]),
        (["a", {"message": "b", "line": 3, "column": 5, "path": "stages.x"}], ["a", "line 3, column 5: stages.x: b"]),
        ([{"message": "b", "line": 3}], ["line 3: b"]),
        ({"state": "completed", "errors": [{"path": "p", "message": "m"}]}, ["state: completed", "p: m"]),
    ],
)
def test_each_detail_is_told_at_its_place(details: Any, lines: list[str]) -> None:
    assert list(detail_lines(details)) == lines


def said(error: ApiError) -> tuple[Any, ...]:
    return error.status, error.code, error.message, error.details, error.request_id, error.retry_after_s


def test_a_refusal_is_what_its_envelope_says() -> None:
    envelope = {"error": {"code": "busy", "message": "later", "details": {"a": 1}}, "requestId": "req_1"}

    error = refusal(429, "Too Many Requests", {"Retry-After": "7"}, orjson.dumps(envelope))

    assert said(error) == (429, "busy", "later", {"a": 1}, "req_1", 7.0)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"error": "text"}'])
def test_a_refusal_without_an_envelope_is_what_its_status_says(content: bytes) -> None:
    assert said(refusal(502, "Bad Gateway", {}, content)) == (502, "http_502", "Bad Gateway", None, None, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:30 GMT", "Date": "Thu, 01 Jan 2026 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:00 GMT", "Date": "Thu, 01 Jan 2026 12:00:30 GMT"}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:30 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_answers_own_clock(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers) == seconds
