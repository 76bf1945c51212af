"""A workflow made from a text: its graph holds together, its steps are the source's own, and its faults are found."""

from typing import Any

import pytest

from tests.unit.granulator_texts import BREAD, CHINESE, FLAT, FRENCH, LAMP, ONE_SENTENCE, OUTAGE, TIDES
from workers.granulator.course.title_index import title_words
from workers.granulator.language.words import words_of
from workers.granulator.quality.finding import Finding
from workers.granulator.quality.title_rules import is_fragment, near_duplicates, titled
from workers.granulator.source.outline import outline
from workers.granulator.structure import Brief
from workers.granulator.workflow.build import build
from workers.granulator.workflow.instructions import (
    Condition,
    Instruction,
    commands_within,
    opens_with_verb,
    read_instruction,
)
from workers.granulator.workflow.materials import materials_of
from workers.granulator.workflow.rules import check
from workers.granulator.workflow.skeleton import skeleton
from workers.granulator.workflow.structure import Branch, Phase, Step, Workflow
from workers.granulator.workflow.study import LABEL
from workers.granulator.workflow.wording import headline

BRIEF = Brief()
TEXTS = [OUTAGE, TIDES, BREAD, LAMP, FLAT, FRENCH, CHINESE, ONE_SENTENCE]
# What a made title may add to the source's words.
MADE_WORDS = {"check", "whether", "explain", "describe", "define", "compare", "list", "show", "recall", "summarise",
              "give", "account", "distinguish", "between", "predict", "happen", "involve", "main", "part", "point",
              "know", "how", "why", "what", "of", "with", "without", "that", "you", "can"}  # fmt: skip


@pytest.fixture(scope="module")
def outage() -> Workflow:
    return build(outline(OUTAGE), BRIEF)


def step_of(workflow: Workflow, opening: str) -> Step:
    """The only step whose title begins so."""
    (step,) = [step for step in workflow.steps if step.title.startswith(opening)]
    return step


def titles_behind(workflow: Workflow, step: Step) -> dict[str, str]:
    """Where each branch of a step leads, by its condition."""
    titles = {other.id: other.title for other in workflow.steps}
    return {branch.condition: titles[branch.to] for branch in step.branches}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_workflow_made_here_keeps_every_rule(text: str, level: int) -> None:
    workflow = build(outline(text), Brief(granularity_level=level))

    assert [finding for finding in check(workflow) if finding.code != "unusual_size"] == []


@pytest.mark.parametrize("text", [OUTAGE, TIDES, BREAD])
def test_titles_are_in_the_words_of_the_source_and_no_two_are_alike(text: str) -> None:
    workflow = build(outline(text), BRIEF)

    source = set(words_of(text)) | MADE_WORDS
    assert {step.title: title_words(step.title) - source for step in workflow.steps} == {
        step.title: frozenset() for step in workflow.steps
    }
    assert near_duplicates(titled(workflow)) == []


def test_a_procedure_of_some_length_has_ten_to_twenty_five_steps_under_its_own_headings(outage: Workflow) -> None:
    assert outage.procedural
    assert 10 <= len(outage.steps) <= 25
    assert [phase.title for phase in outage.children] == [
        "Detect and confirm",
        "Assess the damage",
        "Tell people",
        "Find the cause",
        "Restore the service",
        "Close the incident",
        "Learn from it",
    ]


def test_every_instruction_of_a_procedure_is_in_one_step_word_for_word(outage: Workflow) -> None:
    finest = build(outline(OUTAGE), Brief(granularity_level=5))

    for workflow in (outage, finest):
        actions = " ".join(action for step in workflow.steps for action in step.actions)
        for command in ("Acknowledge the alert within five minutes", "Page the incident commander",
                        "Roll the change back", "Watch the error rate for fifteen minutes"):  # fmt: skip
            assert actions.count(command) == 1


def test_a_condition_of_the_source_is_a_decision_with_a_branch_to_what_is_done_then(outage: Workflow) -> None:
    decision = step_of(outage, "Check whether more than a tenth of the customers are affected")

    assert decision.type == "decision"
    assert titles_behind(outage, decision) == {
        "if more than a tenth of the customers are affected": "Page the incident commander"
    }
    assert decision.next == step_of(outage, "Page the incident commander").next


def test_otherwise_and_its_like_leave_no_third_way(outage: Workflow) -> None:
    first = step_of(outage, "Check whether the service answers normally")
    second = step_of(outage, "Check whether a change fits the time")

    assert list(titles_behind(outage, first)) == [
        "if the service answers normally and the error rate is falling",
        "otherwise",
    ]
    assert list(titles_behind(outage, second)) == ["if a change fits the time", "if no change fits"]
    assert (first.next, second.next) == ((), ())


