"""Routes by which users begin and end sessions."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from aiohttp import web
from pydantic import Field

from orchestrator.accounts.accounts import Session
from orchestrator.core.document import instant
from orchestrator.web.call import Call, answer
from orchestrator.web.fields import ClientModel, NoFields
from orchestrator.web.identity import session_token


class LoginBody(ClientModel):
    """Who wants a session. `username` is taken for `email`."""

    also: ClassVar[Mapping[str, str]] = {"username": "email"}

    email: Annotated[str, Field(max_length=1_000)]
    password: Annotated[str, Field(max_length=1_000, json_schema_extra={"format": "password"})]


async def login(call: Call, body: LoginBody) -> web.Response:
    """`POST /auth/login`."""
    session = await call.services.accounts.login(body.email, body.password, call.request.remote or "")
    return answer(session_document(session))


async def logout(call: Call, _: NoFields) -> web.Response:
    """`POST /auth/logout`: ends the session that the call shows; by an API key there is none to end."""
    token = session_token(call.request)
    if token is not None:
        await call.services.accounts.logout(token)
    return answer({"ended": token is not None})


def session_document(session: Session) -> dict[str, Any]:
    """A session as its user is told of it."""
    principal = session.principal
    return {
        "token": session.token,
        "expiresAt": instant(session.expires_at),
        "user": {
            "userId": principal.user_id,
            "email": session.email,
            "role": None if principal.role is None else principal.role.value,
        },
        "client": {"clientId": principal.client_id, "name": principal.name},
        "scopes": sorted(scope.value for scope in principal.scopes),
    }
