"""Bytes from outside are answered with a 4xx in the one shape, whatever they are and wherever they are sent."""

import asyncio
import gzip
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from orchestrator.web import gate
from orchestrator.web.identity import Access
from orchestrator.web.routing import FromBody, FromBytes, Route
from orchestrator.web.table import ROUTES
from protocol.codec import MAX_DOCUMENT_BYTES
from tests.integration.http_api import CLIENT_KEY, WORKER, Api
from tests.integration.http_parts import Parts

POSTS = [route for route in ROUTES if route.method == "POST" and isinstance(route.intake, FromBody | FromBytes)]
OBJECTS = [route for route in POSTS if isinstance(route.intake, FromBody)]

MALFORMED: Mapping[str, bytes] = {
    "not JSON": b"hello",
    "half of it": b'{"template": "gre',
    "two values": b"{} {}",
    "not UTF-8": b'{"template": "\xff\xfe"}',
    "NaN": b'{"input": NaN}',
    "Infinity": b'{"input": -Infinity}',
    "a number that is infinite": b'{"input": 1e999}',
    "a huge integer": b'{"input": ' + b"9" * 200_000 + b"}",
    "an integer of 65 bits": b'{"input": 36893488147419103232}',
    "NUL": b'{"input": "\\u0000"}',
    "a lone surrogate": b'{"input": "\\ud800"}',
    "nested too deep": b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested a little too deep": b"[" * 65 + b"]" * 65,
    "brackets that do not match": b"[{" * 100,
    "a byte order mark": b"\xef\xbb\xbf{}",
    "YAML": b"template: greet\n",
    "a form": b"template=greet&input=1",
}


def by(route: Route) -> Mapping[str, str]:
    return {Access.CLIENT: CLIENT_KEY, Access.WORKER: WORKER}.get(route.access, {})


def path_of(route: Route) -> str:
    names = {"executionId": "exec_1", "stageId": "exec_1.hello", "workerId": "worker-1", "name": "approved"}
    return re.sub(r"{(\w+)}", lambda parameter: names[parameter[1]], route.path)


def name(route: Route) -> str:
    return route.path


FIELDS: Sequence[Mapping[str, Any]] = (
    {"template": 7, "workerId": 7, "fence": "x", "email": 1, "executions": {}},
    {"template": "greet", "input": 7, "fence": 1, "progress": "half", "workerId": "worker-1", "capabilities": "echo"},
    {"template": "greet", "input": {"name": "Ada"}, "version": 2**62, "fence": 2**60, "progress": 1},
    {"template": "greet", "priority": {"word": "high"}, "error": 7, "fence": 1, "result": None, "running": [1]},
    {"template": None, "executions": None, "fence": None, "email": None, "password": None},
    {"template": "x" * 100_000, "fence": -1, "workerId": "../..", "capabilities": [""], "running": {}},
    {"templates": "greet", "exections": []},
)


@pytest.mark.parametrize("route", POSTS, ids=name)
async def test_a_malformed_body_is_refused(api: Api, route: Route) -> None:
    for what, body in MALFORMED.items():
        answer = await api.post(path_of(route), body, by=by(route))

        assert answer.status == (422 if route.path == "/api/templates" else 400), (what, answer.body)


@pytest.mark.parametrize("route", OBJECTS, ids=name)
async def test_a_body_that_is_no_object_is_refused(api: Api, route: Route) -> None:
    for body in (b"[]", b'"text"', b"7", b"true"):
        answer = await api.post(path_of(route), body, by=by(route))

        assert (answer.status, answer.paths) == (422, [""]), body


@pytest.mark.parametrize("route", OBJECTS, ids=name)
async def test_no_body_is_refused_where_an_object_is_needed(api: Api, route: Route) -> None:
    assert isinstance(route.intake, FromBody)
    for body in (None, b"", b"  \n", b"null"):
        answer = await api.post(path_of(route), body, by=by(route))

        if route.intake.optional:
            assert answer.status in (200, 202, 404), body
        else:
            assert (answer.status, answer.code, answer.paths) == (400, "missing_body", [""]), body