def test_a_branch_that_stops_is_an_end_and_the_last_step_is_another(outage: Workflow) -> None:
    assert set(outage.ends) == {step_of(outage, "Close the alert").id, outage.steps[-1].id}


def test_a_loop_is_drawn_where_the_source_says_to_return_or_to_repeat_and_nowhere_else(outage: Workflow) -> None:
    order = {step.id: place for place, step in enumerate(outage.steps)}
    back = [(step.title, to) for step in outage.steps for to in step.ways_on if order[to] <= order[step.id]]

    watched = step_of(outage, "Watch the error rate")
    assert [title for title, _ in back] == ["Remove the repair", watched.title]
    assert "until the error rate is back at its usual level" in titles_behind(outage, watched)


def test_whoever_is_told_to_do_something_is_the_step_s_actor(outage: Workflow) -> None:
    assert outage.actors == (
        "the incident commander",
        "the scribe",
        "the support team",
        "the engineer on call",
    )
    assert step_of(outage, "Choose the repair").actor == "the engineer on call"
    assert step_of(outage, "Acknowledge the alert").actor is None


def test_a_step_takes_what_its_commands_name_and_makes_what_they_bring_about(outage: Workflow) -> None:
    step = step_of(outage, "Open an incident record")

    assert (step.inputs, step.outputs) == (("alert",), ("incident record",))


def test_cautions_and_reasons_stand_with_the_step_they_are_about(outage: Workflow) -> None:
    assert step_of(outage, "Page the incident commander").description == (
        "Do not wait for certainty, because a wrong page costs less than a late one."
    )


@pytest.mark.parametrize("text", [TIDES, BREAD, LAMP, FRENCH, CHINESE, ONE_SENTENCE])
def test_a_text_without_a_procedure_makes_the_workflow_of_its_study_and_says_so(text: str) -> None:
    workflow = build(outline(text), BRIEF)

    assert (workflow.procedural, workflow.description) == (False, LABEL)
    assert all(opens_with_verb(step.title) for step in workflow.steps)


def test_steps_that_wait_for_something_are_entered_on_that_condition_only() -> None:
    text = (
        "Mix the flour with the water. Knead the dough for ten minutes. Cover the dough and leave it in a warm place. "
        "Once the dough has doubled, shape it into a loaf. Bake the loaf for forty minutes. Cool the loaf on a rack."
    )

    workflow = build(outline(text), Brief(granularity_level=5))
    before = workflow.steps[next(place for place, step in enumerate(workflow.steps) if "Shape" in step.title) - 1]

    assert before.next == ()
    assert titles_behind(workflow, before) == {"once the dough has doubled": "Shape it into a loaf"}


def test_otherwise_answers_a_condition_that_asks_for_nothing_itself() -> None:
    text = (
        "Knead the dough. Shape the dough into a loaf. Bake the loaf for thirty minutes. Tap the bottom of the loaf. "
        "If it sounds hollow, the loaf is done. Otherwise, return it to the oven for five minutes. Cool the loaf."
    )

    workflow = build(outline(text), Brief(granularity_level=5))
    decision = step_of(workflow, "Check whether it sounds hollow")

    assert titles_behind(workflow, decision) == {"unless it sounds hollow": "Return it to the oven for five minutes"}
    assert decision.next == (step_of(workflow, "Cool the loaf").id,)


def test_a_skeleton_leads_from_preparing_to_closing_with_one_decision_and_no_loop() -> None:
    workflow = skeleton("Roasting coffee", BRIEF)

    order = {step.id: place for place, step in enumerate(workflow.steps)}
    assert len(workflow.steps) >= 10
    assert check(workflow) == ()
    assert [step.title for step in workflow.steps if step.branches] == ["Decide whether the result is good enough"]
    assert all(order[to] > order[step.id] for step in workflow.steps for to in step.ways_on)


@pytest.mark.parametrize(
    ("sentence", "instruction"),
    [
        ("Then fold the dough.", Instruction("fold the dough")),
        ("In a large bowl, mix the flour and water.", Instruction("mix the flour and water")),
        ("The scribe must write a note.", Instruction("write a note", "the scribe")),
        (
            "The nurse takes a sample and sends it to the laboratory.",
            Instruction("take a sample and send it to the laboratory", "the nurse"),
        ),
        ("If it rains, close the roof.", Instruction("close the roof", condition=Condition("if", "it rains"))),
        ("Close the roof unless it is hot.", Instruction("close the roof", condition=Condition("unless", "it is hot"))),
        ("Otherwise, open the roof.", Instruction("open the roof", condition=Condition("otherwise", ""))),
        ("If necessary, close the roof.", Instruction("close the roof")),
        ("Do not open the door.", None),
        ("Water rises in the pipe.", None),
        ("The notice says what customers see.", None),
        ("Why close the roof?", None),
    ],
)
def test_a_sentence_is_read_as_the_instruction_it_gives(sentence: str, instruction: Instruction | None) -> None:
    assert read_instruction(sentence, frozenset()) == instruction


