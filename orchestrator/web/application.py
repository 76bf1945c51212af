"""The HTTP API as one aiohttp application, put together from the table of routes."""

from functools import partial
from typing import Final

from aiohttp import web

from orchestrator.web.artifacts import UPLOADS, uploads
from orchestrator.web.call import SERVICES
from orchestrator.web.description import DESCRIPTION, Description
from orchestrator.web.errors import add_headers, one_shape
from orchestrator.web.openapi import describe
from orchestrator.web.ports import Services
from orchestrator.web.streams import STREAMS, Streams
from orchestrator.web.table import ROUTES, TABLE
from protocol.codec import MAX_RESULT_BYTES

SHUTDOWN_SECONDS: Final = 5.0
"""How long calls under way have to end when the server stops."""


def runner_of(services: Services) -> web.AppRunner:
    """The application and how it is served: bodies as they were sent, and no access log but our own."""
    app = build_app(services)
    return web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_SECONDS)


def build_app(services: Services) -> web.Application:
    """The application; serve it by `runner_of`: a server that decompresses would do so before anybody can refuse."""
    app = web.Application(middlewares=[one_shape(services.clock, services.ids)], client_max_size=MAX_RESULT_BYTES)
    app[SERVICES] = services
    app[STREAMS] = streams = Streams(services)
    app[UPLOADS] = uploads()
    app[DESCRIPTION] = Description(partial(describe, TABLE, services.version))
    for route in ROUTES:
        endpoint = route.endpoint()
        for method in route.methods:
            app.router.add_route(method, route.path, endpoint)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(streams.close)
    return app
