"""Who calls: the credentials of a request, and whether they are of the kind that its route needs.

Invariant: a route for clients is never entered by a worker, nor the other way round; who shows a credential of the
wrong kind is told so (403), who shows none or a wrong one is not told which (401).
"""

import re
from enum import Enum
from typing import Final, TypeVar

from aiohttp import web

from orchestrator.accounts.principal import ClientPrincipal, Principal, Scope, WorkerPrincipal
from orchestrator.web.ports import Authenticator
from orchestrator.web.refusal import Refused

SESSION_HEADERS: Final = ("X-Session-Token", "X-Bitware-Session-Token")

P = TypeVar("P")

_WORKER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")


class Access(Enum):
    """Who may call a route."""

    PUBLIC = "anybody"
    CLIENT = "a client: an API key, or a user's session"
    WORKER = "a worker: the worker secret and X-Worker-ID"
    ANYONE = "a client or a worker"


async def client_of(request: web.Request, authenticator: Authenticator) -> ClientPrincipal | None:
    """The client that calls; None if it shows no credential of a client's. Raises `Refused` 401 for a wrong one."""
    if key := request.headers.get("X-API-Key"):
        return _known(await authenticator.by_api_key(key), "the API key is not known")
    if token := session_token(request):
        return _known(await authenticator.by_session(token), "the session is not known, or it has expired")
    return None


def session_token(request: web.Request) -> str | None:
    """The token of the session that the request shows."""
    return next((token for header in SESSION_HEADERS if (token := request.headers.get(header))), None)


async def worker_of(request: web.Request, authenticator: Authenticator) -> WorkerPrincipal | None:
    """The worker that calls; None if it shows no worker secret. Raises `Refused` 401 for a wrong one."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        return None
    worker_id = request.headers.get("X-Worker-ID", "")
    if not worker_id:
        raise unauthenticated("the header X-Worker-ID is missing: a worker says who it is")
    if not _WORKER_ID.fullmatch(worker_id):
        raise unauthenticated("the header X-Worker-ID is not an identifier: letters, digits and _ . : -")
    return _known(await authenticator.by_worker(secret.strip(), worker_id), "the worker secret is not known")


async def authenticate(
    request: web.Request, authenticator: Authenticator, access: Access, scope: Scope | None
) -> Principal | None:
    """Who calls, if that is somebody who may; raises `Refused` 401 or 403."""
    match access:
        case Access.PUBLIC:
            return None
        case Access.CLIENT:
            client = await client_of(request, authenticator)
            if client is None:
                if await worker_of(request, authenticator) is not None:
                    raise forbidden("a worker secret does not open this: it is for clients")
                raise unauthenticated("an API key (X-API-Key) or a session (X-Session-Token) is needed")
            if scope is not None and scope not in client.scopes:
                raise forbidden(f"the scope {scope.value} is needed")
            return client
        case Access.WORKER:
            worker = await worker_of(request, authenticator)
            if worker is None:
                if await client_of(request, authenticator) is not None:
                    raise forbidden("a client's credential does not open this: it is for workers")
                raise unauthenticated("the worker secret (Authorization: Bearer) and X-Worker-ID are needed")
            return worker
        case Access.ANYONE:
            anyone = await client_of(request, authenticator) or await worker_of(request, authenticator)
            if anyone is None:
                raise unauthenticated("an API key, a session or the worker secret with X-Worker-ID is needed")
            return anyone


def unauthenticated(message: str) -> Refused:
    """401."""
    return Refused(401, "unauthenticated", message, headers={"WWW-Authenticate": 'Bearer realm="baton"'})


def forbidden(message: str) -> Refused:
    """403."""
    return Refused(403, "forbidden", message)


def _known(principal: P | None, otherwise: str) -> P:
    if principal is None:
        raise unauthenticated(otherwise)
    return principal
