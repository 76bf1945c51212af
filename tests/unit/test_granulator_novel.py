"""A novel planned from a text: three acts in the source's own sentences, a cast told from its places, and the rules."""

from typing import Any

import pytest

from tests.unit.granulator_texts import BREAD, CHINESE, FLAT, FRENCH, LAMP, ONE_SENTENCE, OUTAGE, TIDES
from workers.granulator.course.title_index import title_words
from workers.granulator.language.words import words_of
from workers.granulator.novel.build import NO_STORY, build
from workers.granulator.novel.cast import cast_of
from workers.granulator.novel.rules import check
from workers.granulator.novel.skeleton import skeleton
from workers.granulator.novel.structure import Act, Chapter, Character, Novel, Presence, Scene
from workers.granulator.quality.title_rules import near_duplicates, titled
from workers.granulator.source.document import read_document
from workers.granulator.source.outline import outline
from workers.granulator.structure import Brief

BRIEF = Brief()
TEXTS = [LAMP, TIDES, BREAD, OUTAGE, FLAT, FRENCH, CHINESE, ONE_SENTENCE]


@pytest.fixture(scope="module")
def lamp() -> Novel:
    return build(outline(LAMP), BRIEF)


def chapters_of(novel: Novel) -> list[int]:
    """How many chapters each act has."""
    return [len(act.children) for act in novel.children]


def scene_of(novel: Novel, code: str) -> Scene:
    """The only scene with this code."""
    (scene,) = [scene for scene in novel.scenes if scene.code == code]
    return scene


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_plan_made_here_keeps_every_rule(text: str, level: int) -> None:
    novel = build(outline(text), Brief(granularity_level=level))

    serious = [finding for finding in check(novel) if finding.severity != "info"]
    assert [finding for finding in serious if finding.code != "no_characters"] == []
    assert bool(novel.characters) is ("no_characters" not in {finding.code for finding in serious})


def test_a_long_source_has_six_twelve_and_six_chapters_and_a_short_one_fewer_in_that_proportion(lamp: Novel) -> None:
    assert chapters_of(build(outline(TIDES), BRIEF)) == [6, 12, 6]
    assert chapters_of(lamp) == [2, 4, 2]
    assert chapters_of(build(outline(ONE_SENTENCE), BRIEF)) == [1, 1, 1]


def test_chapters_follow_the_sections_of_the_source(lamp: Novel) -> None:
    titles = [chapter.title for act in lamp.children for chapter in act.children]

    headings = ["The keeper's daughter", "The engineer", "Wires", "What Josiah knew", "The storm", "Morning"]
    assert [title for title in titles if title in headings] == headings


def test_the_sentences_of_a_scene_are_those_of_the_source_in_order(lamp: Novel) -> None:
    sentences = {sentence.number: sentence.text for sentence in read_document(LAMP).sentences}

    for scene in lamp.scenes:
        assert scene.source is not None
        own = [sentences[number] for number in range(scene.source.sentences[0], scene.source.sentences[1] + 1)]
        said = {"goal": scene.goal, "conflict": scene.conflict, "outcome": scene.outcome}
        assert {name for name, text in said.items() if text not in own} == set(scene.open)


def test_a_scene_tells_who_wants_what_and_what_stands_against_it(lamp: Novel) -> None:
    scene = scene_of(lamp, "1.2.1")

    assert (scene.goal, scene.conflict, scene.outcome) == (
        "The Board wanted an electric lamp at Carrow Point, and it had no more need of a keeper.",
        "Mara read the letter twice, but she did not read it aloud.",
        "She told her father that it was only a bill for oil.",
    )
    assert (scene.place, scene.open) == ("Carrow Point", ())


def test_the_cast_are_the_people_of_the_source_and_its_places_are_none_of_them(lamp: Novel) -> None:
    assert [(character.name, character.role) for character in lamp.characters] == [
        ("Mara Venn", "protagonist"),
        ("Edwin Hale", "main"),
        ("Josiah Venn", "main"),
        ("Harbour Board", "main"),
        ("Daniel", "minor"),
    ]
    assert {"Carrow Point", "Tolland", "the lamp room", "the kitchen"} <= {place.name for place in lamp.settings}