@pytest.mark.parametrize("route", OBJECTS, ids=name)
async def test_wrong_fields_are_never_a_fault_of_ours(api: Api, route: Route) -> None:
    for fields in FIELDS:
        answer = await api.post(path_of(route), fields, by=by(route))

        assert answer.status < 300 or answer.status in (403, 404, 409, 422), (fields, answer.body)


@pytest.mark.parametrize("route", POSTS, ids=name)
async def test_compressed_bodies_are_not_taken(api: Api, route: Route) -> None:
    bomb = gzip.compress(b"[" + b" " * 1_000_000 + b"]")
    for encoding in ("gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "nonsense"):
        headers = {"Content-Encoding": encoding}
        answer = await api.call("POST", path_of(route), bomb, by=by(route), headers=headers)

        assert (answer.status, answer.code) == (415, "unsupported_encoding"), encoding


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_json_is_json_whatever_it_is_called(api: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    body = {"template": "greet", "input": {"name": "Ada"}}
    answer = await api.call("POST", "/api/pipelines/execute", body, headers=headers)

    assert answer.status == 202


@pytest.mark.parametrize("route", [route for route in POSTS if route.path != "/api/templates"], ids=name)
async def test_a_body_past_the_cap_is_refused_before_it_is_read(api: Api, route: Route) -> None:
    intake = route.intake
    assert isinstance(intake, FromBody | FromBytes)
    status = await _announced(api, route, intake.max_bytes + 1)

    assert status == 413


async def _announced(api: Api, route: Route, length: int) -> int:
    """The status that is answered to the mere announcement of a body."""
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = {**by(route), "Host": "test", "Content-Length": str(length)}
    lines = "".join(f"{header}: {value}\r\n" for header, value in head.items())
    writer.write(f"POST {path_of(route)} HTTP/1.1\r\n{lines}\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    return status


async def test_a_body_that_does_not_say_how_long_it_is_is_cut_off_at_the_cap(api: Api) -> None:
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        b"POST /api/pipelines/execute HTTP/1.1\r\nHost: test\r\nX-API-Key: key-of-a-client\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    for _ in range(MAX_DOCUMENT_BYTES // 0x100000 + 1):
        writer.write(chunk)
        await writer.drain()

    assert (await reader.readline()).split()[1] == b"413"
    writer.close()
    await writer.wait_closed()


async def test_a_body_in_broken_chunks_is_refused(api: Api) -> None:
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        b"POST /api/pipelines/execute HTTP/1.1\r\nHost: test\r\nX-API-Key: key-of-a-client\r\n"
        b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\nnonsense\r\n'
    )

    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_does_not_arrive_is_not_waited_for_for_ever(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.0)
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        b"POST /api/pipelines/execute HTTP/1.1\r\nHost: test\r\nX-API-Key: key-of-a-client\r\nContent-Length: 9\r\n\r\n"
    )

    assert (await reader.readline()).split()[1] == b"408"
    writer.close()
    await writer.wait_closed()


async def test_an_input_as_large_as_allowed_is_taken(api: Api, parts: Parts) -> None:
    body = {"template": "greet", "input": {"name": ""}}
    body["input"] = {"name": "x" * (MAX_DOCUMENT_BYTES - len(orjson.dumps(body)))}
    answer = await api.post("/api/pipelines/execute", body)

    assert answer.status == 202
    assert parts.commands.requests[0].input == body["input"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/executions/%00",
        "/api/executions/%ff",
        "/api/executions/exec%2F1",
        "/api/executions/" + "x" * 201,
        "/api/executions/..%2f..",
        "/api/executions/ü",
        "/api/executions/%00/events",
        "/api/executions/%00/packets",
        "/api/executions/%00/explain",
        "/api/templates/%00",
        "/api/templates/greet'--",
        "/api/master-templates/%F0%9F",
        "/api/workers/%00",
    ],
)
async def test_a_name_that_nothing_can_have_is_not_found(api: Api, path: str) -> None:
    assert (await api.get(path)).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=many",
        "limit=9999999999999999999999",
        "limit=1&limit=2",
        "status=done",
        "state=failed",
        "cursor=%00",
        "cursor=" + "A" * 5_000,
        "template=" + "x" * 201,
        "template=%00",
        "clientId=client_1%0a",
    ],
)
async def test_a_query_that_is_not_right_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"/api/executions?{query}")

    assert answer.status in (400, 422), answer.body
