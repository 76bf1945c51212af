"""The gate that every body passes: capped and timed bytes, then, of documents, strict JSON.

Invariant: no more than the cap is ever held, nothing is decompressed, nobody is waited for who sends nothing, and what
passes `parse` is JSON that can be stored.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from orchestrator.web.refusal import Refused, detail
from protocol.codec import LARGE_BYTES, loads
from protocol.errors import ProtocolError

BODY_SECONDS: Final = 60.0
"""How long a client may take to send its body, and as long again for every `SLOWEST_BYTES` that have come."""
SLOWEST_BYTES: Final = 4 * 1024 * 1024
QUIET_SECONDS: Final = 60.0
"""How long a client may send nothing at all."""


async def pieces(request: web.Request, max_bytes: int, what: str = "body") -> AsyncIterator[bytes]:
    """The body as it comes. Raises `Refused` 413 past the cap, 415 if it is compressed, 408 if it comes too slowly."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(415, "unsupported_encoding", "compressed bodies are not taken: send it without Content-Encoding")
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes, what)
    loop = asyncio.get_running_loop()
    began, received = loop.time(), 0
    while True:
        by = began + BODY_SECONDS * (1 + received / SLOWEST_BYTES)
        try:
            async with asyncio.timeout_at(min(by, loop.time() + QUIET_SECONDS)):
                piece = await request.content.readany()
        except TimeoutError:
            raise Refused(408, "body_too_slow", f"the {what} comes too slowly: {received} bytes so far") from None
        except (web.RequestPayloadError, BadHttpMessage, ConnectionError) as error:
            raise Refused(400, "malformed_body", f"the {what} did not arrive whole: {error}") from None
        if not piece:
            return
        received += len(piece)
        if received > max_bytes:
            raise _too_large(max_bytes, what)
        yield piece


async def read_bytes(request: web.Request, max_bytes: int) -> bytes:
    """The whole body as it was sent; raises as `pieces` does."""
    return b"".join([piece async for piece in pieces(request, max_bytes)])


async def read_json(request: web.Request, max_bytes: int) -> Any:
    """The JSON value of the body; None if there is no body. Raises as `pieces` and `parse` do."""
    body = await read_bytes(request, max_bytes)
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(parse, body, max_bytes)
    return parse(body, max_bytes)


def parse(body: bytes, max_bytes: int) -> Any:
    """The JSON value of a body; None if there is no body. Raises `Refused` 400."""
    if not body.strip():
        return None
    try:
        return loads(body, max_bytes)
    except ProtocolError as error:
        raise Refused(400, error.code, error.message, [detail((), error.message)]) from None


def _too_large(max_bytes: int, what: str) -> Refused:
    return Refused(413, "too_large", f"the {what} has more than {max_bytes} bytes, the most that is taken here")
