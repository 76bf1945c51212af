"""Routes of artifacts: large payloads, streamed in and out, by the SHA-256 of their bytes.

Invariant: a client sees its own artifacts alone, and a worker those of the client whose execution it names; nothing is
held whole in memory.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import structlog
from aiohttp import web

from orchestrator.core.requests import UnknownExecution
from orchestrator.store.blobs import BlobsAway
from orchestrator.web import gate
from orchestrator.web.at_once import AtOnce
from orchestrator.web.call import Call, answer
from orchestrator.web.fields import ClientModel, NoFields
from orchestrator.web.refusal import Refused
from orchestrator.web.reports import stale
from protocol.packets import Artifact, Fence

MEDIA_TYPE: Final = "application/octet-stream"
"""What an artifact is that nobody gave a type."""
MOST_OF_A_CLIENT: Final = 32
"""Uploads of one client at once: each takes some megabytes of memory."""
READ_SECONDS: Final = 60.0
"""How long a reader may take to make room for the next piece."""

_CONTENT_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *;[ -~]*)?", re.ASCII)
_HARMLESS: Final = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""Whatever an artifact says it is, no browser shows it as a page of ours."""

log = structlog.get_logger()


class FenceQuery(ClientModel):
    """Under which fence the worker holds the attempt that the artifact is of."""

    fence: Fence


def uploads() -> AtOnce:
    """The uploads under way in this process, by client."""
    advice = "uploads are under way already; send this one when one has ended"
    return AtOnce("too_many_uploads", advice)


UPLOADS: Final = web.AppKey("uploads", AtOnce)


async def upload(call: Call, _: NoFields) -> web.Response:
    """`POST /api/artifacts`."""
    artifact = await _keep(call, call.client_id, _pieces(call))
    return answer(artifact.document(), 201, {"Location": f"/api/artifacts/{artifact.sha256}"})


async def download(call: Call) -> web.StreamResponse:
    """`GET /api/artifacts/{sha256}`."""
    return await _send(call, call.client_id)


async def upload_of_attempt(call: Call, query: FenceQuery) -> web.Response:
    """`PUT /api/executions/{executionId}/stages/{stageId}/artifacts`: only while the worker holds the attempt."""
    execution_id, stage_id = call.named("executionId"), call.named("stageId")

    async def client_id() -> str:
        holder = await call.services.reports.client_of_attempt(call.worker_id, execution_id, stage_id, query.fence)
        if holder is None:
            raise stale()
        return holder

    async def held_pieces() -> AsyncIterator[bytes]:
        async for piece in _pieces(call):
            await client_id()
            yield piece
        await client_id()

    artifact = await _keep(call, await client_id(), held_pieces())
    return answer(artifact.document(), 201, {"Location": f"/api/executions/{execution_id}/artifacts/{artifact.sha256}"})


async def download_of_execution(call: Call) -> web.StreamResponse:
    """`GET /api/executions/{executionId}/artifacts/{sha256}`."""
    execution_id = call.named("executionId")
    client_id = await call.services.reports.client_of_execution(execution_id)
    if client_id is None:
        raise UnknownExecution(execution_id)
    return await _send(call, client_id)


async def _keep(call: Call, client_id: str, pieces: AsyncIterator[bytes]) -> Artifact:
    content_type = call.request.headers.get("Content-Type", MEDIA_TYPE)
    if len(content_type) > 200 or not _CONTENT_TYPE.fullmatch(content_type):
        raise Refused(415, "unsupported_media_type", "Content-Type is no media type, as in application/pdf")
    with call.request.app[UPLOADS].counted(client_id, MOST_OF_A_CLIENT):
        return await call.services.artifacts.keep(client_id, content_type, pieces)


def _pieces(call: Call) -> AsyncIterator[bytes]:
    return gate.pieces(call.request, call.services.max_artifact_bytes, "artifact")


async def _send(call: Call, client_id: str) -> web.StreamResponse:
    sha256 = call.named("sha256")
    artifact = await call.services.artifacts.find(client_id, sha256)
    if artifact is None:
        raise Refused(404, "unknown_artifact", f"there is no artifact {sha256}")
    response = web.StreamResponse(headers={**_HARMLESS, "Content-Type": artifact.content_type})
    response.content_length = artifact.size_bytes
    if call.request.method == "HEAD":
        await response.prepare(call.request)
        return response
    pieces = await call.services.artifacts.pieces(client_id, sha256)
    try:
        await response.prepare(call.request)
        async for piece in pieces:
            async with asyncio.timeout(READ_SECONDS):
                await response.write(piece)
    except (TimeoutError, ConnectionError, BlobsAway) as error:
        # The length is announced: only a broken connection tells the reader that this is not all.
        log.warning("artifact.broken_off", sha256=sha256, error=repr(error))
        if call.request.transport is not None:
            call.request.transport.abort()
    return response
