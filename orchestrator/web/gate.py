"""The gate that every body passes: capped bytes, then strict JSON.

Invariant: no more than the cap is ever held, nothing is decompressed, and what passes is JSON that can be stored.
"""

import asyncio
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from orchestrator.web.refusal import Refused, detail
from protocol.codec import loads
from protocol.errors import ProtocolError

BODY_SECONDS: Final = 60.0
"""How long a client may take to send its body."""


async def read_bytes(request: web.Request, max_bytes: int) -> bytes:
    """The body as it was sent; raises `Refused` 413 past the cap, 415 if it is compressed, 408 if it takes too long."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(415, "unsupported_encoding", "compressed bodies are not taken: send it without Content-Encoding")
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise Refused(408, "body_too_slow", f"the body did not arrive within {BODY_SECONDS:.0f} seconds") from None
    except (web.RequestPayloadError, BadHttpMessage, ConnectionError) as error:
        raise Refused(400, "malformed_body", f"the body did not arrive whole: {error}") from None
    return bytes(body)


def parse(body: bytes, max_bytes: int) -> Any:
    """The JSON value of a body; None if there is no body. Raises `Refused` 400."""
    if not body.strip():
        return None
    try:
        return loads(body, max_bytes)
    except ProtocolError as error:
        raise Refused(400, error.code, error.message, [detail((), error.message)]) from None


def _too_large(max_bytes: int) -> Refused:
    return Refused(413, "too_large", f"the body has more than {max_bytes} bytes")
