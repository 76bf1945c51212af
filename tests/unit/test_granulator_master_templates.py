"""The shipped master templates of the granulator, each on a real text: its result is whole and of the source."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.template import Template, parse_template
from tests.unit.granulator_attempt import execute, granulator_in
from tests.unit.granulator_texts import LAMP, OUTAGE, TIDES
from workers.granulator.granulating import Granulator
from workers.granulator.kinds import check, parse
from workers.granulator.language.words import words_of
from workers.granulator.structure import NOTICE

TEMPLATES = Path(__file__).parents[2] / "templates"
MADE = [
    ("course_creation", "course", TIDES),
    ("quiz_generation", "quiz", TIDES),
    ("novel_planning", "novel", LAMP),
    ("workflow_design", "workflow", OUTAGE),
    ("knowledge_mapping", "knowledge_map", TIDES),
    ("learning_path_design", "learning_path", TIDES),
]
PIPELINE = "complete_education_pipeline"
NAMES = [name for name, _, _ in MADE] + [PIPELINE]
LEAST_SCORE = 60


@pytest.fixture
async def granulator(tmp_path: Path) -> AsyncIterator[Granulator]:
    async with granulator_in(tmp_path) as made:
        yield made


def template(name: str) -> Template:
    return parse_template((TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8"))


def elements(element: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield element
    for child in element["children"]:
        yield from elements(child)


@pytest.mark.parametrize(("name", "structure_type", "text"), MADE)
async def test_a_real_text_becomes_a_sound_structure_of_its_own_words(
    name: str, structure_type: str, text: str, granulator: Granulator, tmp_path: Path
) -> None:
    result = await execute(template(name), {"topic": "as it says", "text": text}, granulator, tmp_path)

    structure = result["structure"]
    titles = [element["title"] for element in elements(structure)]
    source = set(words_of(text))
    assert set(result) == {"structure", "quality", "provider"}
    assert (structure["type"], structure["sourced"], result["provider"]) == (structure_type, True, "offline")
    assert [finding for finding in check(parse(structure)) if finding.severity == "error"] == []
    assert result["quality"]["score"] >= LEAST_SCORE
    assert len(titles) > 10
    assert sum(bool(source.intersection(words_of(title))) for title in titles) / len(titles) >= 0.9


@pytest.mark.parametrize(("name", "structure_type"), [(name, kind) for name, kind, _ in MADE])
async def test_a_topic_alone_becomes_a_skeleton_that_says_that_it_is_unsourced(
    name: str, structure_type: str, granulator: Granulator, tmp_path: Path
) -> None:
    result = await execute(template(name), {"topic": "Tides", "audience": "sailors"}, granulator, tmp_path)

    structure = result["structure"]
    assert (structure["type"], structure["sourced"], structure["notice"]) == (structure_type, False, NOTICE)
    assert [finding for finding in check(parse(structure)) if finding.severity == "error"] == []


async def test_the_pipeline_makes_one_document_of_four_structures_of_one_source(
    granulator: Granulator, tmp_path: Path
) -> None:
    result = await execute(template(PIPELINE), {"text": TIDES}, granulator, tmp_path)

    document, structures = result["document"], result["structures"]
    types = {"course": "course", "quiz": "quiz", "knowledgeMap": "knowledge_map", "learningPath": "learning_path"}
    assert {name: structure["type"] for name, structure in structures.items()} == types
    assert (document["type"], document["title"], document["sourced"]) == ("document", "How tides work", True)
    assert document["children"] == list(structures.values())
    assert result["quality"]["score"] >= LEAST_SCORE
    assert [finding for finding in result["quality"]["findings"] if finding["severity"] == "error"] == []


async def test_the_pipeline_runs_from_a_topic_alone(granulator: Granulator, tmp_path: Path) -> None:
    result = await execute(template(PIPELINE), {"topic": "Tides"}, granulator, tmp_path)

    assert (result["document"]["sourced"], result["document"]["notice"]) == (False, NOTICE)
    assert [structure["sourced"] for structure in result["structures"].values()] == [False] * 4


async def test_the_pipeline_hands_the_request_on_to_every_stage(granulator: Granulator, tmp_path: Path) -> None:
    few, many = [
        await execute(template(PIPELINE), {"text": TIDES, "maxElements": most}, granulator, tmp_path)
        for most in (15, 100)
    ]

    for name in few["structures"]:
        assert len(list(elements(few["structures"][name]))) <= 16 < len(list(elements(many["structures"][name])))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({}, ["input"]),
        ({"topic": ""}, ["input.topic"]),
        ({"documents": []}, ["input.documents"]),
        ({"documents": [{"artifact": {"sha256": "x", "sizeBytes": 1}}]}, ["input.documents[0].artifact.sha256"]),
    ],
)
def test_an_input_without_anything_to_work_on_is_refused_before_it_is_queued(
    name: str, given: dict[str, Any], paths: list[str]
) -> None:
    assert [fault.path for fault in template(name).check_input(given)] == paths
