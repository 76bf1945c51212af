"""Workers report by requests of their own; who reports under a stale fence is told to stop."""

import asyncio
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from orchestrator.core.standing import Offence
from protocol.packets import Failure, Metrics, Progress, Result
from tests.integration.http_api import WORKER, Api
from tests.integration.http_parts import Parts

STAGE = "/api/executions/exec_1/stages/exec_1.hello"
ATTEMPT = {"execution_id": "exec_1", "stage_id": "exec_1.hello", "fence": 7}
REPORTS = {
    "progress": {"fence": 7, "progress": 50},
    "complete": {"fence": 7, "result": {"some_text": "hello"}},
    "fail": {"fence": 7, "error": {"code": "broken", "message": "no"}},
}


@pytest.mark.parametrize(
    ("report", "body", "packet", "status"),
    [
        (
            "progress",
            {"fence": 7, "progress": 12.5, "message": "on it", "executionId": "exec_2", "type": "result"},
            Progress(**ATTEMPT, progress=12.5, message="on it"),
            "taken",
        ),
        (
            "complete",
            {"fence": 7, "result": {"some_text": None}, "metrics": {"tokensUsed": 3, "costUsd": 0.25, "ownField": 1}},
            Result(
                **ATTEMPT,
                status="completed",
                result={"some_text": None},
                metrics=Metrics.model_validate({"tokensUsed": 3, "costUsd": Decimal("0.25"), "ownField": 1}),
            ),
            "committed",
        ),
        ("complete", {"fence": 7}, Result(**ATTEMPT, status="completed"), "committed"),
        (
            "fail",
            {"fence": 7, "error": {"code": "broken", "message": "no", "retryable": True}},
            Result(**ATTEMPT, status="failed", error=Failure(code="broken", message="no", retryable=True)),
            "committed",
        ),
    ],
)
async def test_a_report_is_passed_on_for_the_stage_in_its_path(
    api: Api, parts: Parts, report: str, body: dict[str, Any], packet: Progress | Result, status: str
) -> None:
    answer = await api.post(f"{STAGE}/{report}", body, by=WORKER)

    assert (answer.status, answer.document) == (200, {"status": status})
    assert parts.reports.reported == [("worker-1", packet)]


@pytest.mark.parametrize("report", REPORTS)
async def test_a_stale_report_is_told_to_stop(api: Api, parts: Parts, report: str) -> None:
    parts.reports.stale = True
    answer = await api.post(f"{STAGE}/{report}", REPORTS[report], by=WORKER)

    assert (answer.status, answer.code) == (409, "stale_fence")
    assert answer.document["directive"] == answer.document["error"]["details"]["directive"] == "stop"


@pytest.mark.parametrize("offence", Offence)
async def test_a_lie_is_refused_with_its_code_and_only_progress_that_fell_stops_nothing(
    api: Api, parts: Parts, offence: Offence
) -> None:
    parts.reports.offence = offence
    answer = await api.post(f"{STAGE}/progress", REPORTS["progress"], by=WORKER)

    fell = offence is Offence.PROGRESS_FELL
    assert (answer.status, answer.code) == (422 if fell else 409, offence.value)
    assert answer.document.get("directive") == (None if fell else "stop")


async def test_a_report_past_the_cap_is_noted_against_the_worker(api: Api, parts: Parts) -> None:
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = {**WORKER, "Host": "test", "Content-Length": str(100 * 1024 * 1024)}
    lines = "".join(f"{header}: {value}\r\n" for header, value in head.items())
    writer.write(f"POST {STAGE}/complete HTTP/1.1\r\n{lines}\r\n".encode())
    status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()

    assert (status, parts.workers.offences) == (b"413", [("worker-1", Offence.TOO_LARGE)])


@pytest.mark.parametrize(
    ("report", "body", "path"),
    [
        ("progress", {"progress": 50}, "fence"),
        ("progress", {"fence": 7}, "progress"),
        ("progress", {"fence": 7, "progress": 101}, "progress"),
        ("progress", {"fence": "7", "progress": 50}, "fence"),
        ("complete", {"result": 1}, "fence"),
        ("complete", {"fence": 2**53, "result": 1}, "fence"),
        ("complete", {"fence": 7, "metrics": {"costUsd": -1}}, "metrics.costUsd"),
        ("fail", {"fence": 7}, "error"),
        ("fail", {"fence": 7, "error": {"code": "broken"}}, "error.message"),
        ("fail", {"fence": 7, "error": {"message": "no", "retryable": "yes"}}, "error.retryable"),
    ],
    ids=str,
)
async def test_a_report_that_is_not_right_is_refused_at_its_path(
    api: Api, parts: Parts, report: str, body: dict[str, Any], path: str
) -> None:
    answer = await api.post(f"{STAGE}/{report}", body, by=WORKER)

    assert (answer.status, answer.paths) == (422, [path])
    assert parts.reports.reported == []


async def test_the_queue_is_checked_by_an_execution_of_its_own(api: Api) -> None:
    for body in (None, b"{}", b'{"whatever": 1}'):
        answer = await api.post("/api/test/queue-execution", body, by=WORKER)

        assert (answer.status, answer.document) == (202, {"executionId": "exec_check"})
