"""Quality is measured in the structure: what makes a course worse lowers its score, and nothing is a constant."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.course.skeleton import skeleton
from workers.granulator.course.structure import Course, Node, granulate
from workers.granulator.quality.finding import Finding
from workers.granulator.quality.validation import Quality, validate
from workers.granulator.quality.yardstick import from_index, from_outline
from workers.granulator.source.outline import outline
from workers.granulator.source.terms import index_terms
from workers.granulator.structure import NOTICE

YARDSTICK = from_index(index_terms(TIDES))
COURSE = granulate(outline(TIDES))
WHOLE = validate(COURSE, YARDSTICK)
PLACES = [(row, column) for row, module in enumerate(COURSE.children) for column in range(len(module.children))]


def with_lessons(course: Course, keep: Callable[[int, int, Node], Node | None]) -> Course:
    """The course with each lesson replaced by what `keep` makes of it, and every duration summed anew."""
    modules = []
    for row, module in enumerate(course.children):
        lessons = [keep(row, column, lesson) for column, lesson in enumerate(module.children)]
        children = tuple(lesson for lesson in lessons if lesson is not None)
        minutes = sum(lesson.duration_minutes for lesson in children) if module.children else module.duration_minutes
        modules.append(module.model_copy(update={"children": children, "duration_minutes": minutes}))
    total = sum(module.duration_minutes for module in modules)
    return course.model_copy(update={"children": tuple(modules), "duration_minutes": total})


def without(*places: tuple[int, int]) -> Course:
    return with_lessons(COURSE, lambda row, column, lesson: None if (row, column) in places else lesson)


def retitled(*places: tuple[int, int], title: str) -> Course:
    return with_lessons(
        COURSE,
        lambda row, column, lesson: lesson.model_copy(update={"title": title}) if (row, column) in places else lesson,
    )


def codes(quality: Quality) -> set[str]:
    return {finding.code for finding in quality.findings}


def test_a_course_made_from_its_source_teaches_nearly_all_of_it() -> None:
    assert (WHOLE.measures["coverage"] or 0) > 0.9
    assert (WHOLE.measures["sections"], WHOLE.measures["span"]) == (1.0, 1.0)
    assert 90 < WHOLE.score < 100


def test_the_score_depends_on_the_structure_and_the_source_alone() -> None:
    assert validate(COURSE, YARDSTICK) == WHOLE


@pytest.mark.parametrize("place", PLACES)
def test_leaving_any_one_lesson_out_lowers_the_score(place: tuple[int, int]) -> None:
    assert validate(without(place), YARDSTICK).score < WHOLE.score


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PLACES), min_size=1, max_size=len(PLACES), unique=True))
def test_each_further_lesson_left_out_lowers_the_score_further(places: list[tuple[int, int]]) -> None:
    scores = [validate(without(*places[:count]), YARDSTICK).score for count in (0, len(places) // 2, len(places))]

    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < scores[0]


@pytest.mark.parametrize("place", PLACES[1:])
def test_a_title_given_twice_lowers_the_score_and_is_found(place: tuple[int, int]) -> None:
    row, column = place
    first = COURSE.children[PLACES[0][0]].children[PLACES[0][1]].title

    quality = validate(retitled(place, title=first), YARDSTICK)

    assert quality.score < WHOLE.score
    assert f"/children/{row}/children/{column}/title" in {
        finding.path for finding in quality.findings if finding.code == "near_duplicate_title"
    }


def test_the_structure_of_another_text_covers_next_to_nothing() -> None:
    quality = validate(granulate(outline(BREAD)), YARDSTICK)

    assert 0 < (quality.measures["coverage"] or 0) < 0.2
    assert quality.score < 20
    assert {"term_missing", "section_uncovered"} <= codes(quality)


def test_the_outline_and_the_index_of_one_text_measure_alike() -> None:
    by_outline = validate(COURSE, from_outline(outline(TIDES)))

    assert by_outline.score == pytest.approx(WHOLE.score, abs=1.0)


def test_an_empty_structure_scores_nothing_and_says_why() -> None:
    quality = validate(Course(), YARDSTICK)

    assert quality.score == 0.0
    assert quality.measures["coverage"] == 0.0
    assert quality.findings[0] == Finding(
        code="empty_structure", severity="error", path="", message="The structure has no lesson."
    )


def test_a_topic_alone_has_no_coverage_and_cannot_score_high() -> None:
    quality = validate(skeleton("AI Development"), None)

    assert (quality.measures["coverage"], quality.measures["sections"], quality.measures["span"]) == (None, None, None)
    assert quality.score <= quality.attainable == 40
    assert NOTICE in {finding.message for finding in quality.findings}
    assert "coverage_unmeasured" in codes(quality)


def test_durations_that_do_not_add_up_are_found_where_they_are() -> None:
    longer = COURSE.children[1].model_copy(update={"duration_minutes": COURSE.children[1].duration_minutes + 1})
    course = COURSE.model_copy(update={"children": (COURSE.children[0], longer, *COURSE.children[2:])})

    quality = validate(course, YARDSTICK)

    assert quality.score < WHOLE.score
    assert [finding.path for finding in quality.findings if finding.code == "durations_do_not_add_up"] == [
        "/durationMinutes",
        "/children/1/durationMinutes",
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"objectives": ()}, "objective_missing"),
        ({"objectives": COURSE.children[1].children[0].objectives}, "objective_repeated"),
        ({"outline": ()}, "bare_lesson"),
        ({"title": "The rise of the"}, "fragment_title"),
        ({"title": ""}, "fragment_title"),
    ],
)
def test_a_fault_of_one_lesson_lowers_the_score_and_is_found(change: dict[str, object], code: str) -> None:
    course = with_lessons(
        COURSE, lambda row, column, lesson: lesson.model_copy(update=change) if (row, column) == (4, 0) else lesson
    )

    quality = validate(course, YARDSTICK)

    assert quality.score < WHOLE.score
    assert code in codes(quality) - codes(WHOLE)


def test_a_module_of_one_lesson_and_a_module_that_outlasts_the_others_are_found() -> None:
    kept = {(1, 0), (2, 0), (3, 0)}
    course = with_lessons(COURSE, lambda row, column, lesson: lesson if row > 3 or (row, column) in kept else None)
    first = course.children[1].model_copy(update={"duration_minutes": 600})
    course = course.model_copy(update={"children": (course.children[0], first, *course.children[2:])})

    found = {(finding.code, finding.path) for finding in validate(course, YARDSTICK).findings}

    assert {("thin_module", "/children/1"), ("uneven_module", "/children/1")} <= found


def test_sentences_that_the_source_does_not_have_are_found_and_earn_nothing() -> None:
    def beyond(row: int, column: int, lesson: Node) -> Node:
        assert lesson.source is not None
        source = lesson.source.model_copy(update={"sentences": (1, 10**12)})
        return lesson.model_copy(update={"source": source})

    quality = validate(with_lessons(COURSE, beyond), YARDSTICK)

    assert quality.measures["span"] == pytest.approx(4 / 147, abs=1e-4)
    assert "source_outside_text" in codes(quality)


def test_titles_that_ask_how_and_when_may_end_as_clauses_do() -> None:
    assert "fragment_title" not in codes(WHOLE)


def test_findings_come_most_severe_first() -> None:
    order = ["error", "warning", "info"]

    severities = [order.index(finding.severity) for finding in validate(skeleton("Tides"), YARDSTICK).findings]
    assert severities == sorted(severities)
