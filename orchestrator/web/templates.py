"""Routes that publish and read master templates."""

import asyncio
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from orchestrator.core.document import instant
from orchestrator.core.template import Template, parse_template
from orchestrator.store.templates import Published
from orchestrator.web.call import Call, answer
from orchestrator.web.fields import ClientModel

MAX_SOURCE_BYTES: Final = 1024 * 1024
"""More than any template may have, so that one that is a little too long is told its own limit."""


class VersionQuery(ClientModel):
    """Which version; without one, the latest."""

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None


async def publish(call: Call, source: bytes) -> web.Response:
    """`POST /api/templates`: YAML or JSON, whichever it is. The same content again is the same version."""
    # A hostile source keeps a thread busy, not the loop that everybody shares.
    template = await asyncio.to_thread(parse_template, source)
    version, is_new = await call.services.templates.publish(call.client_id, template, source.decode("utf-8-sig"))
    document = {
        "template": template.name,
        "version": version,
        "created": is_new,
        "warnings": warnings(template, frozenset(call.services.workers.actions())),
    }
    return answer(document, 201, {"Location": f"/api/templates/{template.name}?version={version}"})


async def listing(call: Call) -> web.Response:
    """`GET /api/templates`: the latest version of each."""
    return answer({"templates": [summary(one) for one in await call.services.templates.list(call.client_id)]})


async def read(call: Call, query: VersionQuery) -> web.Response:
    """`GET /api/templates/{name}` and `GET /api/master-templates/{name}`."""
    published = await call.services.templates.find(call.client_id, call.named("name"), query.version)
    return answer({**summary(published), "source": published.source, "document": published.document})


def warnings(template: Template, offered: frozenset[str]) -> list[dict[str, Any]]:
    """What is not wrong, but keeps the template from being executed as things are."""
    return [
        {"path": f"stages.{stage.name}.action", "message": f"no worker in reach offers {stage.action} now"}
        for stage in template.stages
        if stage.action is not None and stage.action not in offered
    ]


def summary(published: Published) -> dict[str, Any]:
    """A published version without its text."""
    return {
        "template": published.name,
        "version": published.version,
        "description": published.document.get("description"),
        "shipped": published.is_shipped,
        "publishedAt": instant(published.published_at),
    }
