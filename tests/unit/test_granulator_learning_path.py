"""A learning path made from a text: what must hold of every path, how it follows the source, and its faults."""

from contextlib import suppress
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.granulator_texts import BREAD, CHINESE, FLAT, FRENCH, ONE_SENTENCE, TIDES
from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.knowledge_map.build import build as build_map
from workers.granulator.language.words import words_of
from workers.granulator.learning_path.build import SIZES, build
from workers.granulator.learning_path.rules import check
from workers.granulator.learning_path.skeleton import skeleton
from workers.granulator.learning_path.structure import LearningPath, Milestone, Step
from workers.granulator.pacing import ANSWER_MINUTES, EXERCISE_MINUTES, reading_minutes
from workers.granulator.quiz.structure import Question
from workers.granulator.source.document import UnreadableText, read_document
from workers.granulator.source.outline import outline
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import UnusableTopic

TEXTS = [TIDES, BREAD, FLAT, FRENCH, CHINESE, ONE_SENTENCE]
PROSE = [TIDES, BREAD, FLAT]
BRIEF = Brief()
outlined = cache(outline)
TOPICS = ["Growing roses", "AI", "Growing old roses well", "Growing old roses on heavy clay soil in cold wet gardens"]


def steps_of(path: LearningPath) -> list[Step]:
    """All steps, in the order they are taken."""
    return [step for milestone in path.children for step in milestone.children]


def elements(path: LearningPath) -> int:
    """How many elements a path has below its root."""
    return len(path.children) + len(steps_of(path))


@pytest.fixture(scope="module")
def tides() -> LearningPath:
    return build(outlined(TIDES), BRIEF)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", [1, 3, 5])
@pytest.mark.parametrize("most", [10, 100])
def test_a_path_made_here_keeps_every_rule_within_the_brief(text: str, level: int, most: int) -> None:
    path = build(outlined(text), Brief(granularity_level=level, max_elements=most))

    assert [finding for finding in check(path) if finding.severity != "info"] == []
    assert elements(path) <= most


@pytest.mark.parametrize("text", PROSE)
@pytest.mark.parametrize("level", SIZES)
def test_a_path_has_five_milestones_and_never_fewer_steps_at_a_finer_level(text: str, level: int) -> None:
    paths = [build(outlined(text), Brief(granularity_level=at)) for at in (1, level, 5)]

    assert all(len(path.children) >= 5 for path in paths)
    assert [elements(path) for path in paths] == sorted(elements(path) for path in paths)


@pytest.mark.parametrize("text", TEXTS)
def test_a_milestone_lasts_as_long_as_its_steps_and_the_path_as_its_milestones(text: str) -> None:
    path = build(outlined(text), BRIEF)

    assert path.duration_minutes == sum(milestone.duration_minutes for milestone in path.children)
    for milestone in path.children:
        assert milestone.duration_minutes == sum(step.duration_minutes for step in milestone.children)
    assert all(step.duration_minutes > 0 for step in steps_of(path))


@pytest.mark.parametrize("text", TEXTS)
def test_every_sentence_is_read_once_and_in_the_order_of_the_text(text: str) -> None:
    source = outlined(text)
    spans = [
        step.source.sentences for step in steps_of(build(source, BRIEF)) if step.activity == "read" and step.source
    ]

    assert [number for first, last in spans for number in range(first, last + 1)] == list(
        range(1, source.sentences + 1)
    )


@pytest.mark.parametrize("text", TEXTS)
def test_every_milestone_is_read_for_practised_and_checked_in_this_order(text: str) -> None:
    order = ("read", "practise", "check")

    for milestone in build(outlined(text), BRIEF).children:
        activities = [step.activity for step in milestone.children]
        assert set(activities) == set(order)
        assert activities == sorted(activities, key=order.index)
        assert activities.count("check") == 1
        assert activities.count("practise") == len(milestone.outcomes)


@pytest.mark.parametrize("text", TEXTS)
def test_no_title_and_no_outcome_comes_twice(text: str) -> None:
    path = build(outlined(text), BRIEF)

    for texts in (
        [milestone.title for milestone in path.children],
        [step.title for step in steps_of(path)],
        [outcome for milestone in path.children for outcome in milestone.outcomes],
    ):
        assert sorted(set(texts)) == sorted(texts)


@pytest.mark.parametrize("text", TEXTS)
def test_a_milestone_requires_only_milestones_before_it(text: str) -> None:
    reached: set[str] = set()

    for milestone in build(outlined(text), BRIEF).children:
        assert set(milestone.requires) <= reached
        reached.add(milestone.id)


