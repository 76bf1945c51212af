"""Whether it lives, whether it can work, and how it is: asked by anybody."""

from orchestrator.web.ports import Check
from tests.integration.http_api import NOBODY, Api
from tests.integration.http_parts import Parts


async def test_life_asks_nothing_of_others(api: Api, parts: Parts) -> None:
    parts.health.outcome = (Check("database", False, "does not answer"),)
    answer = await api.get("/api/healthz", by=NOBODY)

    assert (answer.status, answer.document) == (200, {"status": "ok"})


async def test_readiness_shows_its_checks(api: Api) -> None:
    answer = await api.get("/api/readyz", by=NOBODY)

    assert (answer.status, answer.document) == (
        200,
        {
            "status": "ready",
            "checks": {"database": {"ok": True, "detail": "answers"}, "lease": {"ok": True, "detail": "held"}},
        },
    )


async def test_a_failed_check_makes_it_unready(api: Api, parts: Parts) -> None:
    parts.health.outcome = (Check("database", False, "does not answer"), Check("lease", True, "held"))
    answer = await api.get("/api/readyz", by=NOBODY)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.document == {
        "error": {
            "code": "not_ready",
            "message": "database: does not answer",
            "details": [{"path": "database", "message": "does not answer"}],
        },
        "status": "not_ready",
        "checks": {"database": {"ok": False, "detail": "does not answer"}, "lease": {"ok": True, "detail": "held"}},
        "requestId": "req_1",
    }


async def test_health_names_the_version_and_the_services(api: Api, parts: Parts) -> None:
    parts.health.outcome = (Check("database", False, "does not answer"), Check("lease", True, "held"))
    answer = await api.get("/health", by=NOBODY)

    assert (answer.status, answer.document) == (
        200,
        {"status": "ok", "version": "1.2.3", "services": {"database": "unavailable", "lease": "ok"}},
    )
