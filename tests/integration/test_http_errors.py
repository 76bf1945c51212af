"""Every call has an id and every error one shape; what is our fault is told as ours, and once."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.integration.http_api import NOBODY, Api
from tests.integration.http_parts import Parts

EXECUTE = {"template": "greet", "input": {"name": "Ada"}}


async def test_an_unknown_path_is_not_found(api: Api) -> None:
    answer = await api.get("/api/pipeline/execute", by=NOBODY)

    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_path_is_told_with_what_it_allows(api: Api) -> None:
    answer = await api.call("DELETE", "/api/templates")

    assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "method_not_allowed", "GET,HEAD,POST")


async def test_a_call_keeps_the_id_that_it_came_with(api: Api) -> None:
    answer = await api.get("/api/executions/exec_1", headers={"X-Request-ID": "trace-7.a"})

    assert answer.headers["X-Request-ID"] == "trace-7.a"


@pytest.mark.parametrize("given", ["", "with space", "x" * 129, "<script>", "ü"])
async def test_an_id_that_could_not_be_logged_is_replaced(api: Api, given: str) -> None:
    answer = await api.get("/api/healthz", headers={"X-Request-ID": given})

    assert answer.headers["X-Request-ID"] == "req_1"


async def test_a_fault_of_ours_is_one_sentence_and_one_line_in_the_log(api: Api, parts: Parts) -> None:
    parts.commands.fault = ZeroDivisionError("a secret of the machine room")
    with capture_logs() as logs:
        answer = await api.post("/api/pipelines/execute", EXECUTE)

    assert (answer.status, answer.document["error"]) == (
        500,
        {
            "code": "internal_error",
            "message": "the orchestrator failed at this; its log says more under this id",
            "details": None,
        },
    )
    assert [(line["event"], line["path"]) for line in logs if line["log_level"] == "error"] == [
        ("http.failed", "/api/pipelines/execute")
    ]


@pytest.mark.parametrize(
    "away",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.ConnectionDoesNotExistError("connection was closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.DiskFullError("No space left on device"),
        asyncpg.ReadOnlySQLTransactionError("read-only"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_database_that_is_away_makes_the_call_worth_repeating(api: Api, parts: Parts, away: Exception) -> None:
    parts.commands.fault = away
    answer = await api.post("/api/pipelines/execute", EXECUTE)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "unavailable", "1")


async def test_no_answer_says_what_it_is_made_with(api: Api) -> None:
    assert (await api.get("/api/healthz")).headers["Server"] == "baton"


async def test_an_announced_upgrade_to_something_else_is_just_a_call(api: Api) -> None:
    answer = await api.get("/api/healthz", headers={"Connection": "upgrade", "Upgrade": "h2c"})

    assert answer.status == 200


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_with_400_and_the_connection_ends(api: Api, request_line: bytes) -> None:
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(request_line)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer.split()[1] == b"400"
