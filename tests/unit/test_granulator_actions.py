"""The granulator's actions: what they take and answer on the wire, alone and along the shipped template."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.core.template import parse_template
from tests.unit.granulator_attempt import Attempt, execute, granulator_in, perform
from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.estimates import WORDS_PER_SECOND, estimate_ms
from workers.granulator.granulating import Granulator
from workers.granulator.inputs import GranulateInput, ReadInput, ValidateInput
from workers.granulator.structure import NOTICE
from workers.kit import ActionError, Refuse

TEMPLATE = Path(__file__).parents[2] / "templates/course_from_document.yaml"
WEIGHED = {"outline", "granulate", "index_terms", "validate"}

Do = Callable[[str, object], Awaitable[dict[str, Any]]]


@pytest.fixture
async def granulator(tmp_path: Path) -> AsyncIterator[Granulator]:
    async with granulator_in(tmp_path) as made:
        yield made


@pytest.fixture
def do(granulator: Granulator, tmp_path: Path) -> Do:
    return lambda action, given: perform(action, given, granulator, Attempt(tmp_path))


@pytest.mark.parametrize("given", [{"text": TIDES}, {"text": TIDES, "title": "The tides"}])
async def test_the_shipped_template_makes_a_measured_course_with_or_without_a_title(
    given: dict[str, object], granulator: Granulator, do: Do, tmp_path: Path
) -> None:
    template = parse_template(TEMPLATE.read_text(encoding="utf-8"))

    result = await execute(template, given, granulator, tmp_path)

    assert result["structure"]["type"] == "course"
    assert result["structure"]["title"] == given.get("title", "How tides work")
    assert result["structure"]["children"][0]["type"] == "overview"
    assert {child["type"] for child in result["structure"]["children"][1:]} == {"module"}
    assert result["quality"]["score"] == (await do("granulate", {"text": TIDES}))["qualityScore"]
    assert [finding for finding in result["quality"]["findings"] if finding["severity"] == "error"] == []


async def test_a_course_is_the_same_from_a_text_and_from_its_outline(do: Do) -> None:
    from_outline = await do("granulate", {"outline": (await do("outline", {"document": {"text": BREAD}}))["outline"]})

    assert from_outline == await do("granulate", {"text": BREAD})


async def test_a_request_for_a_topic_in_snake_case_makes_a_labelled_scaffold(do: Do) -> None:
    result = await do("granulate", {"topic": "AI Development", "structure_type": "course", "template_name": "course"})

    assert result["structure"]["title"] == "AI Development"
    assert (result["structure"]["sourced"], result["structure"]["notice"]) == (False, NOTICE)
    assert 0 < result["qualityScore"] <= 40
    assert result["template"] == {"templateName": "course_structure_v1", "matchedBy": "structureType"}
    assert (result["validation"]["passed"], result["jobId"], result["provider"]) == (False, "stage", "offline")


async def test_a_document_stands_over_a_topic(do: Do) -> None:
    assert (await do("granulate", {"topic": "Bread", "text": BREAD}))["structure"]["sourced"] is True


async def test_a_request_may_come_whole_and_what_stands_beside_it_counts_first(do: Do) -> None:
    request = {"topic": "Bread", "targetAudience": "bakers", "granularityLevel": 1}

    result = await do("granulate", {"request": request, "granularityLevel": 2})

    assert result["brief"] == {"audience": "bakers", "granularityLevel": 2, "maxElements": 100}


async def test_wishes_that_nothing_here_can_heed_are_named_in_the_result(do: Do) -> None:
    wishes = {"constraints": {"maxElements": 50, "maxModules": 4}, "options": {"includeExamples": True}}

    result = await do("granulate", {"topic": "Bread", **wishes})

    assert result["brief"]["maxElements"] == 50
    assert result["warnings"] == [
        "constraints.maxModules has no effect here.",
        "options.includeExamples has no effect here.",
    ]


async def test_too_few_elements_for_the_template_are_a_finding(do: Do) -> None:
    result = await do("granulate", {"topic": "Bread", "templateName": "course_structure_v1"})

    found = [finding["message"] for finding in result["quality"]["findings"] if finding["code"] == "template_minimum"]
    assert found == [
        "The template course_structure_v1 asks for 6 module elements; there are 4.",
        "The template course_structure_v1 asks for 12 lesson elements; there are 8.",
    ]


async def test_without_validation_there_is_a_score_and_no_verdict(do: Do) -> None:
    result = await do("granulate", {"topic": "Bread", "validation": False})

    assert result["validation"] is None
    assert result["qualityScore"] > 0


async def test_a_structure_alone_is_measured_by_its_form(do: Do) -> None:
    structure = (await do("granulate", {"text": BREAD}))["structure"]

    quality = await do("validate", {"structure": structure})

    assert quality["measures"]["coverage"] is None
    assert quality["score"] <= 40


async def test_a_structure_is_measured_at_the_level_asked_for_and_held_to_the_threshold_asked_for(do: Do) -> None:
    made = await do("granulate", {"text": BREAD, "structureType": "quiz"})
    source = (await do("outline", {"text": BREAD}))["outline"]
    given = {"structure": made["structure"], "outline": source}

    usual = await do("validate", given)
    deep = await do("validate", {**given, "level": 3, "threshold": 99.9, "audience": "grade 1"})

    assert usual == {**made["quality"], "validation": {"level": 2, "threshold": 75, "passed": True}}
    assert deep["validation"] == {"level": 3, "threshold": 99.9, "passed": False}
    assert (deep["measures"]["citations"], deep["measures"]["answers"]) == (1.0, 1.0)
    assert "too_hard_for_audience" in {finding["code"] for finding in deep["findings"]}


async def test_a_structure_written_by_someone_else_is_measured_as_far_as_it_goes(do: Do) -> None:
    structure = {"type": "course", "children": [{"type": "module", "title": "Yeast", "children": [{"type": "lesson"}]}]}

    quality = await do("validate", {"structure": structure, "terms": await do("index_terms", {"text": BREAD})})

    assert 0 < quality["score"] < 20
    assert {"bare_lesson", "objective_missing", "fragment_title"} <= {
        finding["code"] for finding in quality["findings"]
    }


@pytest.mark.parametrize(
    ("action", "input_data", "reason"),
    [
        ("outline", {}, "give a topic, a text or documents"),
        ("index_terms", {"title": "Tides"}, "There is no document to read: give a text, or documents."),
        ("index_terms", {"document": {}}, "A document has one of text, data"),
        ("granulate", {}, "give a topic, a text, documents or an outline"),
        ("granulate", {"topic": "  "}, "give a topic, a text, documents or an outline"),
        ("granulate", {"text": BREAD, "structureType": "corse"}, "no structure type “corse”; did you mean “course”?"),
        ("granulate", {"outline": {"title": None, "sections": []}}, "outline.english"),
        ("granulate", {"topic": "Bread", "maxElements": 3}, "greater than or equal to 10"),
        ("granulate", {"topic": "Bread", "validation": {"level": 4}}, "less than or equal to 3"),
        ("validate", {}, "structure"),
        ("validate", {"structure": {"type": "nowel"}}, "There is no structure type “nowel”"),
        ("validate", {"structure": {"type": "course", "durationMinutes": -1}}, "structure.durationMinutes"),
    ],
)
async def test_an_input_of_the_wrong_form_is_refused_before_any_work(
    action: str, input_data: dict[str, object], reason: str, do: Do
) -> None:
    with pytest.raises(ValidationError) as refused:
        await do(action, input_data)

    assert reason in str(refused.value)


@pytest.mark.parametrize("action", ["outline", "index_terms", "granulate"])
async def test_a_text_that_cannot_be_read_fails_for_good_with_the_reason(action: str, do: Do) -> None:
    with pytest.raises(ActionError) as failed:
        await do(action, {"document": {"text": " \n "}})

    assert failed.value.failure.model_dump() == {
        "code": "unusable_input",
        "message": "The text is empty.",
        "retryable": False,
    }


def test_an_estimate_grows_with_the_source_and_knows_every_action() -> None:
    sizes = [ReadInput(text=text).words for text in ("word " * 10, BREAD, TIDES)]

    assert sizes == sorted(sizes)
    assert set(WORDS_PER_SECOND) == WEIGHED
    assert [estimate_ms("outline", words) for words in (0, 25_000)] == [25, 1_025]


async def test_each_input_tells_the_words_of_its_source(do: Do) -> None:
    outlined = (await do("outline", {"text": TIDES}))["outline"]
    indexed = await do("index_terms", {"text": TIDES})
    structure = (await do("granulate", {"outline": outlined}))["structure"]

    assert GranulateInput.model_validate({"outline": outlined}).words == 2_979
    assert GranulateInput(topic="Tides").words == 0
    assert ReadInput(text=TIDES).words == pytest.approx(2_979, rel=0.15)
    assert ValidateInput.model_validate({"structure": structure, "terms": indexed}).words == 20 * indexed["sentences"]


async def test_the_estimate_counts_the_reading_of_a_text_that_is_not_yet_outlined(
    granulator: Granulator, do: Do
) -> None:
    outlined = (await do("outline", {"text": TIDES}))["outline"]

    from_text = granulator.estimate(GranulateInput(text=TIDES))
    from_outline = granulator.estimate(GranulateInput.model_validate({"outline": outlined}))

    assert (from_text.key, from_outline.key) == ("course/offline", "course/offline")
    assert (from_text.ms or 0) > (from_outline.ms or 0) > 0
    assert (from_text.tokens, from_text.cost_usd, from_text.api_calls) == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"topic": "x", "templateName": "_"}, "There is no template “_”; GET /api/templates lists those there are."),
        (
            {"topic": "x", "templateName": "quiz_basic_v1", "structureType": "course"},
            "The template quiz_basic_v1 makes a quiz and not a course; "
            "leave structureType out, or name another template.",
        ),
        ({"topic": "x", "providers": ["opnai"]}, "There is no provider “opnai”; did you mean “openai”?"),
    ],
)
def test_an_offer_that_nothing_can_come_of_is_told_so_when_it_is_weighed(
    granulator: Granulator, given: dict[str, object], reason: str
) -> None:
    with pytest.raises(ActionError) as refused:
        granulator.estimate(GranulateInput.model_validate(given))

    assert (refused.value.failure.code, refused.value.failure.message) == ("invalid_input", reason)


def test_a_document_known_to_be_too_large_is_refused_before_it_is_fetched(granulator: Granulator) -> None:
    reference = {"sha256": "0" * 64, "sizeBytes": 200 * 1024 * 1024, "contentType": "application/pdf"}

    with pytest.raises(Refuse) as refused:
        granulator.estimate(GranulateInput.model_validate({"documents": [{"name": "all.pdf", "artifact": reference}]}))

    assert refused.value.code == "too_large"
    assert refused.value.reason == "The document “all.pdf” has 200 MB, and a PDF of at most 100 MB is read; split it."
