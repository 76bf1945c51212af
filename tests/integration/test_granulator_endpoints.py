"""The granulator as a worker that is called over HTTP: the handshake, its book of granulations, and its templates."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from protocol.packets import Reject
from tests.contract.orchestrator_double import PATIENT, Http, OrchestratorDouble, offer, serving
from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.worker import declared

PAGE = b"<html><body><nav>Home</nav><h1>Ebb</h1><p>The water runs out to sea for six hours or so.</p></body></html>"


@pytest.fixture
async def orchestrator() -> AsyncIterator[OrchestratorDouble]:
    async with OrchestratorDouble() as double:
        yield double


@pytest.fixture
async def http(orchestrator: OrchestratorDouble, tmp_path: Path) -> AsyncIterator[Http]:
    async with (
        serving(orchestrator, declared(), port=0, data_dir=tmp_path, timing=PATIENT) as service,
        aiohttp.ClientSession() as session,
    ):
        yield Http(session, service)


async def granulated(http: Http, stage: str, execution: str = "execution", **given: Any) -> dict[str, Any]:
    """The answer to `process`, after an accepted handshake."""
    body = {"executionId": execution, "stageId": stage, "action": "granulate", "inputData": given}
    status, accepted = await http.post("/api/handshake", body)
    assert (status, accepted["accepted"]) == (200, True), accepted
    status, answer = await http.post("/api/process", {"executionId": execution, "stageId": stage})
    assert status == 200
    return dict(answer)


async def test_the_original_handshake_is_accepted_with_an_estimate_and_processed(http: Http) -> None:
    given = {"topic": "Test Topic", "structure_type": "course"}

    status, accepted = await http.post("/api/handshake", {"executionId": "test_123", "inputData": given})
    _, answer = await http.post("/api/process", {"executionId": "test_123"})

    assert (status, accepted["accepted"]) == (200, True)
    assert set(accepted["resourceRequirements"]) >= {"cpu", "memory", "apiCalls"}
    assert (answer["status"], answer["result"]["jobId"]) == ("completed", "test_123")
    assert (await http.get("/api/jobs/test_123/status"))[1]["status"] == "completed"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "input: There is nothing to make a structure from: give a topic, a text, documents or an outline."),
        ({"topic": "x", "structure_type": "corse"}, "There is no structure type “corse”; did you mean “course”?"),
        ({"topic": "x", "template_name": "_"}, "There is no template “_”; GET /api/templates lists those there are."),
    ],
)
async def test_a_handshake_that_nothing_can_come_of_is_a_400_that_says_why(
    given: dict[str, str], reason: str, http: Http
) -> None:
    status, answer = await http.post("/api/handshake", {"executionId": "e", "inputData": given})

    assert (status, answer["accepted"], answer["code"]) == (400, False, "invalid_input")
    assert answer["reason"].endswith(reason)


async def test_a_document_known_to_be_too_large_is_refused_at_the_handshake(http: Http) -> None:
    reference = {"sha256": "a" * 64, "sizeBytes": 200_000_000, "contentType": "application/pdf"}
    given = {"documents": [{"artifact": reference}]}

    _, answer = await http.post("/api/handshake", {"executionId": "e", "inputData": given})

    assert (answer["accepted"], answer["code"]) == (False, "too_large")
    assert answer["reason"] == "The document has 190.7 MB, and a PDF of at most 100 MB is read; split it."


async def test_over_the_link_an_input_without_a_source_is_refused_for_good_with_the_sentence(
    orchestrator: OrchestratorDouble, http: Http
) -> None:
    await orchestrator.linked()

    await orchestrator.send(offer("s", "granulate", {"structureType": "course"}))

    refusal = await orchestrator.next(Reject, "s")
    assert refusal.code == "invalid_input"
    assert "give a topic, a text, documents or an outline" in refusal.reason


async def test_a_granulation_is_found_by_its_job_and_its_execution(http: Http) -> None:
    result = (await granulated(http, "stage", topic="Bread"))["result"]

    _, by_job = await http.get("/api/jobs/stage")
    _, by_execution = await http.get("/api/jobs/execution")

    assert by_job == by_execution
    assert (by_job["jobId"], by_job["executionId"], by_job["status"]) == ("stage", "execution", "completed")
    assert by_job["qualityScore"] == result["qualityScore"] == by_job["validations"][0]["quality"]["score"]


async def test_the_structure_is_nested_and_equal_to_the_one_in_the_result(http: Http) -> None:
    result = (await granulated(http, "stage", text=BREAD))["result"]

    status, answer = await http.get("/api/jobs/stage/structure")

    assert status == 200
    assert answer == {"jobId": "stage", "structureType": "course", "structure": result["structure"]}
    assert answer["structure"]["children"][1]["children"]


async def test_documents_of_every_form_are_one_source(http: Http) -> None:
    page = {"name": "ebb.html", "data": base64.b64encode(PAGE).decode()}

    answer = await granulated(http, "stage", documents=[{"name": "bread.md", "text": BREAD}, page])

    assert answer["status"] == "completed", answer
    assert answer["result"]["structure"]["sourced"] is True
    assert "Home" not in str(answer["result"]["structure"])


async def test_a_granulation_that_fails_is_entered_with_its_reason_and_has_no_structure(http: Http) -> None:
    answer = await granulated(http, "stage", documents=[{"name": "a.txt", "data": base64.b64encode(b" ").decode()}])

    error = {"code": "unusable_input", "message": "The document “a.txt” is empty; send one with text in it."}
    assert answer["status"] == "failed"
    assert answer["error"] == {**error, "retryable": False}
    assert (await http.get("/api/jobs/stage/status"))[1] == {
        "jobId": "stage",
        "executionId": "execution",
        "status": "failed",
        "progress": 0.0,
        "message": "failed",
        "qualityScore": None,
        "error": error,
    }
    status, refused = await http.get("/api/jobs/stage/structure")
    assert (status, refused["error"]["code"]) == (409, "no_structure")


async def test_an_attempt_that_is_no_granulation_is_described_by_the_kit(http: Http) -> None:
    body = {"executionId": "execution", "stageId": "read", "action": "outline", "inputData": {"text": BREAD}}
    await http.post("/api/handshake", body)
    await http.post("/api/process", {"executionId": "execution"})

    status, described = await http.get("/api/jobs/read")

    assert (status, described["action"], described["status"]) == (200, "outline", "completed")
    assert (await http.get("/api/jobs/nothing"))[0] == 404


async def test_granulations_are_listed_newest_first_and_by_status(http: Http) -> None:
    for number in range(3):
        await granulated(http, f"s{number}", topic="Bread")
    await granulated(http, "failed", text="Two words")

    _, first = await http.get("/api/jobs?status=completed&limit=2")
    _, second = await http.get(f"/api/jobs?status=completed&limit=2&cursor={first['nextCursor']}")
    _, failed = await http.get("/api/jobs?status=failed")

    pages = [[job["jobId"] for job in page["jobs"]] for page in (first, second, failed)]
    assert pages == [["s2", "s1"], ["s0"], ["failed"]]
    assert (second["nextCursor"], failed["nextCursor"]) == (None, None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/jobs?limit=0", 400),
        ("/api/jobs?limit=101", 400),
        ("/api/jobs?limit=-1", 400),
        ("/api/jobs?limit=99999999999999999999", 400),
        ("/api/jobs?status=done", 400),
        ("/api/jobs?cursor=%C3%A4", 400),
        ("/api/jobs?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5", 400),
        ("/api/jobs/%00", 404),
        ("/api/jobs/%ED%A0%80", 404),
        ("/api/jobs/nothing/status", 404),
        ("/api/jobs/nothing/structure", 404),
        ("/api/templates?structureType=corse", 400),
        ("/api/templates/nothing", 404),
    ],
)
async def test_a_call_that_is_wrong_is_answered_so_in_the_kits_shape(path: str, status: int, http: Http) -> None:
    answered, answer = await http.get(path)

    assert answered == status
    assert set(answer) == {"error", "requestId"}


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/x/structure", "/api/templates"])
async def test_nothing_is_told_to_who_has_no_secret(path: str, http: Http) -> None:
    assert (await http.get(path, **{"X-Worker-ID": "someone"}))[0] == 401


async def test_templates_are_listed_by_type_with_the_most_used_first(http: Http) -> None:
    await granulated(http, "stage", topic="Bread", templateName="course_structure_v2")

    _, answer = await http.get("/api/templates?structureType=course")
    _, one = await http.get("/api/templates/course_structure_v2")

    listed = [(template["templateName"], template["usageCount"]) for template in answer["templates"]]
    assert listed == [("course_structure_v2", 1), ("course_structure_v1", 0)]
    assert one == answer["templates"][0]


async def test_an_own_template_is_published_used_and_replaced(http: Http) -> None:
    mine = {
        "templateName": "evening_class",
        "structureType": "course",
        "targetAudience": "adults",
        "granularityLevel": 2,
        "minimumElements": {"module": 9},
        "validation": {"level": 1, "threshold": 20},
    }

    assert (await http.post("/api/templates", mine))[0] == 201
    result = (await granulated(http, "stage", topic="Bread", templateName="evening_class"))["result"]
    assert (await http.post("/api/templates", {**mine, "granularityLevel": 5}))[0] == 200

    assert result["template"] == {"templateName": "evening_class", "matchedBy": "name"}
    assert result["brief"] == {"audience": "adults", "granularityLevel": 2, "maxElements": 100}
    assert result["validation"] == {
        "enabled": True,
        "required": False,
        "level": 1,
        "threshold": 20.0,
        "passed": True,
    }
    assert "template_minimum" in {finding["code"] for finding in result["quality"]["findings"]}
    assert (await http.get("/api/templates/evening_class"))[1]["granularityLevel"] == 5


@pytest.mark.parametrize(
    ("template", "status"),
    [
        ({"templateName": "quiz_basic_v1", "structureType": "quiz"}, 409),
        ({"templateName": "mine", "structureType": "poem"}, 400),
        ({"templateName": "a/b", "structureType": "quiz"}, 400),
        ({"templateName": "mine", "structureType": "quiz", "granularityLevel": 6}, 400),
        ({"templateName": "mine", "structureType": "quiz", "baseCostUsd": "NaN"}, 400),
        ([], 400),
        (b"{", 400),
    ],
)
async def test_a_template_that_cannot_be_kept_is_refused(template: Any, status: int, http: Http) -> None:
    assert (await http.post("/api/templates", template))[0] == status


async def test_a_structure_is_judged_again_by_another_threshold_against_its_source(http: Http) -> None:
    result = (await granulated(http, "stage", text=TIDES))["result"]
    assert result["validation"]["passed"] is True

    again = {"jobId": "stage", "validationLevel": 3, "customThreshold": 99.9}
    status, judged = await http.post("/api/validate", again)

    assert (status, judged["passed"], judged["validationLevel"], judged["threshold"]) == (200, False, 3, 99.9)
    assert (result["quality"]["level"], judged["quality"]["level"]) == (2, 3)
    assert judged["quality"]["measures"].items() > result["quality"]["measures"].items()
    assert judged["quality"]["measures"]["citations"] > 0.9
    _, job = await http.get("/api/jobs/stage")
    assert [validation["threshold"] for validation in job["validations"]] == [99.9, 70.0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"jobId": "nothing"}, 404),
        ({}, 400),
        ({"jobId": "failed", "validationLevel": 4}, 400),
        ({"jobId": "failed"}, 409),
    ],
)
async def test_what_cannot_be_judged_again_is_said_so(body: dict[str, Any], status: int, http: Http) -> None:
    await granulated(http, "failed", text="Two words")

    assert (await http.post("/api/validate", body))[0] == status


async def test_the_book_outlives_the_process(orchestrator: OrchestratorDouble, tmp_path: Path) -> None:
    structures = []
    for is_first in (True, False):
        async with (
            serving(orchestrator, declared(), port=0, data_dir=tmp_path, timing=PATIENT) as service,
            aiohttp.ClientSession() as session,
        ):
            http = Http(session, service)
            if is_first:
                await granulated(http, "stage", text=BREAD)
            structures.append(await http.get("/api/jobs/stage/structure"))

    assert structures[0][0] == 200
    assert structures[0] == structures[1]


async def test_two_workers_on_one_data_directory_have_a_book_each(
    orchestrator: OrchestratorDouble, tmp_path: Path
) -> None:
    where = {"port": 0, "data_dir": tmp_path, "timing": PATIENT}
    async with (
        serving(orchestrator, declared(), worker_id="one", **where) as one,
        serving(orchestrator, declared(), worker_id="two", **where) as two,
        aiohttp.ClientSession() as session,
    ):
        await granulated(Http(session, one), "of-one", topic="Bread")
        await granulated(Http(session, two), "of-two", topic="Bread")

        listed = [(await Http(session, service).get("/api/jobs"))[1]["jobs"] for service in (one, two)]

    assert [[job["jobId"] for job in jobs] for jobs in listed] == [["of-one"], ["of-two"]]