def test_whoever_is_in_a_scene_was_introduced_in_it_or_before(lamp: Novel) -> None:
    first = {character.name: character.introduced for character in lamp.characters}
    order = {scene.code: place for place, scene in enumerate(lamp.scenes)}

    for scene in lamp.scenes:
        for presence in scene.characters:
            assert order[str(first[presence.name])] <= order[scene.code]


def test_a_character_s_backstory_is_what_the_source_says_of_them_first(lamp: Novel) -> None:
    assert lamp.characters[1].backstory == (
        "Edwin Hale arrived in October with four crates and a notebook. Edwin needed her help, because nobody else "
        "could tell him how the tower moved in a gale."
    )


def test_premise_and_arc_are_sentences_of_the_source(lamp: Novel) -> None:
    source = " ".join(LAMP.split())

    assert lamp.premise.startswith("Mara Venn had kept the lamp at Carrow Point since her father lost his sight.")
    assert all(sentence in source for sentence in lamp.arc)


@pytest.mark.parametrize("text", [LAMP, TIDES])
def test_titles_are_in_the_words_of_the_source_and_no_two_are_alike(text: str) -> None:
    novel = build(outline(text), BRIEF)

    source = {*words_of(text), "act", "scene", "chapter"}
    made = {title for title, _ in titled(novel) if not title.startswith(("Scene ", "Chapter "))}
    strange = {title: title_words(title) - source for title in made}
    assert {title: {word for word in words if not word.isdigit()} for title, words in strange.items()} == {
        title: set() for title in made
    }
    assert near_duplicates(titled(novel)) == []


@pytest.mark.parametrize("text", [TIDES, BREAD, CHINESE])
def test_a_text_that_tells_no_story_makes_a_plan_that_says_so(text: str) -> None:
    novel = build(outline(text), BRIEF)

    assert (novel.narrative, novel.description) == (False, NO_STORY)


def test_an_act_that_the_source_is_too_short_for_is_left_open() -> None:
    last = build(outline(ONE_SENTENCE), BRIEF).children[2].children[0]

    assert (last.source, last.children[0].open) == (None, ("goal", "conflict", "outcome"))


def test_people_called_by_what_they_are_make_the_cast_where_nobody_has_a_name() -> None:
    sentences = {1: "In the forest the old miller met a soldier.", 2: "The soldier asked the miller for bread.",
                 3: "The miller refused."}  # fmt: skip

    cast = cast_of(sentences, frozenset())
    assert dict(cast.people) == {"the miller": 3, "the soldier": 2}
    assert list(cast.places) == ["the forest"]


def test_a_skeleton_has_all_its_chapters_and_every_scene_open() -> None:
    novel = skeleton("The keeper of a lighthouse", BRIEF)

    assert chapters_of(novel) == [6, 12, 6]
    assert {scene.open for scene in novel.scenes} == {("goal", "conflict", "outcome")}
    assert [finding for finding in check(novel) if finding.severity != "info"] == []


def a_scene(code: str, title: str, **fields: Any) -> Scene:
    drama = {"goal": "She wants to go.", "conflict": "The door is locked.", "outcome": "She stays."}
    return Scene(code=code, title=title, place="the house", **({**drama, "characters": ("Ann",)} | fields))


def an_act(number: int, *scenes: Scene) -> Act:
    chapter = Chapter(code=f"{number}.1", title=f"Chapter about {'abc'[number - 1] * 3}", children=scenes)
    return Act(code=str(number), title=f"Act {number}", children=(chapter,))


ANN = Character(
    name="Ann", role="protagonist", introduced="1.1.1", backstory="Ann has lived in the old house for years."
)
BEN = Character(name="Ben", introduced="2.1.1", backstory="Ben came over the hills in the spring to look for work.")
SCENES = (a_scene("1.1.1", "Leaving home"), a_scene("2.1.1", "Broken bridge", characters=("Ann", "Ben")),
          a_scene("3.1.1", "Quiet evening"))  # fmt: skip
