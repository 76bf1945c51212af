"""Quality of every kind: what a structure of its source earns, and which measure falls where a fault is planted."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.granulator_texts import BREAD, LAMP, OUTAGE, TIDES
from workers.granulator.granulations.templates import THRESHOLDS
from workers.granulator.kinds import KINDS, parse
from workers.granulator.quality.readability import Readability, grade_of, readability
from workers.granulator.quality.standards import STANDARDS
from workers.granulator.quality.validation import Quality, validate
from workers.granulator.quality.view import VIEWS
from workers.granulator.quality.yardstick import Yardstick, from_index, from_outline
from workers.granulator.source.outline import outline
from workers.granulator.source.terms import index_terms
from workers.granulator.structure import STRUCTURE_TYPES, Brief, Structure, StructureType

Json = dict[str, Any]

YARDSTICK = from_outline(outline(TIDES))
MADE: dict[StructureType, Structure] = {kind: KINDS[kind].build(outline(TIDES), Brief()) for kind in STRUCTURE_TYPES}


def document_of(kind: StructureType) -> Json:
    return MADE[kind].model_dump(mode="json", by_alias=True)


def quality_of(document: Json, level: int = 3) -> Quality:
    return validate(parse(document), YARDSTICK, level)


def leaf(document: Json, part: int = 1, place: int = 0) -> Json:
    """A leaf of a kind whose leaves stand on the second level."""
    found: Json = document["children"][part]["children"][place]
    return found


def test_every_kind_has_a_standard_and_a_view_and_the_usual_level_gives_a_hundred_points() -> None:
    assert set(STANDARDS) == set(VIEWS) == set(STRUCTURE_TYPES)
    assert {kind: (standard.possible(2), standard.possible(3)) for kind, standard in STANDARDS.items()} == {
        kind: (100, 125) for kind in STRUCTURE_TYPES
    }


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
@pytest.mark.parametrize("text", [TIDES, LAMP, BREAD], ids=["tides", "lamp", "bread"])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_what_is_built_from_a_real_text_passes_at_every_level(kind: StructureType, text: str, level: int) -> None:
    source = outline(text)

    quality = validate(KINDS[kind].build(source, Brief()), from_outline(source), level)

    assert THRESHOLDS[kind] <= quality.score < 100.0 or (quality.score == 100.0 and level == 1)
    assert [finding for finding in quality.findings if finding.severity == "error"] == []


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
def test_each_level_takes_the_measures_of_those_below_and_its_own(kind: StructureType) -> None:
    form, source, claims = (set(validate(MADE[kind], YARDSTICK, level).measures) for level in (1, 2, 3))

    standard = STANDARDS[kind]
    assert form == set(standard.form)
    assert source - form == set(standard.source) == {"coverage", "sections", "span"}
    assert claims - source == set(standard.claims) >= {"citations"}


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
def test_the_structure_of_another_text_is_well_made_and_worth_next_to_nothing(kind: StructureType) -> None:
    other = KINDS[kind].build(outline(BREAD), Brief())

    scores = [validate(other, YARDSTICK, level).score for level in (1, 2, 3)]
    assert scores[0] > 90
    assert max(scores[1:]) < 25


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
def test_without_a_source_the_source_earns_nothing_and_the_form_can_be_judged_alone(kind: StructureType) -> None:
    made = KINDS[kind].skeleton("Tides", Brief())

    alone, usual, deep = (validate(made, None, level) for level in (1, 2, 3))
    assert (alone.attainable, usual.attainable, deep.attainable) == (100.0, 40.0, 32.0)
    assert alone.score > usual.score > deep.score > 0
    assert usual.score <= usual.attainable
    assert "coverage_unmeasured" not in {finding.code for finding in alone.findings}
    assert {usual.measures[name] for name in STANDARDS[kind].source} == {None}


def test_an_index_of_terms_tells_no_sentences_so_claims_earn_nothing_and_it_is_said() -> None:
    quality = validate(MADE["course"], from_index(index_terms(TIDES)), 3)

    assert (quality.measures["citations"], quality.measures["order"]) == (None, 1.0)
    assert quality.score < 90
    assert "claims_unmeasured" in {finding.code for finding in quality.findings}


def repeat_answer(document: Json) -> None:
    question = leaf(document)
    question["options"] = [question["answer"], question["answer"], "neither"]


def ask_nothing_of_the_source(document: Json) -> None:
    leaf(document).update(answer="A zeppelin", explanation="Zeppelins anchor over harbours.", options=[])


def lose_a_step(document: Json) -> None:
    leaf(document)["next"] = ["nowhere"]


def run_in_a_circle(document: Json) -> None:
    one, other = leaf(document), leaf(document, place=1)
    one["prerequisites"], other["prerequisites"] = [other["id"]], [one["id"]]


def require_what_comes_later(document: Json) -> None:
    document["children"][1]["requires"] = [document["children"][3]["id"]]


def turn_the_order_round(document: Json) -> None:
    document["children"].reverse()


def leave_open(document: Json) -> None:
    document["children"][0]["children"][2]["children"][0].update(conflict="", open=[])


def name_a_stranger(document: Json) -> None:
    document["children"][0]["children"][0]["children"][0]["characters"] = ["Nobody At All"]


def say_what_no_source_says(field: str) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        leaf(document)[field] = ["Zeppelins anchor over crowded harbours."]

    return change


def repeat_a_title(document: Json) -> None:
    document["children"][2]["title"] = document["children"][1]["title"]


def break_a_title_off(document: Json) -> None:
    document["children"][1]["title"] = "The rise of the"


FIRST = "/children/1/children/0"
SCENE = "/children/0/children/0/children/0"
FAULTS: list[tuple[StructureType, Callable[[Json], None], str, str]] = [
    ("quiz", repeat_answer, "rules", f"{FIRST}/options"),
    ("quiz", ask_nothing_of_the_source, "answers", f"{FIRST}/answer"),
    ("quiz", ask_nothing_of_the_source, "citations", f"{FIRST}/explanation"),
    ("workflow", lose_a_step, "rules", f"{FIRST}/next/0"),
    ("workflow", turn_the_order_round, "order", "/children/1/children/0"),
    ("knowledge_map", run_in_a_circle, "rules", f"{FIRST}/prerequisites"),
    (
        "knowledge_map",
        lambda document: leaf(document).update(definition="An airship."),
        "citations",
        f"{FIRST}/definition",
    ),
    ("learning_path", require_what_comes_later, "rules", "/children/1/requires/0"),
    ("learning_path", require_what_comes_later, "order", "/children/1"),
    (
        "learning_path",
        lambda document: leaf(document).update(durationMinutes=0),
        "durations",
        f"{FIRST}/durationMinutes",
    ),
    ("novel", leave_open, "depth", "/children/0/children/2/children/0"),
    ("novel", name_a_stranger, "rules", f"{SCENE}/characters/0"),
    ("course", say_what_no_source_says("outline"), "citations", f"{FIRST}/outline/0"),
    ("course", turn_the_order_round, "order", "/children/1/children/0"),
    *((kind, repeat_a_title, "duplicates", "/children/2/title") for kind in STRUCTURE_TYPES),
    *((kind, break_a_title_off, "titles", "/children/1/title") for kind in STRUCTURE_TYPES),
]


@pytest.mark.parametrize(("kind", "plant", "measure", "place"), FAULTS)
def test_a_planted_fault_lowers_the_measure_of_it_and_the_score_and_is_found_at_its_place(
    kind: StructureType, plant: Callable[[Json], None], measure: Any, place: str
) -> None:
    whole = validate(MADE[kind], YARDSTICK, 3)
    faulty = document_of(kind)
    plant(faulty)

    quality = quality_of(faulty)

    merit = {"duplicates": -1}.get(measure, 1)
    assert merit * (quality.measures[measure] or 0) < merit * (whole.measures[measure] or 0)
    assert quality.score < whole.score
    assert place in {finding.path for finding in quality.findings} - {finding.path for finding in whole.findings}


def test_a_fault_that_another_measure_charges_for_is_not_charged_for_as_a_broken_rule_too() -> None:
    faulty = document_of("knowledge_map")
    repeat_a_title(faulty)

    assert quality_of(faulty).measures["rules"] == 1.0


def test_an_error_on_the_whole_halves_what_is_earned_by_the_rules() -> None:
    faulty = document_of("workflow")
    faulty["starts"] = []

    assert quality_of(faulty).measures["rules"] == 0.5


def test_a_leaf_that_cites_nothing_supports_none_of_its_claims() -> None:
    uncited = document_of("course")
    leaf(uncited)["source"] = None

    found = {finding.path for finding in quality_of(uncited).findings if finding.code == "claim_uncited"}
    assert found >= {f"{FIRST}/outline/{place}" for place in range(len(leaf(uncited)["outline"]))}


def test_claims_on_sentences_that_are_not_known_are_left_out_of_account() -> None:
    known = {number: text for number, text in YARDSTICK.texts.items() if number > 16}
    partly = Yardstick(
        YARDSTICK.weights, YARDSTICK.sections, YARDSTICK.sentences, known, YARDSTICK.headings, english=True
    )
    faulty = document_of("course")
    say_what_no_source_says("outline")(faulty)

    assert validate(parse(faulty), partly, 3).measures["citations"] == 1.0


def test_readability_is_the_formulas_of_flesch_and_kincaid() -> None:
    sentence = "The cat sat on the old mat and looked at the long table."

    assert readability([sentence] * 10) == Readability(
        reading_ease=round(206.835 - 1.015 * 13 - 84.6 * 14 / 13, 1),
        grade=round(0.39 * 13 + 11.8 * 14 / 13 - 15.59, 1),
        words=130,
    )


@pytest.mark.parametrize("texts", [[], ["Tides", "High water"] * 100, ["The cat sat on the mat."]])
def test_too_few_words_in_sentences_have_no_readability(texts: list[str]) -> None:
    assert readability(texts) is None


@pytest.mark.parametrize(
    ("audience", "grade"),
    [
        ("grade 4", 4),
        ("Year 9 pupils", 9),
        ("5th-grade classes", 5),
        ("children aged 8", 3),
        ("12-year-olds", 7),
        ("primary school teachers' children", 5),
        ("high school students", 12),
        ("sailors", None),
    ],
)
def test_an_audience_names_a_grade_by_grade_age_or_school(audience: str, grade: int | None) -> None:
    assert grade_of(audience) == grade


def test_prose_above_its_audience_is_a_finding_that_costs_nothing() -> None:
    plain, told = (validate(MADE["course"], YARDSTICK, 3, audience) for audience in ("sailors", "grade 1"))

    assert plain.readability == told.readability
    assert plain.score == told.score
    assert {finding.code for finding in told.findings} - {finding.code for finding in plain.findings} == {
        "too_hard_for_audience"
    }


def test_a_text_that_is_not_english_has_no_readability() -> None:
    source = outline(" ".join(["La marée est la variation de la hauteur du niveau des mers et des océans."] * 30))

    assert validate(KINDS["course"].build(source, Brief()), from_outline(source), 3).readability is None


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
def test_equal_structures_have_equal_quality(kind: StructureType) -> None:
    source = outline(OUTAGE)
    made = KINDS[kind].build(source, Brief())

    assert validate(made, from_outline(source), 3) == validate(made, from_outline(source), 3)
