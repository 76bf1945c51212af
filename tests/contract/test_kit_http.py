"""The worker's HTTP endpoints, with the bodies of the original wire format and with bad ones."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel

from protocol.codec import MAX_DOCUMENT_BYTES, MAX_RESULT_BYTES
from tests.contract.gate import Gate
from tests.contract.orchestrator_double import HEADERS, QUICK, SECRET, Http, OrchestratorDouble, serving
from workers.kit import Context, Estimate, Refuse, Worker


class Topic(BaseModel):
    topic: str
    structure_type: str = "course"


def weigh(given: Topic) -> Estimate:
    if given.topic == "everything":
        raise Refuse("busy", "not now", retry_after_ms=700)
    return Estimate(ms=20_000, cpu=0.5, memory_mb=256, api_calls=2)


def granulator_at(gate: Gate) -> Worker:
    worker = Worker("bitware-content-granulator", version="1.0.0", slots=2, default_action="granulate")

    @worker.action("granulate", estimate=weigh)
    async def granulate(given: Topic, context: Context) -> dict[str, Any]:
        context.report_usage(tokens=1500, cost_usd=0.003)
        return {"jobId": 123, "structure": {"title": given.topic}, "qualityScore": 92}

    @worker.action("wait", estimate=60_000)
    async def wait(given: Any, context: Context) -> int:
        gate.runs += 1
        await context.progress(30, "generating")
        gate.entered.set()
        await gate.opened.wait()
        return gate.runs

    return worker


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def orchestrator() -> AsyncIterator[OrchestratorDouble]:
    async with OrchestratorDouble() as double:
        yield double


@pytest.fixture
async def http(orchestrator: OrchestratorDouble, gate: Gate) -> AsyncIterator[Http]:
    worker = granulator_at(gate)
    async with (
        serving(orchestrator, worker, worker_id="bitware-content-granulator", port=0) as service,
        aiohttp.ClientSession() as session,
    ):
        yield Http(session, service)


HANDSHAKE = {
    "executionId": "exec_123",
    "stageId": "stage_456",
    "action": "granulate",
    "inputData": {"topic": "AI Development", "structure_type": "course", "template_name": "course"},
    "resourceRequirements": {"estimatedTokens": 2000, "timeoutMs": 30000},
}
BARE_HANDSHAKE = {"executionId": "test_123", "inputData": {"topic": "Test Topic", "structure_type": "course"}}
WAIT = {"executionId": "e", "stageId": "s", "attempt": 1, "fence": 5, "action": "wait"}


async def test_the_original_handshake_is_answered_as_documented(http: Http) -> None:
    assert await http.post("/api/handshake", HANDSHAKE) == (
        200,
        {
            "executionId": "exec_123",
            "workerId": "bitware-content-granulator",
            "stageId": "stage_456",
            "accepted": True,
            "estimatedCompletionMs": 20000,
            "resourceRequirements": {"cpu": 0.5, "memory": 256, "apiCalls": 2},
        },
    )


async def test_a_handshake_without_action_stage_and_fence_is_accepted_and_processed_by_its_execution(
    http: Http,
) -> None:
    status, accepted = await http.post("/api/handshake", BARE_HANDSHAKE)
    assert (status, accepted["accepted"], accepted["executionId"]) == (200, True, "test_123")
    assert "stageId" not in accepted

    status, answer = await http.post("/api/process", {"executionId": "test_123"})

    took_ms = answer["metrics"].pop("processingTimeMs")
    assert (status, answer["status"]) == (200, "completed")
    assert answer["result"] == {"jobId": 123, "structure": {"title": "Test Topic"}, "qualityScore": 92}
    assert answer["metrics"] == {"tokensUsed": 1500, "costUsd": 0.003}
    assert took_ms >= 0


async def test_a_fence_is_echoed(http: Http) -> None:
    _, accepted = await http.post("/api/handshake", {**HANDSHAKE, "attempt": 2, "fence": 99})
    _, answer = await http.post("/api/process", {"executionId": "exec_123", "stageId": "stage_456", "fence": 99})

    assert (accepted["stageId"], accepted["fence"]) == ("stage_456", 99)
    assert (answer["stageId"], answer["attempt"], answer["fence"]) == ("stage_456", 2, 99)


async def test_a_handshake_whose_input_lacks_the_topic_is_a_400_that_is_not_accepted(http: Http) -> None:
    assert await http.post("/api/handshake", {"executionId": "test_123", "inputData": {}}) == (
        400,
        {
            "executionId": "test_123",
            "workerId": "bitware-content-granulator",
            "accepted": False,
            "code": "invalid_input",
            "reason": "topic: Field required",
        },
    )


async def test_a_corrected_bare_handshake_is_weighed_anew(http: Http) -> None:
    await http.post("/api/handshake", {"executionId": "test_123", "inputData": {}})
    await http.post("/api/handshake", {"executionId": "test_123", "inputData": {"topic": "first"}})
    await http.post("/api/handshake", {"executionId": "test_123", "inputData": {"topic": "second"}})

    _, answer = await http.post("/api/process", {"executionId": "test_123"})
    _, health = await http.get("/health")

    assert answer["result"]["structure"] == {"title": "second"}
    assert health["slots"] == {"total": 2, "free": 2}


async def test_a_refusal_says_when_to_ask_again(http: Http) -> None:
    status, answer = await http.post("/api/handshake", {"executionId": "e", "inputData": {"topic": "everything"}})

    refusal = {"accepted": False, "code": "busy", "reason": "not now", "retryAfterMs": 700}
    assert (status, answer) == (
        200,
        {"executionId": "e", "workerId": "bitware-content-granulator", **refusal},
    )


async def test_a_process_without_a_handshake_is_a_400(http: Http) -> None:
    status, answer = await http.post("/api/process", {"executionId": "never-seen"})

    assert (status, answer["error"]) == (
        400,
        {
            "code": "no_handshake",
            "message": "no accepted handshake of execution never-seen is known",
            "details": {},
        },
    )


async def test_an_orchestrators_process_of_what_is_not_known_is_a_503_and_its_cancel_no_error(http: Http) -> None:
    key = {"executionId": "never-seen", "stageId": "never-seen.a", "attempt": 1, "fence": 7}

    process, _ = await http.post("/api/process", key)
    cancel, answer = await http.post("/api/cancel", key)

    assert (process, cancel, answer) == (503, 200, {"executionId": "never-seen", "held": False})


async def test_a_process_that_comes_twice_joins_and_later_repeats_the_result(http: Http, gate: Gate) -> None:
    await http.post("/api/handshake", WAIT)
    both = asyncio.gather(*(http.post("/api/process", WAIT) for _ in range(2)))
    await gate.entered.wait()
    gate.opened.set()
    first, second = await both

    assert first == second == await http.post("/api/process", WAIT)
    assert gate.runs == 1


async def test_a_bare_handshake_after_the_end_begins_a_new_attempt(http: Http, gate: Gate) -> None:
    gate.opened.set()
    bare = {"executionId": "e", "action": "wait"}
    results = []
    for _ in range(2):
        await http.post("/api/handshake", bare)
        results.append((await http.post("/api/process", bare))[1]["result"])

    assert results == [1, 2]


async def test_a_running_attempt_shows_its_progress_and_its_whole_state(http: Http, gate: Gate) -> None:
    await http.post("/api/handshake", WAIT)
    processing = asyncio.create_task(http.post("/api/process", WAIT))
    await gate.entered.wait()

    _, progress = await http.get("/api/progress/e")
    _, by_stage = await http.get("/api/jobs/s")
    _, by_execution = await http.get("/api/jobs/e")
    _, held = await http.get("/api/held")

    assert 0 < progress.pop("estimatedRemainingMs") <= 60_000
    assert progress == {"executionId": "e", "progress": 30, "stage": "running", "message": "generating"}
    key = {"executionId": "e", "stageId": "s", "attempt": 1, "fence": 5}
    assert held == {"attempts": [{**key, "state": "running", "progress": 30}]}
    assert by_stage == by_execution
    assert by_stage == {
        **held["attempts"][0],
        "jobId": "s",
        "action": "wait",
        "status": "running",
        "message": "generating",
        "result": None,
        "error": None,
        "metrics": {},
    }
    gate.opened.set()
    await processing


async def test_a_cancel_ends_the_process_call_as_failed_with_the_code_cancelled(http: Http, gate: Gate) -> None:
    await http.post("/api/handshake", WAIT)
    processing = asyncio.create_task(http.post("/api/process", WAIT))
    await gate.entered.wait()

    status, cancelling = await http.post("/api/cancel", WAIT)
    _, answer = await processing

    assert (status, cancelling["state"]) == (200, "cancelling")
    assert (answer["status"], answer["result"]) == ("failed", None)
    assert answer["error"] == {"code": "cancelled", "message": "the attempt was cancelled", "retryable": False}


async def test_an_acknowledged_result_is_forgotten(http: Http, gate: Gate) -> None:
    gate.opened.set()
    await http.post("/api/handshake", WAIT)
    await http.post("/api/process", WAIT)

    first = await http.post("/api/acknowledge", WAIT)
    again = await http.post("/api/acknowledge", {"executionId": "e", "status": "processed"})

    assert first == (200, {"executionId": "e", "acknowledged": True})
    assert again == (200, {"executionId": "e", "acknowledged": False})
    assert (await http.get("/api/held"))[1] == {"attempts": []}
    assert (await http.post("/api/process", WAIT))[0] == 503


async def test_an_acknowledgement_leaves_a_running_attempt_alone(http: Http, gate: Gate) -> None:
    await http.post("/api/handshake", WAIT)
    processing = asyncio.create_task(http.post("/api/process", WAIT))
    await gate.entered.wait()

    await http.post("/api/acknowledge", {"executionId": "e", "status": "received"})
    gate.opened.set()

    assert (await processing)[1]["status"] == "completed"


async def test_what_came_by_a_bare_call_is_not_told_to_the_orchestrator(
    http: Http, gate: Gate, orchestrator: OrchestratorDouble
) -> None:
    await orchestrator.linked()
    await http.post("/api/handshake", WAIT)
    processing = asyncio.create_task(http.post("/api/process", WAIT))
    await gate.entered.wait()

    await orchestrator.drop_link()
    await orchestrator.linked(times=2)
    gate.opened.set()
    await processing

    assert [registration.running for registration in orchestrator.registrations] == [(), ()]
    assert orchestrator.packets == []


async def test_fifty_handshakes_at_once_never_get_one_slot_twice(http: Http) -> None:
    calls = [http.post("/api/handshake", {**WAIT, "stageId": f"s{number}"}) for number in range(50)]

    answers = [answer for _, answer in await asyncio.gather(*calls)]

    assert sum(answer["accepted"] for answer in answers) == 2
    assert {answer.get("code") for answer in answers} == {None, "busy"}


BAD_BODIES: dict[str, tuple[bytes, int, str, str]] = {
    "not JSON": (b"{", 400, "malformed_json", ""),
    "no object": (b"[]", 400, "malformed_body", ""),
    "no execution": (b"{}", 400, "malformed_body", "executionId"),
    "a fence of text": (b'{"executionId":"e","fence":"5"}', 400, "malformed_body", "fence"),
    "NaN": (b'{"executionId":"e","inputData":NaN}', 400, "malformed_json", ""),
    "NUL": (b'{"executionId":"e","inputData":{"topic":"\\u0000"}}', 400, "malformed_json", ""),
    "a lone surrogate": (b'{"executionId":"e","inputData":{"topic":"\\ud800"}}', 400, "malformed_json", ""),
    "too deep": (b'{"executionId":"e","inputData":' + b"[" * 70 + b"]" * 70 + b"}", 400, "malformed_json", ""),
    "bad UTF-8": (b'{"executionId":"\xff"}', 400, "malformed_json", ""),
}


@pytest.mark.parametrize("path", ["/api/handshake", "/api/process", "/api/cancel", "/api/acknowledge"])
@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_refused_with_its_path_and_the_request_id(http: Http, path: str, name: str) -> None:
    body, expected_status, code, fault_path = BAD_BODIES[name]

    status, answer = await http.post(path, body, **HEADERS, **{"X-Request-ID": "r-1"})

    assert (status, answer["error"]["code"]) == (expected_status, code)
    assert answer["error"]["details"].get("path", "") == fault_path
    assert answer["requestId"] == "r-1"


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/handshake", MAX_RESULT_BYTES),
        ("/api/process", MAX_DOCUMENT_BYTES),
        ("/api/cancel", MAX_DOCUMENT_BYTES),
        ("/api/acknowledge", MAX_DOCUMENT_BYTES),
    ],
)
async def test_a_body_past_its_size_is_refused(http: Http, path: str, most: int) -> None:
    status, answer = await http.post(path, b" " * (most + 1))

    assert (status, answer["error"]["code"]) == (413, "too_large")


async def test_an_input_as_large_as_an_orchestrator_may_offer_is_taken(http: Http) -> None:
    body: dict[str, Any] = {"executionId": "large", "inputData": {"topic": ""}}
    body["inputData"]["topic"] = "x" * (MAX_RESULT_BYTES - len(json.dumps(body)))
    status, answer = await http.post("/api/handshake", body)

    assert (status, answer["accepted"]) == (200, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Worker-ID": "w"},
        {"X-Worker-ID": "w", "Authorization": "Bearer wrong"},
        {"X-Worker-ID": "w", "Authorization": f"Basic {SECRET}"},
        {"X-Worker-ID": "w", "Authorization": "Bearer \u00fc"},
        {"Authorization": f"Bearer {SECRET}"},
    ],
)
@pytest.mark.parametrize("path", ["/api/held", "/api/jobs/x", "/api/progress/x"])
async def test_without_the_secret_and_a_name_nothing_is_told(http: Http, path: str, headers: dict[str, str]) -> None:
    status, answer = await http.get(path, **headers)

    assert (status, answer["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/progress/unknown", 404, "not_found"),
        ("/api/jobs/unknown", 404, "not_found"),
        ("/no/such/path", 404, "not_found"),
        ("/api/process", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_has_the_error_shape_too(http: Http, path: str, status: int, code: str) -> None:
    answered, answer = await http.get(path)

    assert (answered, answer["error"]["code"]) == (status, code)
    assert set(answer) == {"error", "requestId"}


async def test_health_needs_no_secret(http: Http) -> None:
    assert await http.get("/health", Accept="*/*") == (
        200,
        {
            "status": "ok",
            "workerId": "bitware-content-granulator",
            "version": "1.0.0",
            "slots": {"total": 2, "free": 2},
        },
    )


async def test_a_result_of_the_orchestrators_own_calls_survives_a_restart_until_it_is_acknowledged(
    orchestrator: OrchestratorDouble, gate: Gate, tmp_path: Path
) -> None:
    gate.opened.set()
    options: dict[str, Any] = {
        "transport": "http",
        "port": 0,
        "data_dir": tmp_path,
        "timing": replace(QUICK, file_after_s=0),
    }
    async with aiohttp.ClientSession() as session:
        async with serving(orchestrator, granulator_at(gate), **options) as service:
            before = Http(session, service)
            await before.post("/api/handshake", WAIT)
            answer = await before.post("/api/process", WAIT)

        async with serving(orchestrator, granulator_at(gate), **options) as service:
            after = Http(session, service)
            await orchestrator.until(lambda: len(orchestrator.registrations) == 2)
            assert [key.fence for key in orchestrator.registrations[1].running] == [5]
            assert await after.post("/api/process", WAIT) == answer
            assert (await after.post("/api/acknowledge", WAIT))[1]["acknowledged"]
    assert gate.runs == 1
