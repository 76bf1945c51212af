"""The correction round: once, by who made the first version, and the better of the two stands; what rules repair."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from protocol.packets import Progress
from tests.unit.granulator_attempt import Attempt, granulator_in
from tests.unit.granulator_providers import Scripted, built, granulator_with, sketched, unavailable
from tests.unit.granulator_texts import BREAD, LAMP, OUTAGE, TIDES
from workers.granulator.correction.correct import correct
from workers.granulator.correction.repairs import repaired
from workers.granulator.inputs import GranulateInput
from workers.granulator.kinds import KINDS, check, parse
from workers.granulator.providers.provider import Order
from workers.granulator.quality.tree import placed_below
from workers.granulator.quality.validation import validate
from workers.granulator.quality.yardstick import from_outline
from workers.granulator.source.outline import outline
from workers.granulator.structure import STRUCTURE_TYPES, Brief, Structure, StructureType
from workers.kit import ActionError

Json = dict[str, Any]

SOURCE = outline(TIDES)
YARDSTICK = from_outline(SOURCE)
MADE: dict[StructureType, Structure] = {kind: KINDS[kind].build(SOURCE, Brief()) for kind in STRUCTURE_TYPES}


def scanty(order: Order) -> Structure:
    """What a poor model makes: a third of the parts, and not by the rules' builders."""
    whole = built(order)
    return whole.model_copy(update={"children": whole.children[: len(whole.children) // 3], "provider": "model"})


def in_turn(*makers: Callable[[Order], Structure]) -> Callable[[Order], Structure]:
    left = list(makers)
    return lambda order: left.pop(0)(order)


def asked(**validation: Any) -> GranulateInput:
    return GranulateInput.model_validate({"text": TIDES, "validation": validation})


async def test_what_falls_short_is_made_once_more_with_what_is_wrong_and_the_better_one_is_given(
    tmp_path: Path,
) -> None:
    provider = Scripted(in_turn(scanty, built))
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, provider) as granulator:
        result = await granulator.granulate(asked(), attempt)
        entry = await granulator.book.job("stage")

    first, second = provider.orders
    assert (first.findings, first.previous) == ((), None)
    assert second.previous == scanty(first)
    assert {finding.code for finding in second.findings} >= {"term_missing", "section_uncovered"}
    correction, quality = result["correction"], result["quality"]
    assert correction["before"] < 70 <= correction["after"] == quality["score"] == result["qualityScore"]
    assert (correction["changed"], correction["provider"], correction["reason"]) == (True, "model", None)
    assert result["validation"]["passed"] is True
    assert result["structure"] == built(first).model_dump(mode="json", by_alias=True)
    assert entry is not None
    assert (entry.tokens_used, entry.cost_usd, entry.quality_score) == (3_000, 0.006, quality["score"])
    assert attempt.metrics(1).cost_usd == Decimal("0.006")


async def test_a_round_that_makes_it_no_better_leaves_the_first_version_and_there_is_no_other(tmp_path: Path) -> None:
    provider = Scripted(scanty)
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, provider) as granulator:
        result = await granulator.granulate(asked(), attempt)

    assert len(provider.orders) == 2
    assert result["correction"]["before"] == result["correction"]["after"] == result["qualityScore"]
    assert result["correction"]["changed"] is False
    assert result["validation"]["passed"] is False
    percents = [report.progress for report in attempt.reports if isinstance(report, Progress)]
    assert percents == sorted(percents)


async def test_a_round_in_which_nobody_makes_anything_leaves_the_first_version_and_says_why(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Scripted(in_turn(scanty, unavailable))) as granulator:
        result = await granulator.granulate(asked(), attempt)

    assert result["correction"] == {
        "before": result["qualityScore"],
        "after": None,
        "changed": False,
        "provider": None,
        "reason": "model is not there; try again later.",
    }
    assert attempt.metrics(1).tokens_used == 1_600


async def test_who_could_not_make_the_first_version_is_not_asked_for_the_second(tmp_path: Path) -> None:
    away, poor, good = (
        Scripted(unavailable, "away"),
        Scripted(in_turn(scanty, unavailable), "poor"),
        Scripted(built, "good"),
    )
    async with granulator_with(tmp_path, away, poor, good) as granulator:
        result = await granulator.granulate(asked(), Attempt(tmp_path))

    assert [len(provider.orders) for provider in (away, poor, good)] == [1, 2, 1]
    assert (result["provider"], result["correction"]["provider"]) == ("good", "good")
    assert [failed["provider"] for failed in result["failedProviders"]] == ["away"]


@pytest.mark.parametrize(
    ("make", "validation", "orders"),
    [
        (built, {}, 1),
        (built, {"threshold": 99.9}, 2),
        (scanty, {"threshold": 5}, 1),
        (scanty, {"level": 1}, 1),
        (scanty, {"enabled": False}, 1),
    ],
)
async def test_the_threshold_and_the_level_that_are_asked_for_decide_on_the_round(
    make: Callable[[Order], Structure], validation: Json, orders: int, tmp_path: Path
) -> None:
    provider = Scripted(make)
    async with granulator_with(tmp_path, provider) as granulator:
        result = await granulator.granulate(asked(**validation), Attempt(tmp_path))

    assert len(provider.orders) == orders
    assert (result["correction"] is None) is (orders == 1)


async def test_a_skeleton_is_held_against_what_one_can_score_so_it_is_not_made_twice_for_nothing(
    tmp_path: Path,
) -> None:
    provider = Scripted(sketched)
    async with granulator_with(tmp_path, provider) as granulator:
        result = await granulator.granulate(GranulateInput(topic="Tides"), Attempt(tmp_path))

    assert len(provider.orders) == 1
    assert (result["correction"], result["validation"]["passed"]) == (None, False)


async def test_where_passing_is_required_what_does_not_pass_fails_with_score_threshold_and_worst_finding(
    tmp_path: Path,
) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Scripted(scanty)) as granulator:
        with pytest.raises(ActionError) as failed:
            await granulator.granulate(asked(required=True), attempt)
        entry = await granulator.book.job("stage")
        passed = await granulator.granulate(asked(required=True, threshold=5), Attempt(tmp_path, stage="other"))

    failure = failed.value.failure
    assert (failure.code, failure.retryable) == ("quality_too_low", False)
    assert failure.message.startswith("The course scores ")
    assert " of 100 and must score 70; the worst that was found, at " in failure.message
    assert entry is not None
    assert (entry.status, entry.error and entry.error.code) == ("failed", "quality_too_low")
    assert attempt.metrics(1).tokens_used == 3_000
    assert passed["validation"] == {"enabled": True, "required": True, "level": 2, "threshold": 5.0, "passed": True}


