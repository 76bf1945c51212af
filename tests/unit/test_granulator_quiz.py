"""A quiz made from a text: what must hold of every quiz, what its questions are, and which faults its rules find."""

from collections import Counter
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.granulator_texts import BREAD, CHINESE, FLAT, FRENCH, ONE_SENTENCE, TIDES
from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.language.words import words_of
from workers.granulator.quality.title_rules import Titled, near_duplicates
from workers.granulator.quiz.build import SIZES, build
from workers.granulator.quiz.rules import check
from workers.granulator.quiz.skeleton import skeleton
from workers.granulator.quiz.structure import Category, Question, Quiz
from workers.granulator.source.document import UnreadableText, read_document
from workers.granulator.source.outline import outline
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import UnusableTopic

TEXTS = [TIDES, BREAD, FLAT, FRENCH, CHINESE, ONE_SENTENCE]
PROSE = [TIDES, BREAD, FLAT]
BRIEF = Brief()
outlined = cache(outline)
TOPICS = ["Growing roses", "AI", "Growing old roses well", "Growing old roses on heavy clay soil in cold wet gardens"]


def questions_of(quiz: Quiz) -> list[Question]:
    """All questions, in reading order."""
    return [question for category in quiz.children for question in category.children]


def sentences_of(text: str) -> dict[int, str]:
    """The sentences of a text by number."""
    return {sentence.number: sentence.text for sentence in read_document(text).sentences}


def elements(quiz: Quiz) -> int:
    """How many elements a quiz has below its root."""
    return len(quiz.children) + len(questions_of(quiz))


@pytest.fixture(scope="module")
def tides() -> Quiz:
    return build(outlined(TIDES), BRIEF)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", [1, 3, 5])
@pytest.mark.parametrize("most", [10, 100])
def test_a_quiz_made_here_keeps_every_rule_within_the_brief(text: str, level: int, most: int) -> None:
    quiz = build(outlined(text), Brief(granularity_level=level, max_elements=most))

    assert [finding for finding in check(quiz) if finding.severity != "info"] == []
    assert elements(quiz) <= most


@pytest.mark.parametrize("text", TEXTS)
def test_every_answer_is_one_of_the_options_or_the_question_is_open(text: str) -> None:
    questions = questions_of(build(outlined(text), BRIEF))

    assert [item.options.count(item.answer) for item in questions] == [int(item.form != "open") for item in questions]
    assert all(3 <= len(item.options) <= 4 for item in questions if item.form != "open")


@pytest.mark.parametrize("text", TEXTS)
def test_every_question_quotes_the_sentence_that_it_names(text: str) -> None:
    sentences = sentences_of(text)

    for question in questions_of(build(outlined(text), BRIEF)):
        assert question.source is not None
        first, last = question.source.sentences
        assert (first, question.explanation) == (last, sentences[first])


@pytest.mark.parametrize("text", PROSE)
def test_a_gap_filled_with_its_answer_is_the_sentence_and_with_no_other_option(text: str) -> None:
    sentences = set(sentences_of(text).values())

    gaps = [item for item in questions_of(build(outlined(text), BRIEF)) if item.form in ("cloze", "number")]
    assert gaps
    for question in gaps:
        gapped = question.stem.partition("“")[2].removesuffix("”")
        filled = {option: gapped.replace("______", option, 1).casefold() for option in question.options}
        assert filled.pop(question.answer) == question.explanation.casefold()
        assert not {text.casefold() for text in sentences} & set(filled.values())


@pytest.mark.parametrize("text", PROSE)
def test_no_distractor_stands_in_the_sentence_or_holds_the_answer(text: str) -> None:
    for question in questions_of(build(outlined(text), BRIEF)):
        if question.form not in ("cloze", "term"):
            continue
        answer, said = set(words_of(question.answer)), words_of(question.explanation)
        for option in set(question.options) - {question.answer}:
            words = words_of(option)
            assert not set(words) <= answer, (option, question.answer)
            assert not answer <= set(words), (option, question.answer)
            assert words not in [said[start : start + len(words)] for start in range(len(said))], option


@pytest.mark.parametrize("text", PROSE)
def test_terms_and_numbers_among_the_options_come_from_the_source(text: str) -> None:
    said = words_of(text)
    runs = {said[start : start + length] for start in range(len(said)) for length in range(1, 6)}

    short = [item for item in questions_of(build(outlined(text), BRIEF)) if item.form in ("cloze", "term", "number")]
    assert [option for item in short for option in item.options if words_of(option) not in runs] == []


@pytest.mark.parametrize("text", TEXTS)
def test_every_section_lies_in_a_category_and_no_sentence_in_two(text: str) -> None:
    source = outlined(text)

    spans = [category.source.sentences for category in build(source, BRIEF).children if category.source]
    assert [number for first, last in spans for number in range(first, last + 1)] == list(
        range(1, source.sentences + 1)
    )


