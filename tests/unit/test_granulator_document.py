"""Reading a text: which lines are headings, where sentences end, and what is no text at all."""

import pytest

from workers.granulator.language.tokens import count_words, split_sentences, tokenize
from workers.granulator.source.document import Document, UnreadableText, read_document

PROSE = "The sea rises and falls twice a day on most of the coasts of the world."


def shape(document: Document) -> list[tuple[str | None, int, int]]:
    """Heading, level and number of sentences of each section."""
    return [(section.heading, section.level, len(section.sentences)) for section in document.sections]


def test_markdown_headings_make_sections_and_a_lone_top_heading_is_the_title() -> None:
    document = read_document(
        f"# Tides\n{PROSE}\n\n## Causes\n{PROSE} {PROSE}\n### The Moon\n{PROSE}\n## Effects\n{PROSE}\n"
    )

    assert document.title == "Tides"
    assert shape(document) == [(None, 1, 1), ("Causes", 1, 2), ("The Moon", 2, 1), ("Effects", 1, 1)]


def test_a_given_title_stands_over_the_title_of_the_text() -> None:
    assert read_document(f"# Tides\n{PROSE}\n\n## Causes\n{PROSE}", "The  sea").title == "The sea"


def test_underlined_headings_make_sections() -> None:
    document = read_document(f"Tides\n=====\n\n{PROSE}\n\nCauses\n------\n{PROSE}\n")

    assert (document.title, shape(document)) == ("Tides", [(None, 1, 1), ("Causes", 1, 1)])


def test_numbered_headings_lose_their_number_and_keep_their_depth() -> None:
    document = read_document(f"1. Causes\n\n{PROSE}\n\n1.1 The Moon\n\n{PROSE}\n\n2. Effects\n\n{PROSE}\n")

    assert shape(document) == [("Causes", 1, 1), ("The Moon", 2, 1), ("Effects", 1, 1)]


def test_upper_case_lines_stand_above_title_lines_and_are_written_in_sentence_case() -> None:
    document = read_document(f"CAUSES OF TIDES\n\n{PROSE}\n\nThe Moon\n\n{PROSE}\n\nEFFECTS\n\n{PROSE}\n")

    assert shape(document) == [("Causes of tides", 1, 1), ("The Moon", 2, 1), ("Effects", 1, 1)]


def test_a_text_that_marks_its_headings_has_no_others() -> None:
    document = read_document(f"{PROSE}\n\n## Causes\n\nNot a heading\n\n{PROSE}\n")

    assert [section.heading for section in document.sections] == [None, "Causes"]


def test_a_short_line_that_ends_like_a_sentence_is_prose() -> None:
    document = read_document(f"It works.\n\n{PROSE}\n")

    assert shape(document) == [(None, 1, 2)]


def test_code_tables_comments_and_marks_are_no_prose() -> None:
    text = (
        "# T\n<!-- note -->\n```\ncode here is not read.\n```\n| a | b |\n|---|---|\n\n"
        "The **sea** [rises](http://x) `twice` a day[^1].\n"
    )

    assert [sentence.text for sentence in read_document(text).sentences] == ["The sea rises twice a day."]


def test_each_list_item_is_its_own_sentence() -> None:
    document = read_document("Three things raise the sea:\n- the Moon and its pull\n- the Sun\n- wind")

    assert [sentence.text for sentence in document.sentences] == [
        "Three things raise the sea:",
        "the Moon and its pull",
        "the Sun",
        "wind",
    ]


def test_sentences_are_numbered_through_the_whole_text() -> None:
    document = read_document(f"## A\n{PROSE} {PROSE}\n\n{PROSE}\n## B\n{PROSE}")

    assert [sentence.number for sentence in document.sentences] == [1, 2, 3, 4]


def test_a_heading_without_text_stays_only_for_its_subsections() -> None:
    document = read_document(f"## Empty\n## Causes\n### The Moon\n{PROSE}\n## Last\n")

    assert shape(document) == [("Causes", 1, 0), ("The Moon", 2, 1)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "Dr. Hall met J. Smith at 3 p.m. on Monday. They spoke.",
            ["Dr. Hall met J. Smith at 3 p.m. on Monday.", "They spoke."],
        ),
        ("It rose 3.5 m, i.e. much. Then it fell!", ["It rose 3.5 m, i.e. much.", "Then it fell!"]),
        ("“Why?” he asked. No one knew…  Nobody.", ["“Why?” he asked.", "No one knew…", "Nobody."]),
        ("海水上升。下降！", ["海水上升。", "下降！"]),
    ],
)
def test_a_sentence_ends_where_a_reader_would_end_it(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_text_without_full_stops_is_cut_to_readable_lengths_and_none_of_it_is_lost() -> None:
    text = "word, " * 1_000

    pieces = split_sentences(text)

    assert max(map(len, pieces)) <= 1_000
    assert " ".join(pieces) == text.strip()


def test_a_word_keeps_its_hyphens_apostrophes_and_digits() -> None:
    assert [token.text for token in tokenize("The Moon’s half-daily M2 wave: 12.42 h")] == [
        "The",
        "Moon's",
        "half-daily",
        "M2",
        "wave",
        ":",
        "12.42",
        "h",
    ]


def test_each_chinese_character_is_read_like_a_word() -> None:
    assert (count_words("潮汐 is well-known"), count_words("")) == (4, 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The text is empty."),
        (" \n\t ", "The text is empty."),
        ("PK\0\3\4binary", "The text is not text: it holds control characters, as binary data does."),
        ("\ufffd" * 50 + PROSE, "The text is not text: it holds control characters, as binary data does."),
        ("# A\n\n## B\n", "The text has no sentence of at least 4 words."),
        ("!!! ??? ...", "The text has no sentence of at least 4 words."),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UnreadableText) as refused:
        read_document(text)

    assert str(refused.value) == reason
