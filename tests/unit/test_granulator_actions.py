"""The granulator's actions: what they take and answer on the wire, alone and along the shipped template."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from orchestrator.core.template import Template, parse_template
from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.actions import index_document, make_course, measure_structure, outline_document
from workers.granulator.estimates import WORDS_PER_SECOND, estimate_ms
from workers.granulator.inputs import GranulateInput, ReadInput, ValidateInput
from workers.granulator.source.document import UnreadableText
from workers.granulator.structure import NOTICE

TEMPLATE = Path(__file__).parents[2] / "templates/course_from_document.yaml"
ACTIONS: dict[str, tuple[Any, Callable[[Any], dict[str, Any]]]] = {
    "outline": (ReadInput, outline_document),
    "granulate": (GranulateInput, make_course),
    "index_terms": (ReadInput, index_document),
    "validate": (ValidateInput, measure_structure),
}


def perform(action: str, input_data: object) -> dict[str, Any]:
    """The action's result as it is after the wire."""
    form, function = ACTIONS[action]
    result = function(TypeAdapter(form).validate_python(input_data))
    decoded: dict[str, Any] = json.loads(json.dumps(result, allow_nan=False))
    return decoded


def execute(template: Template, given: dict[str, object]) -> Any:
    """The template's output, its stages carried out in order in this process."""
    outputs: dict[str, object] = {}
    scope = {"input": given, "stages": outputs}
    for stage in template.stages:
        assert stage.action is not None
        outputs[stage.name] = {"output": perform(stage.action, stage.with_.render(scope))}
    assert template.output is not None
    return template.output.render(scope)


@pytest.mark.parametrize("given", [{"text": TIDES}, {"text": TIDES, "title": "The tides"}])
def test_the_shipped_template_makes_a_measured_course_with_or_without_a_title(given: dict[str, object]) -> None:
    template = parse_template(TEMPLATE.read_text(encoding="utf-8"))

    result = execute(template, given)

    assert result["structure"]["type"] == "course"
    assert result["structure"]["title"] == given.get("title", "How tides work")
    assert [child["type"] for child in result["structure"]["children"]] == ["overview"] + 9 * ["module"]
    assert result["quality"]["score"] == make_course(GranulateInput(text=TIDES))["qualityScore"]
    assert [finding for finding in result["quality"]["findings"] if finding["severity"] == "error"] == []


def test_a_course_is_the_same_from_a_text_and_from_its_outline() -> None:
    from_outline = perform("granulate", {"outline": perform("outline", {"document": {"text": BREAD}})})

    assert from_outline == perform("granulate", {"text": BREAD})


def test_a_request_for_a_topic_in_snake_case_makes_a_labelled_scaffold() -> None:
    result = perform("granulate", {"topic": "AI Development", "structure_type": "course", "template_name": "course"})

    assert result["structure"]["title"] == "AI Development"
    assert (result["structure"]["sourced"], result["structure"]["notice"]) == (False, NOTICE)
    assert 0 < result["qualityScore"] <= 40


def test_a_document_stands_over_a_topic() -> None:
    assert perform("granulate", {"topic": "Bread", "text": BREAD})["structure"]["sourced"] is True


def test_a_structure_alone_is_measured_by_its_form() -> None:
    structure = perform("granulate", {"text": BREAD})["structure"]

    quality = perform("validate", {"structure": structure})

    assert quality["measures"]["coverage"] is None
    assert quality["score"] <= 40


def test_a_structure_written_by_someone_else_is_measured_as_far_as_it_goes() -> None:
    structure = {"type": "course", "children": [{"type": "module", "title": "Yeast", "children": [{"type": "lesson"}]}]}

    quality = perform("validate", {"structure": structure, "terms": perform("index_terms", {"text": BREAD})})

    assert 0 < quality["score"] < 20
    assert {"bare_lesson", "objective_missing", "fragment_title"} <= {
        finding["code"] for finding in quality["findings"]
    }


@pytest.mark.parametrize(
    ("action", "input_data"),
    [
        ("outline", {}),
        ("outline", {"title": "Tides"}),
        ("index_terms", {"document": {}}),
        ("granulate", {}),
        ("granulate", {"text": BREAD, "structureType": "novel"}),
        ("granulate", {"outline": {"title": None, "sections": []}}),
        ("validate", {}),
        ("validate", {"structure": {"type": "course", "durationMinutes": -1}}),
    ],
)
def test_an_input_of_the_wrong_form_is_refused_before_any_work(action: str, input_data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        perform(action, input_data)


@pytest.mark.parametrize("action", ["outline", "index_terms", "granulate"])
def test_a_text_that_cannot_be_read_fails_with_the_reason(action: str) -> None:
    with pytest.raises(UnreadableText, match=r"^The text is empty\.$"):
        perform(action, {"document": {"text": " \n "}})


def test_an_estimate_grows_with_the_source_and_knows_every_action() -> None:
    sizes = [ReadInput(text=text).words for text in ("word " * 10, BREAD, TIDES)]

    assert sizes == sorted(sizes)
    assert set(WORDS_PER_SECOND) == set(ACTIONS)
    assert [estimate_ms("outline", words) for words in (0, 25_000)] == [25, 1_025]


def test_each_input_tells_the_words_of_its_source() -> None:
    outlined = perform("outline", {"text": TIDES})
    indexed = perform("index_terms", {"text": TIDES})
    structure = perform("granulate", {"outline": outlined})["structure"]

    assert GranulateInput.model_validate({"outline": outlined}).words == 2_979
    assert GranulateInput(topic="Tides").words == 0
    assert ReadInput(text=TIDES).words == pytest.approx(2_979, rel=0.15)
    assert ValidateInput.model_validate({"structure": structure, "terms": indexed}).words == 20 * 147
