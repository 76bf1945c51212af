"""Routes that make executions: one, many, and one in place of another."""

from typing import Any

import structlog
from aiohttp import web

from orchestrator.core.document import instant
from orchestrator.core.requests import ExecuteRequest, Queued
from orchestrator.core.template import Template
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.templates import Published
from orchestrator.web import fields
from orchestrator.web.call import Call, answer
from orchestrator.web.faults import refusal_of
from orchestrator.web.refusal import Refused
from orchestrator.web.submission import (
    BatchBody,
    ExecuteBody,
    agreed_key,
    execute_request,
    hash_of_retry,
    key_of_item,
)

REPLAYED = {"Idempotency-Replayed": "true"}

log = structlog.get_logger()


async def execute(call: Call, body: ExecuteBody) -> web.Response:
    """`POST /api/pipelines/execute`."""
    key = agreed_key(call.request.headers.get("Idempotency-Key"), body.idempotency_key)
    published, template = await _Lookups(call).of(body)
    request = execute_request(call.client_id, body, key, published, template)
    queued = await call.services.commands.execute(request)
    return _accepted(queued, queued_document(queued, request.priority))


async def retry(call: Call, _: fields.NoFields) -> web.Response:
    """`POST /api/executions/{executionId}/retry`."""
    execution_id = call.named("executionId")
    key = agreed_key(call.request.headers.get("Idempotency-Key"), None)
    queued = await call.services.commands.retry(call.client_id, execution_id, key, hash_of_retry(execution_id))
    return _accepted(queued, {**_queued(queued), "retryOf": execution_id})


async def execute_batch(call: Call, body: BatchBody) -> web.Response:
    """`POST /api/pipelines/execute/batch`: each item for itself; a bad one does not hinder the others."""
    key = agreed_key(call.request.headers.get("Idempotency-Key"), None)
    lookups = _Lookups(call)
    # All are checked before the first is submitted: if the database is away, nothing is half done. And they are
    # submitted in one turn of the loop, so that they stand in the queue, and in one flush, in the order of the batch.
    checked = [await _checked(lookups, item, index, key) for index, item in enumerate(body.executions)]
    submitted = await call.services.commands.execute_all([item for item in checked if not isinstance(item, Refused)])
    away = [outcome for outcome in submitted if isinstance(outcome, UNAVAILABLE)]
    if away and len(away) == len(submitted):
        raise away[0]
    outcomes = iter(submitted)
    entries = [{"error": item.error} if isinstance(item, Refused) else _entry(item, next(outcomes)) for item in checked]
    return answer({"executions": entries}, 202)


def queued_document(queued: Queued, priority: int) -> dict[str, Any]:
    """What a client is told of an execution that has become durable."""
    return {**_queued(queued), "priority": priority}


def links(execution_id: str) -> dict[str, str]:
    """Where an execution can be asked about, and stopped."""
    path = f"/api/executions/{execution_id}"
    return {"self": path} | {name: f"{path}/{name}" for name in ("events", "packets", "explain", "cancel")}


class _Lookups:
    """The templates that one request names, each looked up once."""

    def __init__(self, call: Call) -> None:
        self._client_id = call.client_id
        self._templates = call.services.templates
        self._found: dict[tuple[str, int | None], tuple[Published, Template]] = {}

    @property
    def client_id(self) -> str:
        return self._client_id

    async def of(self, body: ExecuteBody) -> tuple[Published, Template]:
        """Raises `UnknownTemplate`."""
        wanted = (body.template, body.version)
        if wanted not in self._found:
            published = await self._templates.find(self._client_id, *wanted)
            template = await self._templates.version(published.client_id, published.name, published.version)
            self._found[wanted] = published, template
        return self._found[wanted]


async def _checked(lookups: _Lookups, item: Any, index: int, key: str | None) -> ExecuteRequest | Refused:
    try:
        body = fields.read(ExecuteBody, item, ("executions", index))
        own_key = body.idempotency_key or key_of_item(key, index)
        return execute_request(lookups.client_id, body, own_key, *await lookups.of(body))
    except Exception as error:
        refused = refusal_of(error)
        if refused is None or refused.status >= 500:
            raise
        return refused


def _entry(request: ExecuteRequest, outcome: Queued | Exception) -> dict[str, Any]:
    """What the answer says of an item that was submitted."""
    if isinstance(outcome, Queued):
        return queued_document(outcome, request.priority)
    refused = refusal_of(outcome)
    if refused is None:
        log.error("batch.item_failed", template=request.template.name, exc_info=outcome)
        refused = Refused(500, "internal_error", "the orchestrator failed at this one; its log says more")
    return {"error": refused.error}


def _queued(queued: Queued) -> dict[str, Any]:
    return {
        "executionId": queued.execution_id,
        "status": "queued",
        "queuePosition": queued.position,
        "estimatedCompletionAt": instant(queued.estimated_completion_at),
        "links": links(queued.execution_id),
    }


def _accepted(queued: Queued, document: dict[str, Any]) -> web.Response:
    """202, with where to look; a repetition is told as one."""
    headers = {"Location": document["links"]["self"]} | (REPLAYED if queued.repeated else {})
    return answer(document, 202, headers)
