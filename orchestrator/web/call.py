"""One authenticated call as handlers see it, and the answers they give."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from orchestrator.accounts.principal import ClientPrincipal, Principal, WorkerPrincipal
from orchestrator.web.identity import forbidden
from orchestrator.web.ports import Services
from orchestrator.web.refusal import Refused
from protocol.codec import dumps

SERVICES: Final = web.AppKey("services", Services)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request and who makes it. The route's access says which of `client_id` and `worker_id` there is."""

    request: web.Request
    services: Services
    principal: Principal | None

    @property
    def client_id(self) -> str:
        if not isinstance(self.principal, ClientPrincipal):
            raise TypeError("only a route for clients has a client")
        return self.principal.client_id

    @property
    def worker_id(self) -> str:
        if not isinstance(self.principal, WorkerPrincipal):
            raise TypeError("only a route for workers has a worker")
        return self.principal.worker_id

    def bound_to(self, worker_id: str) -> str:
        """The worker's id, if the worker speaks of itself; raises `Refused` 403."""
        if worker_id != self.worker_id:
            raise forbidden(f"X-Worker-ID is {self.worker_id}: it cannot speak for another worker")
        return worker_id

    def named(self, parameter: str) -> str:
        """A part of the path; raises `Refused` 404 for what cannot be the name of anything."""
        value = self.request.match_info[parameter]
        if not _NAME.fullmatch(value):
            raise Refused(404, "not_found", f"{parameter}: nothing has such a name")
        return value


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response."""
    return web.Response(body=dumps(document), status=status, headers=headers, content_type="application/json")
