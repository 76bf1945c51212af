"""A route as a value: everything that the router, the gate, the authentication and the documentation know of it.

Invariant: what a `Route` does not say does not happen to a call, and what it says is documented.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

from orchestrator.accounts.principal import Scope, WorkerPrincipal
from orchestrator.core.standing import Offence
from orchestrator.web import fields, gate
from orchestrator.web.call import SERVICES, Call
from orchestrator.web.identity import Access, authenticate
from orchestrator.web.refusal import Refused, detail
from protocol.codec import MAX_DOCUMENT_BYTES

Answering = Awaitable[web.StreamResponse]
M = TypeVar("M", bound=BaseModel)
C = TypeVar("C", bound=fields.ClientModel)


@dataclass(frozen=True, slots=True)
class Plain:
    """A handler that takes nothing but the call."""

    handler: Callable[[Call], Answering]

    async def answer(self, call: Call) -> web.StreamResponse:
        return await self.handler(call)


@dataclass(frozen=True, slots=True)
class FromQuery(Generic[C]):
    """A handler that takes the query string as a `model`; whatever else stands in it is refused."""

    model: type[C]
    handler: Callable[[Call, C], Answering]

    async def answer(self, call: Call) -> web.StreamResponse:
        return await self.handler(call, fields.read_query(self.model, call.request.query.items()))


@dataclass(frozen=True, slots=True)
class FromBody(Generic[M]):
    """A handler that takes a JSON object as a `model`; where it is `optional`, no body is an empty object."""

    model: type[M]
    handler: Callable[[Call, M], Answering]
    max_bytes: int = MAX_DOCUMENT_BYTES
    optional: bool = False

    async def answer(self, call: Call) -> web.StreamResponse:
        document = await gate.read_json(call.request, self.max_bytes)
        if document is None and not self.optional:
            message = "a JSON object is needed"
            raise Refused(400, "missing_body", message, [detail((), message)])
        return await self.handler(call, fields.read(self.model, {} if document is None else document))


@dataclass(frozen=True, slots=True)
class FromBytes:
    """A handler that takes the body as it was sent; `media_types` are what it makes sense as.

    `model` is what the body holds, where that can be said; the handler itself reads it.
    """

    handler: Callable[[Call, bytes], Answering]
    max_bytes: int
    media_types: tuple[str, ...]
    model: type[BaseModel] | None = None

    async def answer(self, call: Call) -> web.StreamResponse:
        return await self.handler(call, await gate.read_bytes(call.request, self.max_bytes))


@dataclass(frozen=True, slots=True)
class FromStream(Generic[C]):
    """A handler that takes the query string as a `model`, and reads the body itself, piece by piece."""

    model: type[C]
    handler: Callable[[Call, C], Answering]

    async def answer(self, call: Call) -> web.StreamResponse:
        return await self.handler(call, fields.read_query(self.model, call.request.query.items()))


Intake = Plain | FromQuery[Any] | FromBody[Any] | FromBytes | FromStream[Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    `answers` is the document of the answer, or its media type where that is not JSON; it comes with `status`, or with
    `or_status`. `refusals` are the statuses of errors that do not follow from the rest. A route that `creates` takes
    the header Idempotency-Key. A GET whose answer is `endless` is no HEAD.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    intake: Intake
    summary: str
    access: Access
    answers: type[BaseModel] | str
    scope: Scope | None = None
    status: int = 200
    or_status: int | None = None
    refusals: tuple[int, ...] = ()
    creates: bool = False
    endless: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """What the router takes for it: a GET that has an end answers a HEAD as well, without its body."""
        return (self.method, "HEAD") if self.method == "GET" and not self.endless else (self.method,)

    @property
    def parameters(self) -> list[str]:
        """The names in the path, in order."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def error_statuses(self) -> tuple[int, ...]:
        """Every status that the route answers an error with, but for 500."""
        found = set(self.refusals)
        if self.access is not Access.PUBLIC:
            found |= {401, 503}
        if self.access in (Access.CLIENT, Access.WORKER):
            found.add(403)
        if self.parameters:
            found.add(404)
        if isinstance(self.intake, FromQuery | FromStream):
            found.add(422)
        if isinstance(self.intake, FromBody):
            found |= {400, 408, 413, 415, 422}
        if isinstance(self.intake, FromBytes | FromStream):
            found |= {408, 413, 415}
        return tuple(sorted(found))

    def endpoint(self) -> Handler:
        """What the router calls."""

        async def handle(request: web.Request) -> web.StreamResponse:
            services = request.app[SERVICES]
            principal = await authenticate(request, services.authenticator, self.access, self.scope)
            try:
                return await self.intake.answer(Call(request, services, principal))
            except Refused as refused:
                is_packet = refused.status == 413 and isinstance(self.intake, FromBody | FromBytes)
                if is_packet and isinstance(principal, WorkerPrincipal):
                    services.workers.offended(principal.worker_id, Offence.TOO_LARGE)
                raise

        return handle
