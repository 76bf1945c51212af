"""Routes that read executions and command them."""

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from orchestrator.core.document import execution_document
from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.requests import UnknownExecution
from orchestrator.web import gate
from orchestrator.web.call import Call, answer
from orchestrator.web.fields import ClientModel, NoFields
from orchestrator.web.identity import forbidden
from orchestrator.web.paging import LONGEST, cursor_after, last_id_of
from orchestrator.web.ports import Command
from protocol.codec import MAX_DOCUMENT_BYTES


class ListQuery(ClientModel):
    """Which executions, and from where on."""

    status: Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"] | None = None
    template: Annotated[str, Field(max_length=200)] | None = None
    client_id: Annotated[str, Field(max_length=200)] | None = Field(None, description="Only one's own.")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=LONGEST)] | None = Field(None, description="`nextCursor` of a page.")


async def read(call: Call) -> web.Response:
    """`GET /api/executions/{executionId}`."""
    execution_id = call.named("executionId")
    snapshot = await call.services.executions.find(call.client_id, execution_id)
    if snapshot is None:
        raise UnknownExecution(execution_id)
    return answer(execution_document(snapshot.execution))


async def page(call: Call, query: ListQuery) -> web.Response:
    """`GET /api/executions`: newest first."""
    if query.client_id not in (None, call.client_id):
        raise forbidden("only one's own executions can be listed")
    before = None if query.cursor is None else last_id_of(query.cursor)
    rows = await call.services.executions.page(call.client_id, query.status, query.template, before, query.limit + 1)
    listed = rows[: query.limit]
    more = len(rows) > query.limit
    return answer({"executions": listed, "nextCursor": cursor_after(listed[-1]["executionId"]) if more else None})


async def packets(call: Call) -> web.Response:
    """`GET /api/executions/{executionId}/packets`."""
    execution_id = call.named("executionId")
    found = await call.services.executions.packets(call.client_id, execution_id)
    # No packets: either nothing was offered yet, or it is not this client's.
    if not found and await call.services.executions.find(call.client_id, execution_id) is None:
        raise UnknownExecution(execution_id)
    return answer({"packets": found})


async def explain(call: Call) -> web.Response:
    """`GET /api/executions/{executionId}/explain`."""
    return answer(await call.services.outlook.explain(call.client_id, call.named("executionId")))


async def queue(call: Call) -> web.Response:
    """`GET /api/queue`."""
    return answer(await call.services.outlook.queue(call.client_id))


async def cancel(call: Call, _: NoFields) -> web.Response:
    """`POST /api/executions/{executionId}/cancel`."""
    return await _command(call, CancelRequested())


async def pause(call: Call, _: NoFields) -> web.Response:
    """`POST /api/executions/{executionId}/pause`."""
    return await _command(call, PauseRequested())


async def resume(call: Call, _: NoFields) -> web.Response:
    """`POST /api/executions/{executionId}/resume`."""
    return await _command(call, ResumeRequested())


async def signal(call: Call, body: bytes) -> web.Response:
    """`POST /api/executions/{executionId}/signals/{name}`: the body, any JSON, is the signal's value."""
    return await _command(call, SignalReceived(call.named("name"), gate.parse(body, MAX_DOCUMENT_BYTES)))


async def _command(call: Call, command: Command) -> web.Response:
    """200 and the status it led to; 202 if another replica drives the execution and will carry it out."""
    execution_id = call.named("executionId")
    status = await call.services.commands.command(call.client_id, execution_id, command)
    return answer(_commanded(execution_id, status), 202 if status is None else 200)


def _commanded(execution_id: str, status: ExecutionStatus | None) -> dict[str, Any]:
    return {"executionId": execution_id, "status": None if status is None else status.value}