def test_every_section_of_a_text_is_asked_about_where_there_is_room() -> None:
    source = outlined(TIDES)
    asked = {item.source.section for item in questions_of(build(source, BRIEF)) if item.source}

    assert asked == {section.heading for section in source.sections}


@pytest.mark.parametrize("level", SIZES)
def test_a_long_text_gets_fifteen_to_fifty_questions_and_more_at_a_finer_level(level: int) -> None:
    source = outlined(TIDES)
    counts = [len(questions_of(build(source, Brief(granularity_level=at)))) for at in (1, level, 5)]

    assert counts == sorted(counts)
    assert all(15 <= count <= 50 for count in counts)


@pytest.mark.parametrize("text", PROSE)
def test_two_fifths_of_the_questions_are_easy_and_about_one_in_seven_is_hard(text: str) -> None:
    questions = questions_of(build(outlined(text), BRIEF))

    times = Counter(question.difficulty for question in questions)
    shares = [times[difficulty] / len(questions) for difficulty in ("easy", "medium", "hard")]
    assert shares == pytest.approx([0.40, 0.45, 0.15], abs=1 / len(questions))


def test_what_only_asks_to_recall_a_term_is_never_harder_than_judging_a_statement(tides: Quiz) -> None:
    grades = {"easy": 1, "medium": 2, "hard": 3}
    of_form = {form: [grades[item.difficulty] for item in questions_of(tides) if item.form == form] for form in FORMS}

    assert max(of_form["term"]) <= min(of_form["statement"])


FORMS = ("term", "cloze", "number", "consequence", "reason", "statement")


def test_a_quiz_asks_in_many_forms(tides: Quiz) -> None:
    forms = Counter(question.form for question in questions_of(tides))

    assert set(FORMS) <= set(forms)
    assert max(forms.values()) <= len(questions_of(tides)) / 2


def test_right_answers_are_spread_over_all_places(tides: Quiz) -> None:
    places = Counter(item.options.index(item.answer) for item in questions_of(tides) if len(item.options) == 4)

    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) <= 0.4 * sum(places.values())