def test_commands_joined_in_one_sentence_are_told_apart_and_things_joined_are_not() -> None:
    assert commands_within("mix the flour and water, cover the bowl and wait for an hour") == [
        "mix the flour and water",
        "cover the bowl",
        "wait for an hour",
    ]


@pytest.mark.parametrize(
    ("title", "broken"),
    [
        ("What a tide is", False),
        ("Explain what the pattern depends on", False),
        ("Turn the oven off", False),
        ("The rise of the", True),
        ("The rise of", True),
        ("Turn off", True),
        ("…", True),
    ],
)
def test_a_title_is_broken_off_at_a_word_that_asks_for_another(title: str, broken: bool) -> None:
    assert is_fragment(title) is broken


def test_a_long_command_is_headed_by_what_cannot_be_left_out() -> None:
    assert headline("draw the timeline of the incident from the record, because memories of it soon fade") == (
        "draw the timeline of the incident from the record"
    )


def test_materials_leave_out_people_times_and_measures() -> None:
    materials = materials_of(["send the report to the manager within two days"])

    assert (materials.taken, materials.made) == ((), ("report",))


RAIN = (Branch(condition="if it rains", to="1.3"),)
STEPS = (
    Step(id="1.1", title="Open the door", inputs=("key",), next=("1.2",)),
    Step(id="1.2", type="decision", title="Check whether it rains", branches=RAIN, next=("1.4",)),
    Step(id="1.3", title="Take a coat", next=("1.4",)),
    Step(id="1.4", title="Leave the house"),
)
SOUND = Workflow(title="Going out", starts=("1.1",), ends=("1.4",), children=(Phase(title="Leaving", children=STEPS),))


def changed(place: int, **change: Any) -> Workflow:
    """The sound workflow with one of its steps changed."""
    steps = tuple(step.model_copy(update=change) if at == place else step for at, step in enumerate(STEPS))
    return SOUND.model_copy(update={"children": (Phase(title="Leaving", children=steps),)})


def serious(workflow: Workflow) -> list[tuple[str, str]]:
    """The codes and places of what is found, notes left out."""
    return [(finding.code, finding.path) for finding in check(workflow) if finding.severity != "info"]


def test_a_sound_workflow_has_no_finding_but_its_small_size() -> None:
    assert check(SOUND) == (
        Finding(code="unusual_size", severity="info", path="", message="The workflow has 4 steps; 10 to 25 are usual."),
    )


@pytest.mark.parametrize(
    ("workflow", "found"),
    [
        (Workflow(), [("no_steps", "")]),
        (changed(2, next=()), [("dead_end", "/children/0/children/2")]),
        (changed(0, next=("9",)), [
            ("unknown_step", "/children/0/children/0/next/0"),
            ("endless_loop", "/children/0/children/0"),
            *(("unreachable_step", f"/children/0/children/{place}") for place in (1, 2, 3)),
        ]),
        (changed(1, branches=()), [
            ("unreachable_step", "/children/0/children/2"),
            ("decision_without_branch", "/children/0/children/1"),
        ]),
        (changed(2, next=("1.3",)), [("endless_loop", "/children/0/children/2")]),
        (changed(1, branches=(Branch(condition=" ", to="1.3"),)),
         [("branch_without_condition", "/children/0/children/1/branches/0/condition")]),
        (changed(1, branches=(Branch(condition="if so", to="1.3"), Branch(condition="If so", to="1.4"))),
         [("ambiguous_branches", "/children/0/children/1/branches")]),
        (changed(3, title="Departure of the guests"), [("title_not_imperative", "/children/0/children/3/title")]),
        (changed(3, title="Open the doors"), [("near_duplicate_title", "/children/0/children/3/title")]),
        (changed(3, title=""), [("fragment_title", "/children/0/children/3/title")]),
        (SOUND.model_copy(update={"starts": ()}), [("no_start", "/starts")]),
        (SOUND.model_copy(update={"ends": ()}), [("no_end", "/ends"), ("dead_end", "/children/0/children/3")]),
        (SOUND.model_copy(update={"children": (*SOUND.children, Phase(title="Coming home"))}),
         [("empty_phase", "/children/1")]),
        (changed(0, inputs=()), [("nothing_handed_on", "")]),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_where_it_is(workflow: Workflow, found: list[tuple[str, str]]) -> None:
    assert serious(workflow) == found


def test_an_id_given_twice_is_found_at_both_steps() -> None:
    codes = [(code, path) for code, path in serious(changed(2, id="1.4")) if code == "duplicate_id"]

    assert codes == [("duplicate_id", "/children/0/children/2/id"), ("duplicate_id", "/children/0/children/3/id")]
