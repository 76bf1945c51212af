"""A stand-in for the orchestrator: a real HTTP server on loopback that answers by the published contract.

It executes nothing. A test writes down how executions of a template go, and reads back what was asked.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from aiohttp import web

Document = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

API_KEY = "the-key-of-a-test"
_WHOLE = frozenset({"snapshot", "execution", "end"})
_READY_WITHIN_S = 10


def a_stage(name: str, status: str = "pending", **fields: Any) -> Document:
    return {
        "stageId": f"{name}-1",
        "name": name,
        "action": "echo",
        "status": status,
        "attempt": 1,
        "workerId": None,
        "progress": 0,
        "message": None,
        "estimatedCompletionMs": None,
        "estimate": {"ms": None, "tokens": None, "costUsd": None},
        "actual": {"ms": None, "tokens": None, "costUsd": None},
        "ratio": {"ms": None, "tokens": None, "costUsd": None},
        "startedAt": None,
        "finishedAt": None,
        "metrics": None,
        "error": None,
    } | fields


def an_execution(status: str = "running", **fields: Any) -> Document:
    return {
        "executionId": "exec_1",
        "template": "greet_twice",
        "version": 1,
        "status": status,
        "progress": 0,
        "stages": [],
        "currentStage": None,
        "result": None,
        "error": None,
        "cost": {"costUsd": "0", "tokens": 0},
        "createdAt": "2026-01-01T12:00:00Z",
        "startedAt": "2026-01-01T12:00:01Z",
        "finishedAt": None,
    } | fields


@dataclass(frozen=True, slots=True)
class Play:
    """How each execution of a template goes.

    `events` are what its stream tells, from 1 on; connection n of the stream is cut after `cuts[n]` events in all.
    With `held` the last connection stays open. Without `streamed` there is no stream, and each reading of the
    execution is one event further.
    """

    events: tuple[tuple[str, Document], ...]
    cuts: tuple[int, ...] = ()
    held: bool = False
    streamed: bool = True


@dataclass(slots=True)
class Staged:
    """An execution under way: its play, and how much of that has been seen."""

    play: Play
    document: Document
    told: int = 0
    connections: int = 0

    def tell(self) -> None:
        if self.told < len(self.play.events):
            name, data = self.play.events[self.told]
            self.document = data if name in _WHOLE else self.document
            self.told += 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class ApiDouble:
    """The state of the server. `faults` are answered before anything else, one a request; `asked` is all that came."""

    url: str = ""
    plays: dict[str, Play] = field(default_factory=dict)
    required: dict[str, tuple[str, ...]] = field(default_factory=dict)
    executions: dict[str, Staged] = field(default_factory=dict)
    templates: dict[str, Document] = field(default_factory=dict)
    answers: dict[str, Document] = field(default_factory=dict)
    faults: deque[web.Response] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)

    def begin(self, play: Play, document: Document) -> str:
        """An execution that is there already; its id."""
        execution_id = str(document["executionId"])
        self.executions[execution_id] = Staged(play, document)
        return execution_id

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.add_routes(
            [
                web.post("/api/pipelines/execute", self._execute),
                web.get("/api/executions/{id}", self._execution),
                web.get("/api/executions/{id}/events", self._events),
                web.get("/api/executions/{id}/{about:packets|explain}", self._about),
                web.post("/api/executions/{id}/{order:cancel|pause|resume}", self._order),
                web.post("/api/executions/{id}/signals/{name}", self._order),
                web.post("/api/executions/{id}/retry", self._retry),
                web.post("/api/artifacts", self._keep),
                web.get("/api/templates", self._templates),
                web.get("/api/templates/{name}", self._template),
                web.post("/api/templates", self._publish),
                web.get("/api/{list:queue|workers|executions}", self._list),
            ]
        )
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), dict(request.headers), body))
        if self.faults:
            return self.faults.popleft()
        if request.headers.get("X-API-Key") != API_KEY:
            return refusal(401, "unauthenticated", "no such API key")
        if request.match_info.get("id", "") not in {"", *self.executions}:
            return refusal(404, "unknown_execution", "there is no such execution")
        return await handler(request)

    async def _execute(self, request: web.Request) -> web.Response:
        body = await request.json()
        template = body["template"]
        if template not in self.plays:
            return refusal(404, "unknown_template", f"there is no template {template}")
        missing = [name for name in self.required.get(template, ()) if name not in body.get("input", {})]
        if missing:
            details = [{"path": f"input.{name}", "message": "is required"} for name in missing]
            return refusal(422, "invalid_input", "the input breaks the template's schema", details)
        execution_id = f"exec_{len(self.executions) + 1}"
        queued = an_execution("queued", executionId=execution_id, template=template, startedAt=None)
        self.begin(self.plays[template], queued)
        accepted = {
            "executionId": execution_id,
            "status": "queued",
            "priority": 50,
            "queuePosition": 3,
            "estimatedCompletionAt": None,
            "links": {"self": f"/api/executions/{execution_id}"},
        }
        return web.json_response(accepted, status=202, headers={"Location": f"/api/executions/{execution_id}"})

    async def _execution(self, request: web.Request) -> web.Response:
        staged = self.executions[request.match_info["id"]]
        if not staged.play.streamed:
            staged.tell()
        return web.json_response(staged.document)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        staged = self.executions[request.match_info["id"]]
        if not staged.play.streamed:
            return refusal(404, "not_found", "there is no such path")
        cuts = staged.play.cuts[staged.connections :]
        staged.connections += 1
        staged.told = int(request.headers.get("Last-Event-ID", "0"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\nretry: 1\n\n")
        while staged.told < (cuts[0] if cuts else len(staged.play.events)):
            name, data = staged.play.events[staged.told]
            staged.tell()
            await response.write(f"id: {staged.told}\nevent: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n")
        if staged.play.held and not cuts:
            await asyncio.Event().wait()
        return response

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response(self.answers[request.match_info["about"]])

    async def _order(self, request: web.Request) -> web.Response:
        staged = self.executions[request.match_info["id"]]
        if staged.document["status"] in ("completed", "failed", "cancelled"):
            return refusal(409, "illegal_state", f"the execution is {staged.document['status']}")
        return web.json_response({"executionId": request.match_info["id"], "status": "cancelling"}, status=202)

    async def _retry(self, request: web.Request) -> web.Response:
        return web.json_response({"executionId": "exec_9", "retryOf": request.match_info["id"]}, status=202)

    async def _keep(self, request: web.Request) -> web.Response:
        body = await request.read()
        kept = {"sha256": sha256(body).hexdigest(), "sizeBytes": len(body), "contentType": request.content_type}
        return web.json_response(kept, status=201)

    async def _templates(self, request: web.Request) -> web.Response:
        listed = [{"template": name, "version": document["version"]} for name, document in self.templates.items()]
        return web.json_response({"templates": listed})

    async def _template(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.templates:
            return refusal(404, "unknown_template", f"there is no template {name}")
        return web.json_response(self.templates[name])

    async def _publish(self, request: web.Request) -> web.Response:
        source = (await request.text()).splitlines()
        wrong = next((number for number, line in enumerate(source, 1) if "wrong" in line), None)
        if wrong is not None:
            detail = {"path": "stages", "line": wrong, "column": 1, "message": "no such field"}
            return refusal(422, "invalid_template", "the template is not valid", [detail])
        return web.json_response({"template": source[0].removeprefix("template: "), "version": 1}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(self.answers[request.match_info["list"]])


def refusal(status: int, code: str, message: str, details: Any = None, **headers: str) -> web.Response:
    """An answer in the contract's error envelope; `headers` with underscores for hyphens."""
    envelope = {"error": {"code": code, "message": message, "details": details}, "requestId": "req_1"}
    return web.json_response(
        envelope, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@contextmanager
def serving() -> Iterator[ApiDouble]:
    """The double at work, on a thread of its own: a command under test has its own event loop."""
    double = ApiDouble()
    ready: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(double, ready)), name="api-double")
    thread.start()
    try:
        stop = ready.result(timeout=_READY_WITHIN_S)
        try:
            yield double
        finally:
            stop()
    finally:
        thread.join()


async def _serve(double: ApiDouble, ready: "Future[Callable[[], object]]") -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    runner = web.AppRunner(double.app(), handler_cancellation=True, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    except OSError as error:
        ready.set_exception(error)
    else:
        host, port = runner.addresses[0][:2]
        double.url = f"http://{host}:{port}"
        ready.set_result(partial(loop.call_soon_threadsafe, stopped.set))
        await stopped.wait()
    finally:
        await runner.cleanup()
