"""Users log in and out; guessers are slowed down."""

import pytest

from orchestrator.accounts.throttle import Throttled
from tests.integration.http_api import CLIENT_KEY, NOBODY, SESSION, Api
from tests.integration.http_parts import Parts


@pytest.mark.parametrize("name", ["email", "username"])
async def test_a_user_logs_in_and_calls_by_the_session(api: Api, name: str) -> None:
    answer = await api.post("/auth/login", {name: "ada@example.org", "password": "correct horse"}, by=NOBODY)

    assert (answer.status, answer.document) == (
        200,
        {
            "token": "token-of-a-session",
            "expiresAt": "2026-01-02T12:00:00.000Z",
            "user": {"userId": "user_1", "email": "ada@example.org", "role": "admin"},
            "client": {"clientId": "client_1", "name": "first"},
            "scopes": ["admin", "execute", "read", "templates"],
        },
    )
    assert (await api.get("/api/executions", by={"X-Session-Token": answer.document["token"]})).status == 200


async def test_a_wrong_password_is_told_like_an_unknown_user(api: Api) -> None:
    wrong = await api.post("/auth/login", {"email": "ada@example.org", "password": "wrong"}, by=NOBODY)
    unknown = await api.post("/auth/login", {"email": "bob@example.org", "password": "wrong"}, by=NOBODY)

    assert (wrong.status, wrong.document["error"]) == (unknown.status, unknown.document["error"])
    assert (wrong.status, wrong.code) == (401, "login_refused")


async def test_a_guesser_is_told_when_to_come_back(api: Api, parts: Parts) -> None:
    parts.accounts.fault = Throttled(12.2)
    answer = await api.post("/auth/login", {"email": "ada@example.org", "password": "guess"}, by=NOBODY)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "throttled", "13")


async def test_a_session_is_ended(api: Api, parts: Parts) -> None:
    answer = await api.post("/auth/logout", by=SESSION)

    assert (answer.status, answer.document, parts.accounts.ended) == (200, {"ended": True}, ["token-of-a-session"])


async def test_a_key_has_no_session_to_end(api: Api, parts: Parts) -> None:
    answer = await api.post("/auth/logout", by=CLIENT_KEY)

    assert (answer.status, answer.document, parts.accounts.ended) == (200, {"ended": False}, [])