async def test_the_rules_better_their_own_work_by_cutting_it_more_finely(tmp_path: Path) -> None:
    async with granulator_in(tmp_path) as granulator:
        given = {"text": TIDES, "structureType": "knowledge_map", "validation": {"threshold": 90}}
        result = await granulator.granulate(GranulateInput.model_validate(given), Attempt(tmp_path))
        judgements = await granulator.book.judgements("stage")

    assert result["correction"]["before"] < 90 < result["correction"]["after"]
    assert result["granulationSummary"]["totalElements"] > sum(1 for _ in placed_below(MADE["knowledge_map"]))
    assert [(judgement.passed, judgement.quality["score"]) for judgement in judgements] == [
        (True, result["correction"]["after"])
    ]


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
@pytest.mark.parametrize("text", [TIDES, OUTAGE, LAMP, BREAD], ids=["tides", "outage", "lamp", "bread"])
def test_a_structure_that_is_sound_is_repaired_into_itself(kind: StructureType, text: str) -> None:
    made = KINDS[kind].build(outline(text), Brief())

    assert repaired(made, outline(text)) == made


@pytest.mark.parametrize("kind", STRUCTURE_TYPES)
@pytest.mark.parametrize("most", [20, 100])
def test_a_correction_never_scores_less_and_adds_no_more_elements_than_are_allowed(
    kind: StructureType, most: int
) -> None:
    brief = Brief(max_elements=most)
    order = Order(kind, None, SOURCE, brief)

    for previous in (built(order), scanty(order)):
        corrected = correct(kind, previous, SOURCE, brief)
        assert validate(corrected, YARDSTICK).score >= validate(previous, YARDSTICK).score
        assert sum(1 for _ in placed_below(corrected)) <= most


