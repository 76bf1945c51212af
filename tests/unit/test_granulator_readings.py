"""What a sentence does, which of its clauses can stand alone, and the objectives that come of it."""

import pytest

from workers.granulator.course.objectives import objective_from_heading, objectives_from
from workers.granulator.language.readings import Nature, Reading, read, read_sentence

NAMES = frozenset({"Moon", "Sun", "Earth", "Britain"})


def objectives(*sentences: str) -> list[str]:
    """The objectives of sentences that all weigh the same."""
    return [item.text for item in objectives_from([read_sentence(text, 1.0, NAMES) for text in sentences], NAMES)]


@pytest.mark.parametrize(
    ("nature", "sentence", "pieces"),
    [
        (
            Nature.DEFINITION,
            "The highest level is called high water, and the lowest is called low water.",
            ["high water", "low water"],
        ),
        (Nature.DEFINITION, "A tide is the regular rise and fall of the sea.", ["tide"]),
        (Nature.DEFINITION, "Slack water is the short pause between two streams.", ["slack water"]),
        (Nature.DEFINITION, "This delay, called the age of the tide, is short.", ["age of the tide"]),
        (
            Nature.COMPARISON,
            "Spring tides bring strong currents, whereas neap tides bring weak ones.",
            ["spring tides", "neap tides"],
        ),
        (
            Nature.PROCEDURE,
            "To find the depth of water, add the height of the tide.",
            ["find the depth of water"],
        ),
        (Nature.PROCEDURE, "Divide the range by twelve.", ["divide the range by twelve"]),
        (
            Nature.CONDITION,
            "When perigee falls close to a full moon, the springs are very large.",
            ["when perigee falls close to a full moon", "the springs are very large"],
        ),
        (
            Nature.CAUSE,
            "High water is later each day because the tide keeps time with the Moon.",
            ["why high water is later each day"],
        ),
        (
            Nature.CAUSE,
            "The bay is full, so slack water falls close to high water.",
            ["why slack water falls close to high water"],
        ),
        (
            Nature.CAUSE,
            "The tidal force depends on the cube of the distance.",
            ["what the tidal force depends on"],
        ),
        (Nature.STATEMENT, "However, the Sun also raises small tides.", ["the Sun raises small tides"]),
        (
            Nature.STATEMENT,
            "On the near side the tidal force points towards the Moon.",
            ["the tidal force points towards the Moon on the near side"],
        ),
    ],
)
def test_a_sentence_is_read_by_what_it_does(nature: Nature, sentence: str, pieces: list[str]) -> None:
    assert read(sentence, NAMES) == Reading(nature, tuple(pieces))


@pytest.mark.parametrize(
    "sentence",
    [
        "It rises twice a day.",
        "They settle in bands on the rocks.",
        "Such a wave moves up the river.",
        "The result surprises nobody at all.",
        "A ship out there would never notice it.",
        "Not every coast has two tides.",
        "To find it, add the heights.",
        "Twice a day.",
    ],
)
def test_a_sentence_that_leans_on_another_has_no_reading(sentence: str) -> None:
    assert read(sentence, NAMES) is None


@pytest.mark.parametrize(
    ("sentence", "objective"),
    [
        ("A tide is the rise and fall of the sea.", "Define “tide”."),
        ("Wind waves stir the surface, whereas tides move the whole column.", "Compare wind waves with tides."),
        ("The tide is late because the oceans respond slowly.", "Explain why the tide is late."),
        ("If the Moon were closer, its tides would be stronger.", "Predict what would happen if the Moon were closer."),
        ("If the starter is not fed, the acids build up.", "Predict what happens if the starter is not fed."),
        (
            "When flour is mixed with water, the proteins form strands.",
            "Explain why the proteins form strands when flour is mixed with water.",
        ),
        ("Knead the dough for ten minutes.", "Show how to knead the dough for ten minutes."),
        ("The rotation of the Earth slows over time.", "Describe how the rotation of the Earth slows over time."),
        ("The Bay of Fundy has a natural period.", "Recall that the Bay of Fundy has a natural period."),
        ("Many sailors use the rule of twelfths.", "Recall that many sailors use the rule of twelfths."),
    ],
)
def test_the_verb_of_an_objective_follows_what_the_sentence_does(sentence: str, objective: str) -> None:
    assert objectives(sentence) == [objective]


def test_the_definitions_of_a_passage_become_one_objective() -> None:
    assert objectives("A flood is a rising stream.", "An ebb is a falling stream.") == ["Define “flood” and “ebb”."]


def test_kinds_of_one_thing_are_told_apart_and_not_defined_again() -> None:
    sentences = ("A diurnal tide has one high water.", "A mixed tide has two unequal high waters.")

    assert objectives(*sentences) == ["Distinguish between a diurnal tide and a mixed tide."]


def test_reasons_rank_above_facts() -> None:
    assert objectives("The range grows with distance.", "The loaf is dense because rye has little gluten.") == [
        "Explain why the loaf is dense.",
        "Describe how the range grows with distance.",
    ]


@pytest.mark.parametrize(
    ("heading", "objective"),
    [
        ("Why there are two bulges", "Explain why there are two bulges."),
        ("What a tide is", "Explain what a tide is."),
        ("When the weather joins in", "Explain what happens when the weather joins in."),
        ("Predicting the tide", "Explain what predicting the tide involves."),
        ("Proving and baking", "Explain what proving and baking involve."),
        ("Install the package", "Show how to install the package."),
        ("How Yeast Feeds", "Explain how yeast feeds."),
        ("The Sun, the Moon and the calendar", "Give an account of the Sun, the Moon and the calendar."),
        ("Tidal Streams", "Give an account of tidal streams."),
        ("Sourdough", "Give an account of sourdough."),
        ("Tide table", "Give an account of the tide table."),
        ("Licence", "Summarise the main points of “Licence”."),
        ("Words: one noun a thing", "Summarise the main points of “Words: one noun a thing”."),
        ("Why do tides occur?", "Answer the question “Why do tides occur?”"),
    ],
)
def test_a_heading_makes_an_objective_that_is_a_sentence(heading: str, objective: str) -> None:
    sentences = [read_sentence(text, 1.0, NAMES) for text in ("Bakers love sourdough.", "Sailors trust a tide table.")]

    assert objective_from_heading(heading, sentences, NAMES) == objective
