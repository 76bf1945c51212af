"""Any structure as a Markdown document: the tree as headings, the rest under its own name, nothing of it as markup."""

from typing import Any

import pytest

from orchestrator.cli.markdown_export import escaped, markdown

QUIZ = {
    "type": "quiz",
    "title": "Bread",
    "description": "Two questions.",
    "notice": "unsourced",
    "sourced": False,
    "provider": "offline",
    "durationMinutes": 12,
    "children": [
        {
            "type": "category",
            "id": "c1",
            "title": "Dough",
            "children": [
                {
                    "type": "question",
                    "id": "q1",
                    "title": "What rises?",
                    "stem": "What rises?",
                    "options": ["dough", "salt"],
                    "explanation": "The dough rises. Salt does not.",
                    "source": {"section": "Dough", "sentences": [1, 2]},
                    "children": [],
                }
            ],
        }
    ],
}


def lines(structure: dict[str, Any]) -> list[str]:
    return markdown(structure).splitlines()


def test_the_tree_becomes_headings_and_every_other_field_is_listed_under_its_own_name() -> None:
    assert lines(QUIZ) == [
        "# Bread (12 min)",
        "",
        "> unsourced",
        "",
        "Two questions.",
        "",
        "## Dough",
        "",
        "### What rises?",
        "",
        "- **Options:** dough · salt",
        "- **Explanation:** The dough rises. Salt does not.",
    ]


def test_an_id_that_is_referred_to_becomes_the_title_of_what_it_names() -> None:
    concepts = [
        {"title": "Rye", "id": "c1", "definition": "A grain."},
        {"title": "Grain", "id": "c2", "prerequisites": ["c1"]},
    ]

    assert lines({"title": "Map", "children": concepts})[2:] == [
        "## Rye",
        "",
        "- **Definition:** A grain.",
        "",
        "## Grain",
        "",
        "- **Prerequisites:** Rye",
    ]


def test_an_id_means_what_it_means_in_its_own_structure_and_nothing_in_another() -> None:
    course = {"title": "Course", "keyTerms": ["tide", "m1"], "children": [{"title": "Lesson", "next": "m1"}]}
    knowledge = {"title": "Map", "children": [{"title": "Tide", "id": "tide", "requires": "m1"}]}
    path = {"title": "Path", "first": "m1", "children": [{"title": "Low water", "id": "m1", "requires": "tide"}]}

    told = [line for line in lines({"title": "All", "children": [course, knowledge, path]}) if line and line[0] != "#"]

    assert told == [
        "- **Key terms:** tide · m1",
        "1. Lesson (m1)",
        "1. Tide (m1)",
        "- **First:** Low water",
        "1. Low water (tide)",
    ]


def test_a_part_with_the_title_of_the_whole_is_told_apart_by_what_it_is() -> None:
    parts = [{"type": kind, "title": "Tides", "children": [{"title": "x"}]} for kind in ("quiz", "knowledge_map")]

    headings = [line for line in lines({"type": "document", "title": "Tides", "children": parts}) if "#" in line]

    assert headings == ["# Tides", "## Quiz", "## Knowledge map"]


def test_records_are_a_table_with_a_column_for_each_field_that_one_of_them_tells() -> None:
    relations = [
        {"from": "c1", "to": "c2", "type": "is_a", "source": {"section": None}},
        {"from": "c2", "to": "c1", "type": "related_to", "evidence": "Rye | grain."},
    ]
    concepts = [{"title": "Rye", "id": "c1"}, {"title": "Grain", "id": "c2"}]

    assert lines({"title": "Map", "relations": relations, "open": "no", "children": concepts})[2:] == [
        "- **Open:** no",
        "",
        "**Relations:**",
        "",
        "| From | To | Type | Evidence |",
        "| --- | --- | --- | --- |",
        "| Rye | Grain | is a |  |",
        r"| Grain | Rye | related to | Rye \| grain. |",
        "",
        "1. Rye",
        "2. Grain",
    ]


def test_records_of_one_field_are_a_list_of_its_values() -> None:
    cast = [{"name": "Mara", "place": None}, {"name": "Edwin", "place": None}]

    assert lines({"title": "Scene", "characters": cast})[2:] == ["- **Characters:** Mara · Edwin"]


def test_sentences_and_long_lists_are_listed_one_a_line() -> None:
    structure = {"title": "Lesson", "keyPoints": ["Water boils.", "Ice melts."], "terms": ["steam" * 15, "ice" * 15]}

    assert lines(structure)[2:] == [
        "- **Key points:**",
        "  - Water boils.",
        "  - Ice melts.",
        "- **Terms:**",
        f"  - {'steam' * 15}",
        f"  - {'ice' * 15}",
    ]


def test_a_part_with_a_title_inside_a_field_has_its_fields_below_it() -> None:
    checkpoint = {"title": "Why?", "type": "question", "answer": "Because", "options": ["So it is.", "Because."]}

    assert lines({"title": "Path", "checkpoint": checkpoint})[2:] == [
        "- **Checkpoint:** Why?",
        "  - Answer: Because",
        "  - Options:",
        "    - So it is.",
        "    - Because.",
    ]


@pytest.mark.parametrize(
    "more", [{"description": "At length."}, {"notice": "!"}, {"options": ["a", "b"]}, {"goal": "x" * 200}]
)
def test_parts_are_a_numbered_list_unless_one_of_them_has_more_to_say_than_a_line(more: dict[str, Any]) -> None:
    steps: list[dict[str, Any]] = [
        {"title": "Read", "durationMinutes": 2, "activity": "read"},
        {"title": "Check", "activity": "check"},
    ]

    assert lines({"title": "Path", "children": steps})[2:] == ["1. Read (2 min; read)", "2. Check (check)"]
    assert [line for line in lines({"title": "Path", "children": [steps[0], steps[1] | more]}) if "#" in line] == [
        "# Path",
        "## Read (2 min)",
        "## Check",
    ]


def test_headings_go_no_deeper_than_markdown_has_them() -> None:
    structure: dict[str, object] = {"title": "leaf", "description": "The last."}
    for level in range(7):
        structure = {"title": f"level {level}", "children": [structure]}

    assert lines(structure)[-3] == "###### leaf"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a *bold* [link](x) <b> `code` a_b", r"a \*bold\* \[link\](x) \<b\> \`code\` a\_b"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("- no item", r"\- no item"),
        ("-5 and 3.5", "-5 and 3.5"),
        ("one\n\ntwo", "one two"),
        ("\x1b[31mred", r"\[31mred"),
        (3.5, "3.5"),
    ],
)
def test_what_a_worker_wrote_is_text_and_never_markup(text: object, told: str) -> None:
    assert escaped(text) == told
