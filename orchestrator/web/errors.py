"""The middleware that every call goes through: its id, its log line, and one shape for whatever goes wrong.

Invariant: bytes from outside never cause a 500; a fault of ours is logged once, with its ids, and told in one sentence.
"""

import re
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from structlog.contextvars import bound_contextvars

from orchestrator.core.seams import Clock, Ids
from orchestrator.web.call import answer
from orchestrator.web.faults import refusal_of
from orchestrator.web.refusal import Refused

REQUEST_ID: Final = web.RequestKey("request_id", str)
STARTED: Final = web.RequestKey("started", web.StreamResponse)
"""The response whose headers are on the wire already: no error can take its place."""

HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_OURS: Final = Refused(500, "internal_error", "the orchestrator failed at this; its log says more under this id")

log = structlog.get_logger()


def one_shape(clock: Clock, ids: Ids) -> Middleware:
    """Gives every call an id and every error the shape of `Refused.document`."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-ID", "")
        request[REQUEST_ID] = given if _GIVEN_ID.fullmatch(given) else ids.new("req")
        began = clock.monotonic()
        with bound_contextvars(request_id=request[REQUEST_ID]):
            try:
                response = await handler(request)
            except Exception as error:
                response = _answered(request, error)
            milliseconds = round((clock.monotonic() - began) * 1000, 1)
            log.debug(
                "http.answered",
                method=request.method,
                path=request.path,
                status=response.status,
                milliseconds=milliseconds,
            )
        return response

    return middleware


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every response carries, streams too: a listener of `on_response_prepare`."""
    request[STARTED] = response
    response.headers["Server"] = "baton"
    response.headers["X-Request-ID"] = request.get(REQUEST_ID, "")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _answered(request: web.Request, error: Exception) -> web.StreamResponse:
    refused = refusal_of(error)
    if refused is None:
        log.exception("http.failed", method=request.method, path=request.path)
        refused = _OURS
    elif refused is not error and refused.status == 503:
        log.warning("http.unavailable", method=request.method, path=request.path, error=repr(error))
    if STARTED in request:
        return request[STARTED]
    return answer(refused.document(request[REQUEST_ID]), refused.status, refused.headers)