def test_the_categories_of_a_text_with_headings_are_its_sections(tides: Quiz) -> None:
    assert [category.title for category in tides.children] == [
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


def test_a_definition_is_asked_for_by_its_words(tides: Quiz) -> None:
    asked = {item.stem: item.answer for item in questions_of(tides) if item.form == "term"}

    assert asked["Which term means “the strip of shore between high and low water”?"] == "intertidal zone"


def test_a_reason_is_asked_for_among_the_reasons_of_other_things() -> None:
    questions = questions_of(build(outlined(BREAD), BRIEF))
    question = next(item for item in questions if item.form == "reason" and "overproved" in item.stem)

    assert question.stem == "Which reason does the text give for this: “An overproved loaf collapses”?"
    assert question.answer == "The gluten can no longer hold the gas"
    assert "Salt tightens the gluten and slows the yeast" in question.options


@pytest.mark.parametrize("text", PROSE)
def test_exactly_one_statement_of_a_choice_stands_in_the_text(text: str) -> None:
    sentences = set(sentences_of(text).values())

    choices = [item for item in questions_of(build(outlined(text), BRIEF)) if item.form == "statement"]
    assert choices
    assert [[option for option in item.options if option in sentences] for item in choices] == [
        [item.answer] for item in choices
    ]


def test_an_article_does_not_give_the_answer_away() -> None:
    vowels = ("a", "e", "i", "o", "u")
    gapped = [item for item in questions_of(build(outlined(TIDES), BRIEF)) if item.form == "cloze"]

    after_a = [item for item in gapped if " a ______" in item.stem.lower() or "“a ______" in item.stem.lower()]
    assert after_a
    assert [option for item in after_a for option in item.options if option.startswith(vowels)] == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_quiz_depends_on_the_text_alone_and_survives_the_wire(text: str) -> None:
    quiz = build(outlined(text), BRIEF)

    assert build(outline(text), BRIEF) == quiz
    assert Quiz.model_validate_json(quiz.model_dump_json(by_alias=True)) == quiz


def test_an_audience_is_named_and_changes_nothing_else(tides: Quiz) -> None:
    named = build(outlined(TIDES), Brief(audience="harbour pilots"))

    assert named.description == f"{tides.description} For harbour pilots."
    assert named.children == tides.children


def test_an_outline_without_a_passage_makes_no_quiz() -> None:
    source = outline(ONE_SENTENCE)
    empty = source.model_copy(update={"sections": (source.sections[0].model_copy(update={"passages": ()}),)})

    with pytest.raises(EmptyOutline):
        build(empty, BRIEF)


FRAGMENTS = st.sampled_from(
    [*TIDES.split("\n"), *BREAD.split("\n"), *CHINESE.split("\n"), "# Part", "- item", "'", "…"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAGMENTS | st.text(max_size=40), max_size=40), st.integers(1, 5), st.integers(10, 60))
def test_any_text_makes_a_quiz_without_a_fault_or_is_refused(fragments: list[str], level: int, most: int) -> None:
    with suppress(UnreadableText):
        quiz = build(outline("\n\n".join(fragments)), Brief(granularity_level=level, max_elements=most))
        assert [finding for finding in check(quiz) if finding.severity == "error"] == []
        assert elements(quiz) <= most


def test_a_topic_alone_makes_open_questions_that_say_what_they_are() -> None:
    quiz = skeleton("Growing  roses", BRIEF)

    assert (quiz.title, quiz.sourced, quiz.notice) == ("Growing roses", False, NOTICE)
    assert {(item.form, item.answer, item.explanation) for item in questions_of(quiz)} == {("open", "", "")}
    assert {finding.code for finding in check(quiz)} == {"unusual_size", "answer_missing"}
    assert {finding.severity for finding in check(quiz)} == {"info", "warning"}
    assert near_duplicates([Titled(item.stem, item.id) for item in questions_of(quiz)]) == []


def test_a_scaffold_obeys_the_brief_and_refuses_what_is_no_topic() -> None:
    assert elements(skeleton("Growing roses", Brief(max_elements=10))) == 10
    with pytest.raises(UnusableTopic):
        skeleton("123", BRIEF)


SOUND = Question(
    id="q1",
    form="cloze",
    stem="What completes the sentence? “The ______ raises the tide.”",
    options=("Moon", "wind", "river", "harbour"),
    answer="Moon",
    explanation="The Moon raises the tide.",
)

FAULTS = {
    "stem_missing": {"stem": " "},
    "answer_missing": {"answer": ""},
    "option_count": {"options": ("Moon", "wind")},
    "answer_not_one_option": {"answer": "Sun"},
    "options_alike": {"options": ("Moon", "wind", "The winds", "wind.")},
    "option_empty": {"options": ("Moon", "wind", "", "river")},
    "explanation_missing": {"explanation": ""},
    "answer_given_away": {"stem": "What completes the sentence? “The ______ raises the tide of the Moon.”"},
    "distractor_in_sentence": {"options": ("Moon", "wind", "tide", "harbour")},
}


def quiz_of(*questions: Question, sourced: bool = True) -> Quiz:
    """A quiz of one category with these questions."""
    return Quiz(title="Tides", sourced=sourced, children=(Category(id="c1", title="Tides", children=questions),))


@pytest.mark.parametrize(("code", "fault"), FAULTS.items())
def test_the_rules_find_a_planted_fault_at_its_place(code: str, fault: dict[str, object]) -> None:
    spoilt = SOUND.model_copy(update=fault)

    assert code not in {finding.code for finding in check(quiz_of(SOUND))}
    found = [finding for finding in check(quiz_of(spoilt)) if finding.code == code]
    assert found
    assert all(finding.path.startswith("/children/0/children/0") for finding in found)


def test_the_rules_find_the_same_question_and_the_same_id_twice() -> None:
    codes = [(finding.code, finding.path) for finding in check(quiz_of(SOUND, SOUND))]

    assert ("id_repeated", "/children/0/children/1/id") in codes
    assert ("questions_alike", "/children/0/children/1/stem") in codes


def test_the_rules_find_a_quiz_without_questions_and_a_category_without_any() -> None:
    empty = Quiz(title="Tides", children=(Category(id="c1", title="Tides"),))

    assert [(finding.code, finding.path) for finding in check(empty)] == [
        ("empty_structure", ""),
        ("empty_category", "/children/0"),
    ]


def test_the_rules_find_answers_that_all_stand_first_and_questions_that_are_all_hard(tides: Quiz) -> None:
    spoilt = [
        item.model_copy(
            update={
                "options": (item.answer, *(option for option in item.options if option != item.answer)),
                "difficulty": "hard",
            }
        )
        for item in questions_of(tides)
    ]

    codes = [finding.code for finding in check(quiz_of(*spoilt))]
    assert codes.count("answers_at_one_place") == 1
    assert codes.count("difficulty_mix") == 3


def test_a_question_without_a_title_stands_under_what_it_asks() -> None:
    assert Question.model_validate({"id": "q1", "stem": "Why?"}).title == "Why?"


@pytest.mark.parametrize("topic", TOPICS)
def test_a_scaffold_for_any_topic_keeps_the_rules_and_cites_nothing(topic: str) -> None:
    made = skeleton(topic, BRIEF)

    tolerated = {"unusual_size", "answer_missing"}
    assert {finding.code for finding in check(made)} <= tolerated
    assert {child.source for child in made.children} == {None}