@pytest.mark.parametrize("kind", ["course", "quiz", "knowledge_map", "learning_path"])
def test_sections_that_a_model_left_out_are_added(kind: StructureType) -> None:
    previous = scanty(Order(kind, None, SOURCE, Brief()))

    corrected = correct(kind, previous, SOURCE, Brief())
    before, after = (validate(structure, YARDSTICK) for structure in (previous, corrected))
    assert after.score > before.score + 10
    assert (after.measures["sections"] or 0) > (before.measures["sections"] or 0)
    kept = [part.title for part in corrected.children[: len(previous.children)]]
    assert kept == [part.title for part in previous.children]
    assert [finding for finding in after.findings if finding.severity == "error"] == []


def spoil_course(document: Json) -> None:
    one, other = document["children"][1:3]
    one["durationMinutes"] = 1
    other["title"] = one["title"]
    one["children"][0]["title"] = "The rise of the"
    one["children"][1]["source"]["sentences"] = [1, 10**9]


def spoil_quiz(document: Json) -> None:
    one, other = document["children"][1]["children"][:2]
    one["options"] = ["neither", "nor", "both"]
    other["stem"] = other["title"] = document["children"][0]["children"][0]["stem"]


def spoil_novel(document: Json) -> None:
    first, second = document["children"][0]["children"][:2]
    first["children"][0]["characters"] = ["Nobody At All"]
    second["code"] = first["children"][0]["code"] = "9.9"
    document["children"].reverse()


def spoil_workflow(document: Json) -> None:
    first = document["children"][0]["children"][0]
    first["next"], document["starts"], document["ends"] = ["nowhere"], ["elsewhere"], []
    first["branches"] = [{"condition": " ", "to": document["children"][1]["children"][0]["id"]}]


def spoil_knowledge_map(document: Json) -> None:
    one, other = document["children"][1]["children"][:2]
    one["prerequisites"], other["prerequisites"] = [other["id"], "nothing"], [one["id"]]
    document["relations"].append({"from": one["id"], "to": one["id"], "type": "is_a"})
    document["relations"].append(document["relations"][0])
    document["relations"].append({"from": one["id"], "to": "nothing", "type": "is_a"})


def spoil_learning_path(document: Json) -> None:
    first = document["children"][0]
    first["requires"] = [document["children"][4]["id"], first["id"], "nothing"]
    first["children"][0]["durationMinutes"] = 0


SPOILT: list[tuple[StructureType, Callable[[Json], None]]] = [
    ("course", spoil_course),
    ("quiz", spoil_quiz),
    ("novel", spoil_novel),
    ("knowledge_map", spoil_knowledge_map),
    ("learning_path", spoil_learning_path),
]


@pytest.mark.parametrize(("kind", "spoil"), SPOILT)
def test_what_a_model_got_wrong_is_put_right_by_rule(kind: StructureType, spoil: Callable[[Json], None]) -> None:
    document = MADE[kind].model_dump(mode="json", by_alias=True)
    spoil(document)
    spoilt = parse(document)

    mended = repaired(spoilt, SOURCE)

    assert {finding.severity for finding in check(spoilt)} & {"error", "warning"}
    assert [finding for finding in check(mended) if finding.severity in ("error", "warning")] == []
    assert validate(mended, YARDSTICK, level=1).score > validate(spoilt, YARDSTICK, level=1).score
    assert repaired(mended, SOURCE) == mended


def test_a_workflow_keeps_only_ways_that_lead_somewhere_and_ends_where_none_leads_on() -> None:
    document = MADE["workflow"].model_dump(mode="json", by_alias=True)
    spoil_workflow(document)
    spoilt = parse(document)

    mended = repaired(spoilt, SOURCE)

    lost = {"unknown_step", "no_start", "no_end", "branch_without_condition", "dead_end"}
    assert {finding.code for finding in check(spoilt)} >= {"unknown_step", "no_end", "branch_without_condition"}
    assert {finding.code for finding in check(mended)} & lost == set()


def test_questions_that_cannot_stand_are_left_out_with_the_categories_they_leave_empty() -> None:
    document = MADE["quiz"].model_dump(mode="json", by_alias=True)
    spoil_quiz(document)
    for question in document["children"][2]["children"]:
        question["answer"] = ""

    mended = repaired(parse(document), None)

    whole = [category.title for category in MADE["quiz"].children]
    assert [category.title for category in mended.children] == [*whole[:2], *whole[3:]]
    lost = [len(MADE["quiz"].children[1].children), len(mended.children[1].children)]
    assert lost[0] - lost[1] == 2