@pytest.mark.parametrize("text", PROSE)
def test_the_order_respects_the_prerequisites_of_the_knowledge_map(text: str) -> None:
    source = outlined(text)
    concepts = {concept.id: concept for concept in build_map(source, BRIEF).concepts}
    ends = [milestone.source.sentences[1] for milestone in build(source, BRIEF).children if milestone.source]

    def reached_at(sentence: int) -> int:
        return next(place for place, end in enumerate(ends) if sentence <= end)

    assert any(concept.prerequisites for concept in concepts.values())
    for concept in concepts.values():
        assert concept.source is not None
        for other in concept.prerequisites:
            assert reached_at(min(concepts[other].mentions)) <= reached_at(concept.source.sentences[0])


@pytest.mark.parametrize("text", TEXTS)
def test_every_checkpoint_asks_about_a_sentence_of_its_own_milestone(text: str) -> None:
    sentences = {sentence.number: sentence.text for sentence in read_document(text).sentences}
    path = build(outlined(text), BRIEF)

    for milestone in path.children:
        assert milestone.checkpoint is not None
        assert milestone.checkpoint.source is not None
        assert milestone.source is not None
        number = milestone.checkpoint.source.sentences[0]
        assert milestone.source.sentences[0] <= number <= milestone.source.sentences[1]
        assert milestone.checkpoint.explanation == sentences[number]
    stems = [milestone.checkpoint.stem for milestone in path.children if milestone.checkpoint]
    assert sorted(set(stems)) == sorted(stems)


@pytest.mark.parametrize("text", PROSE)
def test_a_path_speaks_in_words_of_the_source(text: str) -> None:
    said = set(words_of(text))

    for milestone in build(outlined(text), BRIEF).children:
        assert len(set(words_of(milestone.title)) & said) >= len(set(words_of(milestone.title))) / 2
        assert milestone.description in " ".join(text.replace("*", "").split())


def test_the_milestones_of_a_text_with_headings_are_its_sections(tides: LearningPath) -> None:
    assert [milestone.title for milestone in tides.children] == [
        "What a tide is",
        "Why there are two bulges",
        "The Sun, the Moon and the calendar",
        "How the oceans shape the tide",
        "Patterns along the coast",
        "Tidal streams",
        "When the weather joins in",
        "Predicting the tide",
        "What the tides change",
    ]


def test_a_milestone_says_what_is_learnt_how_and_for_how_long(tides: LearningPath) -> None:
    patterns = tides.children[4]

    assert patterns.outcomes[0] == "Distinguish between a semidiurnal tide, a diurnal tide and a mixed tide."
    assert [(step.activity, step.title, step.duration_minutes) for step in patterns.children] == [
        ("read", "Read “Patterns along the coast”", reading_minutes(220)),
        ("practise", patterns.outcomes[0].removesuffix("."), EXERCISE_MINUTES),
        ("practise", patterns.outcomes[1].removesuffix("."), EXERCISE_MINUTES),
        ("check", "Check yourself on “Patterns along the coast”", ANSWER_MINUTES),
    ]