SOUND = Novel(
    title="Ann",
    premise="Ann wants to leave.",
    characters=(ANN.model_copy(update={"backstory": ANN.backstory * 2}), BEN),
    children=tuple(an_act(number, scene) for number, scene in enumerate(SCENES, 1)),
)


def changed(number: int, **change: Any) -> Novel:
    """The sound plan with the only scene of one of its acts changed."""
    scenes = [
        scene if at != number else a_scene(scene.code, scene.title, **change) for at, scene in enumerate(SCENES, 1)
    ]
    return SOUND.model_copy(update={"children": tuple(an_act(at, scene) for at, scene in enumerate(scenes, 1))})


def found(novel: Novel) -> list[tuple[str, str, str]]:
    """The codes, severities and places of what is found."""
    return [(finding.code, finding.severity, finding.path) for finding in check(novel)]


SCENE = "/children/{}/children/0/children/0"


@pytest.mark.parametrize(
    ("novel", "findings"),
    [
        (SOUND, []),
        (
            SOUND.model_copy(update={"children": SOUND.children[:2]}),
            [("too_few_acts", "error", "/children")],
        ),
        (SOUND.model_copy(update={"premise": " "}), [("premise_missing", "warning", "/premise")]),
        (changed(3, conflict=""), [("scene_without_conflict", "warning", SCENE.format(2) + "/conflict")]),
        (changed(3, goal=""), [("scene_without_goal", "info", SCENE.format(2) + "/goal")]),
        (changed(3, open=("conflict",)), [("conflict_open", "info", SCENE.format(2) + "/conflict")]),
        (
            changed(1, characters=("Ann", "Ben")),
            [("character_not_introduced", "error", SCENE.format(0) + "/characters/1")],
        ),
        (changed(3, characters=("Cid",)), [("character_unknown", "error", SCENE.format(2) + "/characters/0")]),
        (
            changed(3, characters=("Ann", Presence(name="Ann", place="the harbour"))),
            [("character_in_two_places", "error", SCENE.format(2) + "/characters")],
        ),
        (
            SOUND.model_copy(update={"characters": (*SOUND.characters, SOUND.characters[1])}),
            [("character_repeated", "error", f"/characters/{place}/name") for place in (1, 2)],
        ),
        (
            SOUND.model_copy(update={"characters": (ANN, BEN)}),
            [("thin_backstory", "info", "/characters/0/backstory")],
        ),
        (
            SOUND.model_copy(update={"children": (*SOUND.children, Act(code="4", title="Epilogue"))}),
            [("empty_act", "error", "/children/3")],
        ),
        (
            SOUND.model_copy(
                update={
                    "children": (
                        *SOUND.children,
                        Act(code="4", title="Epilogue", children=(Chapter(code="4.1", title="Later"),)),
                    )
                }
            ),
            [("empty_chapter", "error", "/children/3/children/0")],
        ),
        (
            SOUND.model_copy(
                update={"children": (*SOUND.children[:2], SOUND.children[2].model_copy(update={"code": "2"}))}
            ),
            [("wrong_code", "warning", "/children/2/code")],
        ),
    ],
)
def test_a_planted_fault_is_found_where_it_is(novel: Novel, findings: list[tuple[str, str, str]]) -> None:
    assert found(novel) == findings


def test_a_scene_that_reads_like_another_is_found() -> None:
    twin = changed(3).model_copy(
        update={"children": (*SOUND.children[:2], an_act(3, a_scene("3.1.1", "The broken bridges")))}
    )

    assert found(twin) == [("near_duplicate_title", "warning", SCENE.format(2) + "/title")]


def test_an_empty_plan_is_judged_and_not_refused() -> None:
    assert [code for code, severity, _ in found(Novel()) if severity == "error"] == ["too_few_acts", "no_scenes"]
