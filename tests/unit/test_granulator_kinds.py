"""Every kind of structure is found by its type, and keeps the same promises whatever text it is made from."""

from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.granulator_texts import BREAD, CHINESE, FLAT, FRENCH, LAMP, ONE_SENTENCE, OUTAGE, TIDES
from workers.granulator.course.structure import Course, granulate
from workers.granulator.kinds import KINDS, UnknownType, check, kind_of, parse
from workers.granulator.source.document import UnreadableText
from workers.granulator.source.outline import Outline, outline
from workers.granulator.structure import NOTICE, Brief, Element, StructureType
from workers.granulator.topic import UnusableTopic

TEXTS = [TIDES, BREAD, OUTAGE, LAMP, FLAT, FRENCH, CHINESE, ONE_SENTENCE]
MINE: list[StructureType] = ["course", "novel", "workflow"]


def count(element: Element) -> int:
    """How many elements there are below one."""
    return sum(1 + count(child) for child in element.children)


def spans(element: Element) -> set[int]:
    """The numbers of all sentences that elements below one draw on."""
    here = set(range(element.source.sentences[0], element.source.sentences[1] + 1)) if element.source else set()
    return here.union(*(spans(child) for child in element.children))


def without_rest(source: Outline) -> Outline:
    """The outline as another maker may send it: with the points of each passage only."""
    sections = tuple(
        section.model_copy(
            update={"passages": tuple(passage.model_copy(update={"rest": ()}) for passage in section.passages)}
        )
        for section in source.sections
    )
    return source.model_copy(update={"sections": sections})


def test_there_is_a_kind_for_every_structure_type_and_its_values_bear_that_type() -> None:
    assert set(KINDS) == set(get_args(StructureType))
    assert {name: kind.structure.model_fields["type"].default for name, kind in KINDS.items()} == {
        name: name for name in KINDS
    }


@pytest.mark.parametrize("name", get_args(StructureType))
def test_what_a_kind_builds_and_sketches_comes_back_from_json_unchanged(name: StructureType) -> None:
    kind = KINDS[name]

    for made in (kind.build(outline(BREAD), Brief()), kind.skeleton("Roasting coffee", Brief())):
        assert parse(made.model_dump(mode="json", by_alias=True)) == made


@pytest.mark.parametrize("name", get_args(StructureType))
def test_a_skeleton_says_that_it_is_one_and_breaks_no_rule(name: StructureType) -> None:
    made = KINDS[name].skeleton("Roasting coffee", Brief())

    assert (made.sourced, made.notice, made.type) == (False, NOTICE, name)
    assert [finding for finding in check(made) if finding.severity == "error"] == []


@pytest.mark.parametrize("name", get_args(StructureType))
@pytest.mark.parametrize("topic", ["", " \n", "123", "x" * 201])
def test_a_topic_that_cannot_stand_in_a_title_is_refused_by_every_kind(name: StructureType, topic: str) -> None:
    with pytest.raises(UnusableTopic):
        KINDS[name].skeleton(topic, Brief())


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("level", [1, 3, 5])
@pytest.mark.parametrize("most", [10, 25, 1000])
def test_no_structure_has_more_elements_than_the_brief_allows(name: StructureType, level: int, most: int) -> None:
    brief = Brief(granularity_level=level, max_elements=most)
    kind = KINDS[name]

    made = [kind.skeleton("Roasting coffee", brief), *(kind.build(outline(text), brief) for text in TEXTS)]
    assert [count(structure) for structure in made if count(structure) > most] == []


@pytest.mark.parametrize(
    ("name", "text"), [("course", TIDES), ("workflow", OUTAGE), ("workflow", TIDES), ("novel", LAMP)]
)
def test_a_higher_level_cuts_finer(name: StructureType, text: str) -> None:
    source = outline(text)

    sizes = [count(KINDS[name].build(source, Brief(granularity_level=level))) for level in range(1, 6)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] < sizes[4]


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("text", TEXTS)
def test_every_sentence_of_the_source_is_drawn_on_somewhere(name: StructureType, text: str) -> None:
    source = outline(text)

    for level in (1, 3, 5):
        made = KINDS[name].build(source, Brief(granularity_level=level))
        assert spans(made) == set(range(1, source.sentences + 1))


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("text", TEXTS)
def test_equal_outlines_and_briefs_give_equal_structures(name: StructureType, text: str) -> None:
    assert KINDS[name].build(outline(text), Brief()) == KINDS[name].build(outline(text), Brief())


@pytest.mark.parametrize("name", MINE)
def test_an_outline_that_holds_only_the_points_of_its_passages_is_enough(name: StructureType) -> None:
    source = without_rest(outline(OUTAGE))

    made = KINDS[name].build(source, Brief())
    assert spans(made) == set(range(1, source.sentences + 1))
    assert [finding for finding in check(made) if finding.severity == "error"] == []


FRAGMENTS = st.sampled_from(
    [*OUTAGE.split("\n"), *LAMP.split("\n"), *CHINESE.split("\n"), "# Part", "- Do it again.", "'"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(FRAGMENTS | st.text(max_size=40), max_size=40),
    st.sampled_from(["\n", "\n\n"]),
    st.builds(Brief, granularity_level=st.integers(1, 5), max_elements=st.integers(10, 60)),
    st.sampled_from(MINE),
)
def test_any_text_makes_a_structure_of_all_its_sentences_without_an_error_or_is_refused(
    fragments: list[str], joint: str, brief: Brief, name: StructureType
) -> None:
    with suppress(UnreadableText):
        source = outline(joint.join(fragments))
        made = KINDS[name].build(source, brief)
        assert spans(made) == set(range(1, source.sentences + 1))
        assert count(made) <= brief.max_elements
        assert [finding for finding in check(made) if finding.severity == "error"] == []


@pytest.mark.parametrize(
    ("name", "hint"), [("novle", "did you mean “novel”?"), ("song", "there are course, quiz, novel, workflow")]
)
def test_an_unknown_type_is_refused_with_the_nearest_one_or_with_all(name: str, hint: str) -> None:
    with pytest.raises(UnknownType, match="There is no structure type") as refusal:
        kind_of(name)

    assert hint in str(refusal.value)
    with pytest.raises(UnknownType):
        parse({"type": name})


def test_a_course_made_here_keeps_the_rules_of_form_and_an_empty_one_does_not() -> None:
    assert check(granulate(outline(TIDES))) == ()
    assert [finding.code for finding in check(Course())] == ["empty_structure", "durations_do_not_add_up"]


def test_a_course_at_a_low_level_joins_lessons_and_keeps_all_their_points_and_terms() -> None:
    source = outline(TIDES)

    coarse, usual = (granulate(source, Brief(granularity_level=level)) for level in (1, 3))
    points = [{point for module in course.children for lesson in module.children for point in lesson.outline}
              for course in (coarse, usual)]  # fmt: skip
    assert points[0] == points[1]
    assert all(len(module.children) >= 2 for module in coarse.children[1:])
