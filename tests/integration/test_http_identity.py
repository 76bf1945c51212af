"""Who may call which route, and what those are told who may not."""

import re
from collections.abc import Mapping

import pytest

from orchestrator.web.identity import Access
from orchestrator.web.routing import Route
from orchestrator.web.table import ROUTES
from tests.integration.http_api import CLIENT_KEY, NOBODY, READER_KEY, SESSION, WORKER, Api

WRONG: Mapping[str, Mapping[str, str]] = {
    "an unknown key": {"X-API-Key": "guessed"},
    "an unknown session": {"X-Session-Token": "guessed"},
    "a wrong secret": {"Authorization": "Bearer guessed", "X-Worker-ID": "worker-1"},
    "a secret without a worker": {"Authorization": "Bearer secret-of-workers"},
    "a worker that is no identifier": {"Authorization": "Bearer secret-of-workers", "X-Worker-ID": "a b"},
    "a worker without a secret": {"X-Worker-ID": "worker-1"},
    "another scheme": {"Authorization": "Basic secret-of-workers", "X-Worker-ID": "worker-1"},
    "no secret at all": {"Authorization": "Bearer ", "X-Worker-ID": "worker-1"},
    "a key that is no text": {"X-API-Key": "\udcff\udcfe"},
}
NEEDS_SOMEBODY = [route for route in ROUTES if route.access is not Access.PUBLIC]


def path_of(route: Route) -> str:
    return re.sub(r"{\w+}", "worker-1", route.path)


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", NEEDS_SOMEBODY, ids=name)
async def test_nobody_gets_in_without_a_credential_or_with_a_wrong_one(api: Api, route: Route) -> None:
    for what, headers in {"nothing": NOBODY, **WRONG}.items():
        answer = await api.call(route.method, path_of(route), by=headers)

        assert (answer.status, answer.code) == (401, "unauthenticated"), what
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="baton"'


@pytest.mark.parametrize("route", [route for route in ROUTES if route.access is Access.CLIENT], ids=name)
async def test_a_worker_does_not_get_into_what_is_for_clients(api: Api, route: Route) -> None:
    answer = await api.call(route.method, path_of(route), by=WORKER)

    assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.access is Access.WORKER], ids=name)
async def test_a_client_does_not_get_into_what_is_for_workers(api: Api, route: Route) -> None:
    for client in (CLIENT_KEY, SESSION):
        answer = await api.call(route.method, path_of(route), by=client)

        assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope not in (None, "read")], ids=name)
async def test_a_key_opens_what_its_scopes_say(api: Api, route: Route) -> None:
    answer = await api.call(route.method, path_of(route), by=READER_KEY)

    assert route.scope is not None
    assert answer.status == 403
    assert answer.document["error"]["message"] == f"the scope {route.scope.value} is needed"


@pytest.mark.parametrize(
    "headers", [CLIENT_KEY, READER_KEY, SESSION, {"x-bitware-session-token": "token-of-a-session"}]
)
async def test_a_client_shows_a_key_or_a_session(api: Api, headers: Mapping[str, str]) -> None:
    assert (await api.get("/api/executions", by=headers)).status == 200


@pytest.mark.parametrize("headers", [CLIENT_KEY, SESSION, WORKER])
async def test_anybody_who_may_call_sees_the_workers(api: Api, headers: Mapping[str, str]) -> None:
    assert (await api.get("/api/workers", by=headers)).status == 200


async def test_a_missing_worker_id_is_told_as_that(api: Api) -> None:
    answer = await api.post("/api/test/queue-execution", by={"Authorization": "Bearer secret-of-workers"})

    assert answer.document["error"]["message"] == "the header X-Worker-ID is missing: a worker says who it is"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/workers", {"workerId": "worker-2", "capabilities": ["echo"]}),
        ("POST", "/api/handshake", {"workerId": "worker-2", "capabilities": ["echo"]}),
        ("POST", "/api/workers/worker-2/heartbeat", {}),
        ("DELETE", "/api/workers/worker-2", None),
        ("GET", "/api/workers/worker-2/link", None),
    ],
)
async def test_a_worker_cannot_speak_for_another(api: Api, method: str, path: str, body: object) -> None:
    answer = await api.call(method, path, body, by=WORKER)

    assert (answer.status, answer.document["error"]["message"]) == (
        403,
        "X-Worker-ID is worker-1: it cannot speak for another worker",
    )


async def test_a_wrong_key_is_not_made_good_by_a_session(api: Api) -> None:
    assert (await api.get("/api/executions", by={**SESSION, "X-API-Key": "guessed"})).status == 401


@pytest.mark.parametrize("route", [route for route in ROUTES if route.access is Access.PUBLIC], ids=name)
async def test_what_is_public_asks_for_nothing(api: Api, route: Route) -> None:
    assert (await api.call(route.method, route.path, by=NOBODY)).status in (200, 400)
