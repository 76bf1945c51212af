"""Which template a name means, and what a request and its template make of each other."""

import pytest

from workers.granulator.commission import MismatchedTemplate, commissioned
from workers.granulator.granulations.matching import UnknownTemplate, match
from workers.granulator.granulations.templates import Template, Validation, shipped_templates
from workers.granulator.inputs import GranulateInput
from workers.granulator.structure import STRUCTURE_TYPES, Brief

SHIPPED = shipped_templates()


def a_template(name: str, structure_type: str = "course", used: int = 0) -> Template:
    return Template.model_validate(
        {"template_name": name, "structure_type": structure_type, "usage_count": used, "is_shipped": False}
    )


def meant(name: str, structure_type: str | None = None, templates: tuple[Template, ...] = SHIPPED) -> tuple[str, str]:
    found = match(templates, name, structure_type)
    return found.template.template_name, found.by


def test_every_type_has_a_shipped_template_and_the_known_ones_are_all_there() -> None:
    assert {template.structure_type for template in SHIPPED} == set(STRUCTURE_TYPES)
    assert [template.template_name for template in SHIPPED] == [
        "course_structure_v1",
        "course_structure_v2",
        "quiz_basic_v1",
        "quiz_generator_v1",
        "novel_structure_v1",
        "workflow_standard_v1",
        "knowledge_map_v1",
        "learning_path_v1",
    ]


@pytest.mark.parametrize(
    ("name", "template", "by"),
    [
        ("course_structure_v2", "course_structure_v2", "name"),
        (" Course_Structure_V2 ", "course_structure_v2", "name"),
        ("course", "course_structure_v1", "structureType"),
        ("learning_path", "learning_path_v1", "structureType"),
        ("course_v1", "course_structure_v1", "words"),
        ("course_v2", "course_structure_v2", "words"),
        ("quiz_v1", "quiz_basic_v1", "words"),
        ("basic", "quiz_basic_v1", "words"),
        ("learning-path", "learning_path_v1", "words"),
    ],
)
def test_a_name_is_the_very_one_else_a_type_else_the_likest_by_its_words(name: str, template: str, by: str) -> None:
    assert meant(name) == (template, by)


@pytest.mark.parametrize("name", ["", " ", "_", "__", "v1", "1", "structure_v1", "cours", "ours", "poem_structure_v1"])
def test_a_name_without_a_word_of_a_template_means_none(name: str) -> None:
    with pytest.raises(UnknownTemplate, match=f"^There is no template “{name}”; "):
        match(SHIPPED, name, None)


@pytest.mark.parametrize("name", ["", "_", "course_v1", "poem"])
def test_what_no_template_is_called_falls_back_to_the_type_that_is_asked_for(name: str) -> None:
    assert meant(name, "quiz") == ("quiz_basic_v1", "structureType")


def test_a_name_stands_over_the_type_that_is_asked_for() -> None:
    assert meant("quiz_basic_v1", "course") == ("quiz_basic_v1", "name")


def test_of_several_the_most_used_is_taken_and_of_those_the_first_by_name() -> None:
    templates = (a_template("b_course"), a_template("c_course", used=3), a_template("a_course"))

    assert meant("course", templates=templates) == ("c_course", "structureType")
    assert meant("some_course", templates=templates) == ("c_course", "words")
    assert meant("course", templates=(templates[0], templates[2])) == ("a_course", "structureType")


def test_more_words_in_common_weigh_more_than_use() -> None:
    templates = (a_template("sales_course", used=9), a_template("sales_training_course"))

    assert meant("training_course_for_sales", templates=templates) == ("sales_training_course", "words")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        UnknownTemplate, match=r"^There is no template “knowlege_mep”; did you mean “knowledge_map_v1”\?$"
    ):
        match(SHIPPED, "knowlege_mep", None)


def test_what_a_request_leaves_open_comes_from_its_template() -> None:
    commission = commissioned(GranulateInput(topic="Tides", template_name="quiz_generator_v1"), SHIPPED)

    assert commission.type == "quiz"
    assert commission.brief == Brief(audience="advanced learners", granularity_level=4, max_elements=120)
    assert commission.validation == Validation(enabled=True, level=3, threshold=75)


def test_what_a_request_says_stands_over_its_template() -> None:
    given = GranulateInput.model_validate(
        {
            "topic": "Tides",
            "templateName": "quiz_generator_v1",
            "targetAudience": "sailors",
            "granularityLevel": 1,
            "constraints": {"maxElements": 30},
            "validation": {"enabled": False, "threshold": 90},
        }
    )

    commission = commissioned(given, SHIPPED)

    assert commission.brief == Brief(audience="sailors", granularity_level=1, max_elements=30)
    assert commission.validation == Validation(enabled=False, level=3, threshold=90)


def test_without_a_template_the_kind_decides() -> None:
    commission = commissioned(GranulateInput(topic="Tides"), SHIPPED)

    assert (commission.type, commission.match, commission.brief) == ("course", None, Brief())
    assert commission.validation == Validation(enabled=True, level=2, threshold=70)


def test_a_template_of_another_type_than_asked_for_is_refused() -> None:
    given = GranulateInput(topic="Tides", template_name="quiz_basic_v1", structure_type="course")

    with pytest.raises(MismatchedTemplate, match="makes a quiz and not a course; leave structureType out"):
        commissioned(given, SHIPPED)
