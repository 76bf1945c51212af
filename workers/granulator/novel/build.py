"""The plan of a novel from an outline: its cast, its places, and the source's sentences as the scenes of three acts.

Every section of the source lies in a chapter, no two titles are alike, and nobody acts before they are introduced.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Final

from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.course.titles import TitleRegister, sentence_case
from workers.granulator.language.people_and_places import is_person
from workers.granulator.language.words import words_of
from workers.granulator.novel.cast import Cast, cast_of, speaks_of_someone
from workers.granulator.novel.drama import OPEN_CONFLICT, OPEN_GOAL, OPEN_OUTCOME, Drama, drama_of
from workers.granulator.novel.naming import act_titles, chapter_titles, scene_titles
from workers.granulator.novel.plot import Beat, ChapterDraft, SceneDraft, plotted
from workers.granulator.novel.strife import strife
from workers.granulator.novel.structure import (
    Act,
    Chapter,
    Character,
    Novel,
    Presence,
    Relation,
    Role,
    Scene,
    Setting,
)
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Source

UNTITLED: Final = "Untitled novel"
NO_STORY: Final = "The source tells no story; its people, places and sentences are dealt out as the matter of one."
# A story speaks of somebody in every third sentence or more.
LEAST_PEOPLED_SHARE: Final = 0.3
MAIN_SHARE: Final = 1 / 3
MOST_THEMES, MOST_RELATIONS = 5, 10
BACKSTORY_SENTENCES, CHAPTER_SENTENCES = 2, 3
# What an act does, in the order of the acts.
PURPOSES: Final = ("Sets out", "Sharpens", "Settles")
_NO_SCENE: Final = Drama(OPEN_GOAL, OPEN_CONFLICT, OPEN_OUTCOME, ("goal", "conflict", "outcome"))


def build(outline: Outline, brief: Brief) -> Novel:
    """The plan of a novel from a text; equal outlines and briefs give equal plans. Raises EmptyOutline."""
    sentences = {
        line.sentence: line.text
        for section in outline.sections
        for passage in section.passages
        for line in passage.lines
    }
    if not sentences:
        raise EmptyOutline("The outline has no passage to make scenes of.")
    cast = cast_of(sentences, outline.names)
    acts = plotted(outline, cast, brief)
    title = outline.title or next(map(sentence_case, (term.term for term in outline.terms)), UNTITLED)
    written = _Writer(title, outline.names).acts(acts)
    scenes = {scene.code: scene for act in written for chapter in act.children for scene in chapter.children}
    beats = [beat for act in acts for chapter in act for beat in chapter.beats]
    narrative = _is_story(sentences, cast)
    return Novel(
        title=title,
        description="" if narrative else NO_STORY,
        premise=_premise(beats, cast),
        themes=_themes(outline, cast),
        arc=_arc(tuple(scenes.values())),
        narrative=narrative,
        characters=_characters(cast, sentences, scenes),
        settings=_settings(scenes.values()),
        relations=_relations(scenes.values()),
        children=written,
    )


class _Writer:
    """Writes acts, chapters and scenes from drafts, and gives each title once."""

    def __init__(self, title: str, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        self._register = TitleRegister()
        self._register.claim([title])

    def acts(self, drafts: Sequence[Sequence[ChapterDraft]]) -> tuple[Act, ...]:
        chapters = [
            [
                self._register.claim(chapter_titles(one, f"{row}.{column}", self._names))
                for column, one in enumerate(act, 1)
            ]
            for row, act in enumerate(drafts, 1)
        ]
        titles = [
            self._register.claim(act_titles(number, zip(names, act, strict=True)))
            for number, (names, act) in enumerate(zip(chapters, drafts, strict=True), 1)
        ]
        return tuple(
            self._act(str(number), title, act, names)
            for number, (title, act, names) in enumerate(zip(titles, drafts, chapters, strict=True), 1)
        )

    def _act(self, code: str, title: str, drafts: Sequence[ChapterDraft], names: Sequence[str]) -> Act:
        chapters = tuple(
            self._chapter(f"{code}.{number}", name, draft)
            for number, (name, draft) in enumerate(zip(names, drafts, strict=True), 1)
        )
        if not chapters:
            return Act(code=code, title=title, children=(self._open_chapter(f"{code}.1"),))
        people = dict.fromkeys(
            one.name for chapter in chapters for scene in chapter.children for one in scene.characters
        )
        purpose = f"{PURPOSES[int(code) - 1]} what happens to {_listed(tuple(people)[:4])}." if people else ""
        beats = [beat for draft in drafts for beat in draft.beats]
        return Act(code=code, title=title, description=f"{purpose} {_turn(beats)}".strip(), children=chapters)

    def _chapter(self, code: str, title: str, draft: ChapterDraft) -> Chapter:
        told = sorted(draft.beats, key=lambda beat: (beat.leaning, -beat.weight))[:CHAPTER_SENTENCES]
        return Chapter(
            code=code,
            title=title,
            description=" ".join(beat.text for beat in sorted(told, key=lambda beat: beat.sentence)),
            source=Source(
                section=draft.heading, sentences=(draft.scenes[0].sentences[0], draft.scenes[-1].sentences[1])
            ),
            children=tuple(
                self._scene(f"{code}.{number}", scene, draft) for number, scene in enumerate(draft.scenes, 1)
            ),
        )

    def _scene(self, code: str, draft: SceneDraft, chapter: ChapterDraft) -> Scene:
        drama = drama_of(draft)
        return Scene(
            code=code,
            title=self._register.claim(scene_titles(draft, drama, chapter, code, self._names)),
            goal=drama.goal,
            conflict=drama.conflict,
            outcome=drama.outcome,
            open=drama.open,
            characters=tuple(Presence(name=name) for name in draft.people),
            place=draft.place,
            source=Source(section=chapter.heading, sentences=draft.sentences),
        )

    def _open_chapter(self, code: str) -> Chapter:
        """A chapter for an act that the source has no sentence left for."""
        title = self._register.claim([f"Chapter {code}, still open"])
        scene = Scene(
            code=f"{code}.1",
            title=self._register.claim([f"The scene of {code}.1, to be found"]),
            goal=_NO_SCENE.goal,
            conflict=_NO_SCENE.conflict,
            outcome=_NO_SCENE.outcome,
            open=_NO_SCENE.open,
        )
        return Chapter(code=code, title=title, description="The source is too short to fill it.", children=(scene,))


def _turn(beats: Sequence[Beat]) -> str:
    """The sentence in which most stands against what is wanted."""
    return max(beats, key=lambda beat: (beat.strife, not beat.leaning, beat.weight)).text


def _premise(beats: Sequence[Beat], cast: Cast) -> str:
    """Who it is about, from the first quarter of the text, and what stands in their way, from all of it."""
    hero = next(iter(cast.people), None)
    opening = beats[: max(1, len(beats) // 4)]
    about = [beat for beat in opening if hero in beat.people] or list(opening)
    first = max(about, key=lambda beat: (not beat.leaning, beat.weight, -beat.sentence))
    against = [beat for beat in beats if beat is not first and (hero is None or hero in beat.people)]
    second = max(against, key=lambda beat: (beat.strife, not beat.leaning, beat.weight), default=None)
    return first.text if second is None or not second.strife else f"{first.text} {second.text}"


def _themes(outline: Outline, cast: Cast) -> tuple[str, ...]:
    """The weightiest terms that are nobody and nowhere."""
    named = {word for name in (*cast.people, *cast.places) if name[0].isupper() for word in words_of(name)}
    places = {words_of(name)[1:] for name in cast.places}
    themes = (
        term.term
        for term in outline.terms
        if not named & set(words := words_of(term.term)) and words not in places and not is_person(words[-1])
    )
    return tuple(themes)[:MOST_THEMES]


def _arc(scenes: Sequence[Scene]) -> tuple[str, ...]:
    """How it begins, turns and ends: a goal, the middle's hardest conflict, an outcome."""
    known = [scene for scene in scenes if not scene.open] or list(scenes)
    middle = known[len(known) // 4 : max(len(known) // 4 + 1, 3 * len(known) // 4)]
    turn = max(middle, key=lambda scene: strife(scene.conflict))
    return known[0].goal, turn.conflict, known[-1].outcome


def _is_story(sentences: Mapping[int, str], cast: Cast) -> bool:
    peopled = sum(bool(cast.lines[number].people) or speaks_of_someone(text) for number, text in sentences.items())
    return bool(cast.people) and peopled >= LEAST_PEOPLED_SHARE * len(sentences)


def _characters(cast: Cast, sentences: Mapping[int, str], scenes: Mapping[str, Scene]) -> tuple[Character, ...]:
    introduced: dict[str, str] = {}
    for code, scene in scenes.items():
        for one in scene.characters:
            introduced.setdefault(one.name, code)
    most = max(cast.people.values(), default=0)
    return tuple(
        Character(
            name=name,
            role=_role(place, mentions, most),
            mentions=mentions,
            introduced=introduced.get(name),
            backstory=_backstory(name, cast, sentences),
        )
        for place, (name, mentions) in enumerate(cast.people.items())
    )


def _role(place: int, mentions: int, most: int) -> Role:
    if place == 0:
        return "protagonist"
    return "main" if mentions >= MAIN_SHARE * most else "minor"


def _backstory(name: str, cast: Cast, sentences: Mapping[int, str]) -> str:
    """The first sentences that name them."""
    numbers = [number for number, line in cast.lines.items() if name in line.people]
    return " ".join(sentences[number] for number in sorted(numbers)[:BACKSTORY_SENTENCES])


def _settings(scenes: Collection[Scene]) -> tuple[Setting, ...]:
    times = Counter(scene.place for scene in scenes if scene.place)
    return tuple(Setting(name=name, scenes=count) for name, count in times.most_common())


def _relations(scenes: Collection[Scene]) -> tuple[Relation, ...]:
    pairs = Counter(pair for scene in scenes for pair in combinations(sorted(one.name for one in scene.characters), 2))
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_RELATIONS]
    return tuple(Relation(between=pair, scenes=count) for pair, count in ranked)


def _listed(names: Sequence[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
