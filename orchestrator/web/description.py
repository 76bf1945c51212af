"""The API's description as it is served: for programs and for people. Made once, at start."""

from dataclasses import dataclass
from typing import Any, Final, Self

from aiohttp import web

from orchestrator.web.call import Call
from orchestrator.web.docs_page import page, policy
from protocol.codec import dumps


@dataclass(frozen=True, slots=True)
class Description:
    """The same description twice, and what the page is allowed to load: nothing but its own style."""

    openapi: bytes
    page: bytes
    policy: str

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """From an OpenAPI document."""
        return cls(dumps(document), page(document).encode(), policy())


DESCRIPTION: Final = web.AppKey("description", Description)


async def openapi(call: Call) -> web.Response:
    """`GET /openapi.json`."""
    return web.Response(body=call.request.app[DESCRIPTION].openapi, content_type="application/json")


async def docs(call: Call) -> web.Response:
    """`GET /docs`."""
    description = call.request.app[DESCRIPTION]
    headers = {"Content-Security-Policy": description.policy}
    return web.Response(body=description.page, headers=headers, content_type="text/html", charset="utf-8")
