"""Any structure as a Markdown document: the tree as headings, the rest under its own name, nothing of it as markup."""

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


def test_the_tree_becomes_headings_and_every_other_field_stands_under_its_own_name() -> None:
    assert markdown(QUIZ).splitlines() == [
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
        "**Options:** dough · salt",
        "",
        "**Explanation:** The dough rises. Salt does not.",
    ]


def test_an_id_that_is_referred_to_becomes_the_title_of_what_it_names() -> None:
    structure = {
        "title": "Map",
        "relations": [{"from": "c1", "to": "c2", "type": "is_a", "evidence": "Rye is a grain."}],
        "children": [{"title": "Rye", "id": "c1"}, {"title": "Grain", "id": "c2", "prerequisites": ["c1"]}],
    }

    assert markdown(structure).splitlines() == [
        "# Map",
        "",
        "**Relations:**",
        "",
        "- From: Rye; To: Grain; Type: is a; Evidence: Rye is a grain.",
        "",
        "## Rye",
        "",
        "## Grain",
        "",
        "**Prerequisites:** Rye",
    ]


def test_sentences_and_long_lists_are_listed_one_a_line() -> None:
    structure = {"title": "Lesson", "keyPoints": ["Water boils.", "Ice melts."], "terms": ["steam" * 15, "ice" * 15]}

    assert markdown(structure).splitlines()[2:] == [
        "**Key points:**",
        "",
        "- Water boils.",
        "- Ice melts.",
        "",
        "**Terms:**",
        "",
        f"- {'steam' * 15}",
        f"- {'ice' * 15}",
    ]


def test_a_part_with_a_title_inside_a_field_is_told_on_one_line() -> None:
    structure = {"title": "Path", "checkpoint": {"title": "Why?", "type": "question", "answer": "Because"}}

    assert markdown(structure).splitlines()[2] == "**Checkpoint:** Why? (Answer: Because)"


def test_headings_go_no_deeper_than_markdown_has_them() -> None:
    structure: dict[str, object] = {"title": "leaf"}
    for level in range(7):
        structure = {"title": f"level {level}", "children": [structure]}

    assert markdown(structure).splitlines()[-1] == "###### leaf"


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
