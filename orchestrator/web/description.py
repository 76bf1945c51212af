"""The API's description as it is served: for programs and for people. Made once, when somebody first asks for it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from aiohttp import web

from orchestrator.web.call import Call
from orchestrator.web.docs_page import page, policy
from protocol.codec import dumps


class Description:
    """The same description twice; `describe` makes the OpenAPI document."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = describe

    @cached_property
    def openapi(self) -> bytes:
        return dumps(self._describe())

    @cached_property
    def page(self) -> bytes:
        return page(self._describe()).encode()


DESCRIPTION: Final = web.AppKey("description", Description)


async def openapi(call: Call) -> web.Response:
    """`GET /openapi.json`."""
    return web.Response(body=call.request.app[DESCRIPTION].openapi, content_type="application/json")


async def docs(call: Call) -> web.Response:
    """`GET /docs`."""
    described = call.request.app[DESCRIPTION].page
    # The page may load nothing but its own style.
    headers = {"Content-Security-Policy": policy()}
    return web.Response(body=described, headers=headers, content_type="text/html", charset="utf-8")
