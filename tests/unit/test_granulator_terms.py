"""What a text is about: terms, their weights, and where they are found."""

from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.language.english import fold, plural
from workers.granulator.language.tagging import noun_phrases, tagged
from workers.granulator.source.analysis import analyse
from workers.granulator.source.document import read_document
from workers.granulator.source.terms import Term, index_terms


def phrases(sentence: str) -> list[str]:
    words = tagged(sentence)
    found = noun_phrases(words.tokens, words.tags)
    return [" ".join(token.text for token in words.tokens[phrase.start : phrase.end]) for phrase in found]


def test_noun_phrases_neither_begin_nor_end_with_a_verb_or_a_function_word() -> None:
    sentence = "The Moon pulls the ocean water, and spring tides rise above the sea level twice a month."

    assert phrases(sentence) == ["Moon", "ocean water", "spring tides", "sea level", "month"]


def test_an_adjective_that_says_little_is_no_part_of_a_phrase() -> None:
    assert phrases("A very large tidal wave has different high waters.") == ["tidal wave", "high waters"]


def test_a_term_is_found_under_one_name_in_every_number_and_case() -> None:
    text = "Neap tides are small. A neap tide follows. The neap tide's range is small, and a Neap Tide passes."

    term = index_terms(text).terms[0]

    assert term == Term(term="neap tide", weight=1.0, count=4, sections=(1,), first_sentence=1)


def test_names_are_words_that_keep_their_capital_or_open_a_sentence_as_a_bare_subject() -> None:
    text = "Venice became rich. Merchants traded with London. Gravity is weak, and gravity acts on Earth. The Sun rose."

    assert analyse(read_document(text)).names == {"Venice", "London", "Earth", "Sun"}


def test_the_terms_of_the_example_are_those_of_its_subject() -> None:
    terms = [term.term for term in index_terms(TIDES).terms[:15]]

    assert {"tide", "Moon", "high water", "low water", "tidal force", "spring tides"} <= set(terms)


def test_terms_tell_their_sections_and_come_heaviest_first() -> None:
    index = index_terms(BREAD)

    weights = [term.weight for term in index.terms]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 1.0
    assert {term.term: term.sections for term in index.terms}["starter"] == (4,)
    assert (index.sections, index.sentences) == (5, 37)


def test_a_word_that_only_lives_in_a_longer_term_weighs_less_than_the_term() -> None:
    text = " ".join(["The carbon dioxide expands."] * 6 + ["The oven glows.", "The oven cools."])

    weights = {term.term: term.weight for term in index_terms(text).terms}

    assert weights["carbon dioxide"] == 1.0
    assert "dioxide" not in weights


def test_an_index_depends_on_the_text_alone() -> None:
    assert index_terms(TIDES) == index_terms(TIDES)


def test_folding_takes_off_plurals_and_leaves_other_words_whole() -> None:
    words = ["tides", "bodies", "marshes", "glasses", "boxes", "gas", "basis", "genus", "Moon's", "sea"]

    assert [fold(word) for word in words] == [
        "tide",
        "body",
        "marsh",
        "glass",
        "box",
        "gas",
        "basis",
        "genus",
        "moon",
        "sea",
    ]


def test_plurals_are_regular_and_never_doubled() -> None:
    assert [plural(word) for word in ("tide", "body", "day", "marsh", "tides")] == [
        "tides",
        "bodies",
        "days",
        "marshes",
        "tides",
    ]
