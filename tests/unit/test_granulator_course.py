"""A course made from a text: what must hold of every course, and what the shipped example must look like."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.course.arrangement import MOST_MODULE_LESSONS, EmptyOutline
from workers.granulator.course.skeleton import skeleton
from workers.granulator.course.structure import Course, Node, granulate
from workers.granulator.course.title_index import NEAR_DUPLICATE, jaccard, title_words
from workers.granulator.course.titles import TitleRegister
from workers.granulator.language.english import CLOSED_CLASSES, Tag
from workers.granulator.language.words import words_of
from workers.granulator.pacing import reading_minutes, study_minutes
from workers.granulator.source.document import UnreadableText
from workers.granulator.source.outline import Outline, outline
from workers.granulator.structure import NOTICE
from workers.granulator.topic import UnusableTopic

FLAT = "\n\n".join(line for line in TIDES.splitlines() if line and not line.startswith("#"))
FRENCH = (
    "La marée\n\nLa marée est la variation de la hauteur du niveau des mers, causée par la Lune et par le Soleil. "
    "Le marnage est la différence de hauteur entre la pleine mer et la basse mer.\n\n"
    "Les vives-eaux\n\nLors de la pleine lune, la Terre, le Soleil et la Lune sont alignés. Les marées sont fortes."
)
CHINESE = "潮汐是海水的周期性运动。月球的引力是主要原因。\n\n大潮发生在新月和满月。此时太阳、地球和月球在一条直线上。"
ONE_SENTENCE = "The cat sat on the mat and purred."
TEXTS = [TIDES, BREAD, FLAT, FRENCH, CHINESE, ONE_SENTENCE]


def walk(course: Course) -> Iterator[Node]:
    """Every node below the course, parents before their children."""
    pending = list(course.children)
    while pending:
        node = pending.pop(0)
        yield node
        pending = [*node.children, *pending]


def taught_sentences(course: Course) -> list[int]:
    """The numbers of the sentences that the nodes draw on, as often as they do."""
    ranges = [node.source.sentences for node in walk(course) if node.source]
    return [number for first, last in ranges for number in range(first, last + 1)]


@pytest.fixture(scope="module")
def tides() -> Course:
    return granulate(outline(TIDES))


@pytest.mark.parametrize("text", TEXTS)
def test_every_sentence_of_the_source_is_taught_exactly_once(text: str) -> None:
    source = outline(text)

    assert taught_sentences(granulate(source)) == list(range(1, source.sentences + 1))


@pytest.mark.parametrize("text", TEXTS)
def test_parents_last_as_long_as_their_children_together(text: str) -> None:
    course = granulate(outline(text))

    parents = [(node.duration_minutes, node.children) for node in walk(course) if node.children]
    parents.append((course.duration_minutes, course.children))
    assert [minutes for minutes, _ in parents] == [
        sum(child.duration_minutes for child in children) for _, children in parents
    ]
    assert all(node.duration_minutes > 0 for node in walk(course))


@pytest.mark.parametrize("text", TEXTS)
def test_no_two_titles_are_nearly_alike(text: str) -> None:
    titles = [node.title for node in walk(granulate(outline(text)))]

    likenesses = {
        (title, other): jaccard(title_words(title), title_words(other))
        for index, title in enumerate(titles)
        for other in titles[:index]
    }
    assert {pair: likeness for pair, likeness in likenesses.items() if likeness >= NEAR_DUPLICATE} == {}


@pytest.mark.parametrize("text", TEXTS)
def test_every_part_has_an_objective_that_no_other_part_has(text: str) -> None:
    objectives = [node.objectives for node in walk(granulate(outline(text)))]

    flat = [objective for given_here in objectives for objective in given_here]
    assert all(objectives)
    assert sorted(flat) == sorted(set(flat))


@pytest.mark.parametrize("text", [TIDES, BREAD, FLAT])
def test_every_title_is_in_words_of_the_source_and_ends_on_none_that_asks_for_more(text: str) -> None:
    source = set(words_of(text))
    never_last = {Tag.DETERMINER, Tag.CONJUNCTION, Tag.TO, Tag.MODAL}

    for node in walk(granulate(outline(text))):
        words = title_words(node.title.removeprefix("Overview: "))
        last = words_of(node.title)[-1]
        assert words <= source | {"why", "how", "when", "what"}, node.title
        assert CLOSED_CLASSES.get(last) not in never_last, node.title


@pytest.mark.parametrize("text", [TIDES, BREAD, FLAT])
def test_every_point_is_a_sentence_of_the_source_word_for_word(text: str) -> None:
    source = " ".join(text.replace("*", "").split())

    points = [point for node in walk(granulate(outline(text))) for point in node.outline]
    assert [point for point in points if point not in source] == []


@pytest.mark.parametrize("text", [TIDES, BREAD, FLAT])
def test_objectives_are_whole_sentences_that_open_with_what_the_learner_does(text: str) -> None:
    verbs = (
        *("Define", "Explain", "Compare", "Distinguish", "Describe", "Recall", "Show", "Predict", "Summarise"),
        *("Give an account of", "List", "Answer", "Use"),
    )

    course = granulate(outline(text))
    objectives = [*course.objectives, *(objective for node in walk(course) for objective in node.objectives)]
    assert [text for text in objectives if not text.startswith(verbs) or text[-1] not in ".”"] == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_course_depends_on_the_text_alone(text: str) -> None:
    assert granulate(outline(text)) == granulate(outline(text))


def test_the_modules_of_a_text_with_headings_are_its_sections(tides: Course) -> None:
    assert [node.title for node in tides.children] == [
        "Overview: How tides work",
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


def test_a_lesson_is_titled_by_its_subsection_or_by_what_it_says(tides: Course) -> None:
    lessons = {module.title: [lesson.title for lesson in module.children] for module in tides.children}

    assert lessons["The Sun, the Moon and the calendar"] == ["Spring tides and neap tides", "Distance and declination"]
    assert lessons["Patterns along the coast"][0] == "Semidiurnal, diurnal and mixed tides"
    assert lessons["How the oceans shape the tide"][0] == "Why the equilibrium theory cannot be the whole story"


def test_a_lesson_says_what_it_teaches_from_where_and_for_how_long(tides: Course) -> None:
    lesson = tides.children[3].children[0]

    assert lesson.source is not None
    assert (lesson.type, lesson.source.section) == ("lesson", "Spring tides and neap tides")
    assert "Compare spring tides with neap tides." in lesson.objectives
    assert {"spring tides", "neap tides"} <= set(lesson.key_terms)
    assert lesson.duration_minutes == study_minutes(228, len(lesson.objectives))


def test_the_text_before_the_first_heading_is_the_overview(tides: Course) -> None:
    overview = tides.children[0]

    assert overview.source is not None
    assert (overview.type, overview.source.sentences, overview.children) == ("overview", (1, 4), ())


def test_an_opening_of_several_passages_is_one_overview() -> None:
    paragraph = " ".join(["The sea rises and falls twice a day on most coasts."] * 10)
    course = granulate(outline(f"{paragraph}\n\n{paragraph}\n\n## Tides\n\n{paragraph}"))

    assert next((node.type, node.source.sentences) for node in walk(course) if node.source) == ("overview", (1, 20))


def test_an_introduction_opens_the_course_and_is_no_module() -> None:
    course = granulate(outline(BREAD))

    assert [node.title for node in course.children] == [
        "Overview: Bread fermentation",
        "What yeast does",
        "Gluten and structure",
        "Sourdough",
        "Proving and baking",
    ]


def test_a_text_without_headings_is_cut_into_modules_by_its_words() -> None:
    modules = granulate(outline(FLAT)).children[1:]

    assert len(modules) > 4
    assert all(1 <= len(module.children) <= MOST_MODULE_LESSONS for module in modules)


def test_a_small_section_is_joined_to_a_neighbour_and_keeps_its_heading_on_its_lesson() -> None:
    long = " ".join(["The sea rises and falls twice a day on most coasts."] * 12)
    short = "A bore is a wave that runs up a river in a few places of the world."
    text = f"## Tides\n{long}\n\n## Bores\n{short}\n\n## Ebb\n{long}"

    modules = granulate(outline(text)).children[1:]

    assert [module.title for module in modules] == ["Tides", "Ebb"]
    assert "Bores" in [lesson.title for module in modules for lesson in module.children]


def test_a_section_of_many_lessons_is_split_into_modules_that_share_its_heading() -> None:
    text = f"# Book\n\n## The sea\n\n{FLAT}\n\n## The end\n\n{' '.join(['The sea stays where it is for ever.'] * 20)}"

    modules = granulate(outline(text)).children[1:]

    assert all(len(module.children) <= MOST_MODULE_LESSONS for module in modules)
    assert sum(module.title.startswith("The sea: ") for module in modules) > 1


def test_headings_that_come_again_are_told_apart() -> None:
    chapters = [f"## Examples\n\n{paragraph}" for paragraph in FLAT.split("\n\n")[:4]]

    modules = granulate(outline("\n\n".join(chapters))).children[1:]

    assert modules[0].title == "Examples"
    assert all(module.title.startswith("Examples: ") for module in modules[1:])


def test_a_long_text_becomes_longer_lessons_and_not_ever_more_of_them() -> None:
    lessons = [node for node in walk(granulate(outline("\n\n".join([FLAT] * 10)))) if node.type == "lesson"]

    assert len(lessons) < 200


FRAGMENTS = st.sampled_from(
    [
        *TIDES.split("\n"),
        *BREAD.split("\n"),
        *CHINESE.split("\n"),
        "# Part",
        "## “",
        "- item",
        "When it rains,",
        "'",
        "…",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAGMENTS | st.text(max_size=40), max_size=40), st.sampled_from(["\n", "\n\n"]))
def test_any_text_makes_a_course_of_all_its_sentences_or_is_refused(fragments: list[str], joint: str) -> None:
    with suppress(UnreadableText):
        source = outline(joint.join(fragments))
        course = granulate(source)
        titles = [node.title.casefold() for node in walk(course)]
        assert taught_sentences(course) == list(range(1, source.sentences + 1))
        assert sorted(titles) == sorted(set(titles))


def test_an_outline_without_a_passage_makes_no_course() -> None:
    source = outline(ONE_SENTENCE)
    empty = source.model_copy(update={"sections": (source.sections[0].model_copy(update={"passages": ()}),)})

    with pytest.raises(EmptyOutline):
        granulate(empty)


def test_an_outline_passes_over_the_wire_unchanged() -> None:
    source = outline(TIDES)

    assert Outline.model_validate_json(source.model_dump_json(by_alias=True)) == source


def test_an_outline_tells_the_key_sentences_of_a_section() -> None:
    section = outline(TIDES).sections[1]

    assert section.heading == "What a tide is"
    assert section.key_sentences[0] == (
        "A tide is the regular rise and fall of the sea caused by the gravity of the Moon and the Sun."
    )
    assert len(section.key_sentences) == 3


def test_a_topic_alone_makes_a_scaffold_that_says_what_it_is() -> None:
    course = skeleton("AI  Development")

    assert (course.title, course.sourced, course.notice) == ("AI Development", False, NOTICE)
    assert [node.title for node in course.children] == [
        "Overview: AI Development",
        "Foundations of AI Development",
        "The parts of AI Development",
        "AI Development in practice",
        "Review of AI Development",
    ]
    assert [node.outline for node in walk(course) if node.outline] == []
    assert course.duration_minutes == sum(child.duration_minutes for child in course.children)


def test_a_long_topic_still_gives_titles_that_can_be_told_apart() -> None:
    titles = [
        title_words(node.title) for node in walk(skeleton("Growing old roses on heavy clay soil in cold wet gardens"))
    ]

    assert all(jaccard(a, b) < NEAR_DUPLICATE for index, a in enumerate(titles) for b in titles[:index])


@pytest.mark.parametrize("topic", ["", "  ", "123", "x" * 201])
def test_a_topic_that_cannot_head_a_course_is_refused(topic: str) -> None:
    with pytest.raises(UnusableTopic):
        skeleton(topic)


def test_a_register_gives_each_title_once_and_numbers_what_it_cannot_tell_apart() -> None:
    register = TitleRegister()

    titles = [register.claim(["Spring tides", "Neap tides"]) for _ in range(4)]

    assert titles == ["Spring tides", "Neap tides", "Neap tides (2)", "Neap tides (3)"]


def test_even_a_title_too_long_for_a_number_to_tell_apart_is_given_once() -> None:
    register = TitleRegister()
    long = "How the long wave of the tide runs up a narrow estuary against the stream of its river"

    assert [register.claim([long]) for _ in range(3)] == [long, f"{long} (2)", f"{long} (3)"]


def test_time_is_reading_at_a_measured_pace_and_an_exercise_for_each_objective() -> None:
    assert [reading_minutes(words) for words in (0, 1, 238, 239)] == [0, 1, 1, 2]
    assert [study_minutes(238, 2), study_minutes(0, 0)] == [7, 1]