def test_what_builds_on_an_earlier_part_requires_it(tides: LearningPath) -> None:
    required = {milestone.title: milestone.requires for milestone in tides.children}

    assert required["What a tide is"] == ()
    assert required["Patterns along the coast"] == ("m1",)
    assert "m2" in required["The Sun, the Moon and the calendar"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_path_depends_on_the_text_alone_and_survives_the_wire(text: str) -> None:
    path = build(outlined(text), BRIEF)

    assert build(outline(text), BRIEF) == path
    assert LearningPath.model_validate_json(path.model_dump_json(by_alias=True)) == path


def test_an_audience_is_named_and_changes_nothing_else(tides: LearningPath) -> None:
    named = build(outlined(TIDES), Brief(audience="harbour pilots"))

    assert named.description == f"{tides.description} For harbour pilots."
    assert named.children == tides.children


def test_an_outline_without_a_passage_makes_no_path() -> None:
    source = outline(ONE_SENTENCE)
    empty = source.model_copy(update={"sections": (source.sections[0].model_copy(update={"passages": ()}),)})

    with pytest.raises(EmptyOutline):
        build(empty, BRIEF)


FRAGMENTS = st.sampled_from(
    [*TIDES.split("\n"), *BREAD.split("\n"), *CHINESE.split("\n"), "# Part", "- item", "'", "…"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAGMENTS | st.text(max_size=40), max_size=40), st.integers(1, 5), st.integers(10, 60))
def test_any_text_makes_a_path_without_a_fault_or_is_refused(fragments: list[str], level: int, most: int) -> None:
    with suppress(UnreadableText):
        path = build(outline("\n\n".join(fragments)), Brief(granularity_level=level, max_elements=most))
        assert [finding for finding in check(path) if finding.severity == "error"] == []
        assert elements(path) <= most


def test_a_topic_alone_makes_a_scaffold_that_says_what_it_is() -> None:
    path = skeleton("Growing  roses", BRIEF)

    assert (path.title, path.sourced, path.notice) == ("Growing roses", False, NOTICE)
    assert [milestone.requires for milestone in path.children] == [(), ("m1",), ("m2",), ("m3",), ("m4",)]
    assert {milestone.checkpoint for milestone in path.children} == {None}
    assert check(path) == ()


def test_a_scaffold_obeys_the_brief_and_refuses_what_is_no_topic() -> None:
    small = skeleton("Growing roses", Brief(max_elements=10))

    assert elements(small) == 8
    assert [finding.code for finding in check(small)] == ["unusual_size"]
    with pytest.raises(UnusableTopic):
        skeleton("123", BRIEF)


QUESTION = Question(id="q1", stem="What floats?", options=("A boat", "A stone", "A nail"), answer="A boat")


def milestone(id_: str, *requires: str, **given: object) -> Milestone:
    """A sound milestone of one step for each activity, unless something else is given."""
    steps = tuple(
        Step(activity=activity, title=f"{activity} {id_}", duration_minutes=2)
        for activity in ("read", "practise", "check")
    )
    sound = Milestone.model_validate(
        {
            "id": id_,
            "title": f"Reach {id_}",
            "outcomes": (f"Name {id_}.",),
            "requires": requires,
            "durationMinutes": 6,
            "checkpoint": QUESTION,
            "source": {"section": None, "sentences": (1, 2)},
            "children": steps,
        }
    )
    return sound.model_copy(update=given)


def path_of(*milestones: Milestone, sourced: bool = True) -> LearningPath:
    """A path whose duration adds up."""
    minutes = sum(milestone.duration_minutes for milestone in milestones)
    return LearningPath(title="Boats", sourced=sourced, duration_minutes=minutes, children=milestones)


IDLE = Step(activity="read", title="read again", duration_minutes=0)
WRONG = QUESTION.model_copy(update={"answer": "A cork"})

FAULTS = {
    "empty_structure": (path_of(), ""),
    "durations_do_not_add_up": (path_of(milestone("keel", duration_minutes=7)), "/children/0/durationMinutes"),
    "duration_missing": (path_of(milestone("keel", children=(IDLE,))), "/children/0/children/0/durationMinutes"),
    "id_repeated": (path_of(milestone("keel"), milestone("keel")), "/children/1/id"),
    "reference_dangling": (path_of(milestone("keel", "hull")), "/children/0/requires/0"),
    "requires_later": (path_of(milestone("keel", "mast"), milestone("mast")), "/children/0/requires/0"),
    "requirements_circular": (path_of(milestone("keel", "mast"), milestone("mast", "keel")), "/children/0/requires"),
    "near_duplicate_title": (path_of(milestone("keel"), milestone("mast", title="Reach keels")), "/children/1/title"),
    "fragment_title": (path_of(milestone("keel", title="The keel of the")), "/children/0/title"),
    "outcome_missing": (path_of(milestone("keel", outcomes=())), "/children/0/outcomes"),
    "outcome_repeated": (
        path_of(milestone("keel"), milestone("mast", outcomes=("Name keel.",))),
        "/children/1/outcomes/0",
    ),
    "milestone_without_steps": (path_of(milestone("keel", children=())), "/children/0"),
    "check_missing": (path_of(milestone("keel", children=milestone("keel").children[:2])), "/children/0"),
    "nothing_to_learn": (path_of(milestone("keel", children=milestone("keel").children[2:])), "/children/0"),
    "checkpoint_missing": (path_of(milestone("keel", checkpoint=None)), "/children/0/checkpoint"),
    "answer_not_one_option": (path_of(milestone("keel", checkpoint=WRONG)), "/children/0/checkpoint/options"),
    "source_missing": (path_of(milestone("keel", source=None)), "/children/0/source"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_the_rules_find_a_planted_fault_at_its_place(code: str) -> None:
    spoilt, path = FAULTS[code]

    assert [finding.code for finding in check(path_of(milestone("keel"), milestone("mast", "keel")))] == [
        "unusual_size"
    ]
    assert path in [finding.path for finding in check(spoilt) if finding.code == code]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_scaffold_for_any_topic_keeps_the_rules_and_cites_nothing(topic: str) -> None:
    made = skeleton(topic, BRIEF)

    tolerated = {"unusual_size", "answer_missing"}
    assert {finding.code for finding in check(made)} <= tolerated
    assert {child.source for child in made.children} == {None}
