"""The HTTP API on loopback, and a client of it that holds every answer to its description."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import aiohttp
import jsonschema_rs
import orjson
from aiohttp import web
from multidict import CIMultiDictProxy

from orchestrator.web.application import runner_of
from orchestrator.web.openapi import describe
from orchestrator.web.ports import Services
from orchestrator.web.routing import Route
from orchestrator.web.streams import STREAMS, Streams
from orchestrator.web.table import ROUTES, TABLE

CLIENT_KEY = {"X-API-Key": "key-of-a-client"}
OTHER_KEY = {"X-API-Key": "key-of-another-client"}
READER_KEY = {"X-API-Key": "key-that-only-reads"}
SESSION = {"X-Session-Token": "token-of-a-session"}
WORKER = {"Authorization": "Bearer secret-of-workers", "X-Worker-ID": "worker-1"}
NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `document` is its JSON, None where it is not."""

    status: int
    document: Any
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of an error."""
        code: str = self.document["error"]["code"]
        return code

    @property
    def paths(self) -> list[str]:
        """Where an error says that something is wrong."""
        return [fault["path"] for fault in self.document["error"]["details"]]


class Api:
    """A client of one server. Whatever is answered has to be what the description says."""

    def __init__(self, session: aiohttp.ClientSession, url: str, streams: Streams) -> None:
        self.session = session
        self.url = url
        self.streams = streams

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: Mapping[str, str] = CLIENT_KEY,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`body` goes out as it is if it is bytes, else as JSON; None is no body."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        data = None if body is None else BytesIO(content)
        async with self.session.request(
            method, self.url + path, data=data, headers={**by, **(headers or {})}
        ) as response:
            answered = await response.read()
            document = orjson.loads(answered) if response.content_type == "application/json" else None
            answer = Answer(response.status, document, response.headers, answered)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        hold_to_description(method, path.partition("?")[0], answer)
        return answer

    async def get(
        self, path: str, *, by: Mapping[str, str] = CLIENT_KEY, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return await self.call("GET", path, by=by, headers=headers)

    async def post(
        self, path: str, body: Any = None, *, by: Mapping[str, str] = CLIENT_KEY, key: str | None = None
    ) -> Answer:
        return await self.call("POST", path, body, by=by, headers={} if key is None else {"Idempotency-Key": key})


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[Api]:
    """The API over these services, and a client of it."""
    runner = runner_of(services)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as session:
            yield Api(session, f"http://127.0.0.1:{runner.addresses[0][1]}", runner.app[STREAMS])
    finally:
        await runner.cleanup()


def hold_to_description(method: str, path: str, answer: Answer) -> None:
    """Fail unless the answer's status and document are among those that are described for the route."""
    if answer.status >= 400:
        _validator("Error").validate(answer.document)
        assert answer.document["requestId"] == answer.headers["X-Request-ID"]
    route = route_of(method, path)
    if route is None:
        assert answer.status in (404, 405)
        return
    described = description()["paths"][route.path][method.lower()]["responses"]
    assert str(answer.status) in described or answer.status == 500, (method, path, answer.status, answer.body)
    schema = described.get(str(answer.status), {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        _validator(schema["$ref"].rsplit("/", 1)[-1]).validate(answer.document)


def route_of(method: str, path: str) -> Route | None:
    """The route that serves a path; None if there is none."""
    return next((route for route in ROUTES if route.method == method and _is_of(route.path, path)), None)


def _is_of(template: str, path: str) -> bool:
    wanted, parts = template.split("/"), path.split("/")
    return len(wanted) == len(parts) and all(
        want.startswith("{") or want == part for want, part in zip(wanted, parts, strict=True)
    )


@cache
def description() -> dict[str, Any]:
    return describe(TABLE, "1.2.3")


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    components = description()["components"]
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})
