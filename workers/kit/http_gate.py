"""What every HTTP call to a worker passes: the error shape, the secret, and the strict JSON gate.

Bytes from outside can cause any 4xx, never a 5xx.
"""

import asyncio
import hmac
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ValidationError

from protocol.codec import LARGE_BYTES, MAX_DOCUMENT_BYTES, dumps, loads
from protocol.errors import ProtocolError

REQUEST_ID: Final = web.RequestKey("request_id", str)
DESCRIBE: Final[web.AppKey[Handler]] = web.AppKey("describe")
"""The kit's own answer to `GET /api/jobs/{id}`, for an author whose endpoint in its place does not know an id."""

_OPEN_PATHS: Final = frozenset({"/health"})
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

M = TypeVar("M", bound=BaseModel)

log = structlog.get_logger()


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def answer(document: Any, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=dumps(document), status=status, content_type="application/json")


async def read_bytes(request: web.Request) -> bytes:
    """The request's body; raises `Refused` 413 past what is taken here at all."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(413, "too_large", error.text or "the body is larger than anything that is taken here") from None


def refused(error: ProtocolError) -> Refused:
    """The answer to a body that the protocol does not allow."""
    return Refused(413 if error.code == "too_large" else 400, error.code, error.message, path=error.path)


async def read_body(request: web.Request, model: type[M], max_bytes: int = MAX_DOCUMENT_BYTES) -> M:
    """The request's body as a `model`; raises `Refused` 400 with the path of the first fault, or 413."""
    body = await read_bytes(request)
    try:
        if len(body) > LARGE_BYTES:
            return model.model_validate(await asyncio.to_thread(loads, body, max_bytes))
        return model.model_validate(loads(body, max_bytes))
    except ProtocolError as error:
        raise refused(error) from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(map(str, fault["loc"]))
        raise Refused(400, "malformed_body", fault["msg"], path=path) from None


def shape_errors(fresh_id: Callable[[], str]) -> Middleware:
    """Gives every request an id and every error the project's shape."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else fresh_id()
        try:
            response = await handler(request)
        except Refused as refused:
            response = _error(refused, request_id)
        except web.HTTPException as error:
            code = (error.reason or "error").lower().replace(" ", "_")
            response = _error(Refused(error.status, code, error.reason or code), request_id)
        except Exception:
            log.exception("http.failed", method=request.method, path=request.path, request_id=request_id)
            response = _error(Refused(500, "internal_error", "the worker failed; its log has more"), request_id)
        response.headers["X-Request-ID"] = request_id
        return response

    return middleware


def require_secret(secret: str) -> Middleware:
    """Lets only those pass who bear the worker secret and say who they are."""
    expected = f"Bearer {secret}".encode()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPEN_PATHS:
            return await handler(request)
        # aiohttp decodes header bytes with surrogateescape; compared as bytes, no text can raise.
        borne = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(borne, expected):
            raise Refused(401, "unauthorized", "the worker secret is missing or wrong")
        if not request.headers.get("X-Worker-ID"):
            raise Refused(401, "unauthorized", "the header X-Worker-ID is missing")
        return await handler(request)

    return middleware


def _error(refused: Refused, request_id: str) -> web.Response:
    error = {"code": refused.code, "message": refused.message, "details": refused.details}
    return answer({"error": error, "requestId": request_id}, refused.status)
