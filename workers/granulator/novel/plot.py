"""A text dealt out to acts, chapters and scenes before anything is named: every sentence to one scene, in order.

Chapters follow the source's sections, and scenes begin where the place, the time or the paragraph changes.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from workers.granulator.language.tokens import count_words
from workers.granulator.novel.cast import Cast, speaks_of_someone
from workers.granulator.novel.strife import strife
from workers.granulator.source.cohesion import Span
from workers.granulator.source.division import equal_spans
from workers.granulator.source.outline import Outline
from workers.granulator.source.points import Point, leans
from workers.granulator.structure import Brief

# A planned novel has 6 + 12 + 6 chapters; a shorter source has fewer, in the same proportion.
MOST_CHAPTERS: Final = 24
ACTS: Final = 3
_WORDS_PER_CHAPTER: Final = {1: 260, 2: 160, 3: 100, 4: 70, 5: 50}
_WORDS_PER_SCENE: Final = {1: 260, 2: 110, 3: 60, 4: 40, 5: 25}
_LEAST_SCENE_LINES: Final = 2
# How far a cut may be moved from equal lengths to where a scene really begins, in sentences.
_REACH: Final = 2

_NEW_TIME: Final = re.compile(
    r"^(?:(?:in|on|at|by|after|before|during|that|one|the next|every|from) (?:\w+ ){0,3}?(?:day|night|morning|evening|"
    r"afternoon|noon|dusk|dawn|midnight|week|month|year|winter|spring|summer|autumn|january|february|march|april|may|june|"
    r"july|august|september|october|november|december|end)\b|(?:then|later|meanwhile|afterwards|suddenly|years)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Beat:
    """A sentence in its place: its passage's number, its length, who is in it where, and what it is good for.

    `strife` is how much it speaks of conflict, `leaning` that it cannot be read alone.
    """

    sentence: int
    text: str
    weight: float
    words: int
    passage: int
    people: tuple[str, ...]
    place: str | None
    strife: int
    leaning: bool

    @property
    def opens_time(self) -> bool:
        return bool(_NEW_TIME.match(self.text))


Beats: TypeAlias = Sequence[Beat]


@dataclass(frozen=True, slots=True)
class SceneDraft:
    """Sentences that happen in one place; `people` are those last named, where only "he" or "she" is."""

    beats: Beats
    people: tuple[str, ...]
    place: str | None
    sentences: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChapterDraft:
    """Scenes from one stretch of the source; `heading` is the section's, `opens` where it is its first chapter."""

    heading: str | None
    opens: bool
    terms: tuple[str, ...]
    scenes: tuple[SceneDraft, ...]

    @property
    def beats(self) -> Beats:
        return [beat for scene in self.scenes for beat in scene.beats]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Sentences under one heading, with the terms of their section."""

    heading: str | None
    opens: bool
    terms: tuple[str, ...]
    beats: Beats
    sentences: tuple[int, int]

    @property
    def words(self) -> int:
        return sum(beat.words for beat in self.beats)


def plotted(outline: Outline, cast: Cast, brief: Brief) -> tuple[tuple[ChapterDraft, ...], ...]:
    """The chapters of the three acts, about one to two to one; an act is empty only where sentences are too few."""
    stretches = _stretches(outline, cast)
    level = brief.granularity_level
    words = sum(stretch.words for stretch in stretches)
    beats = sum(len(stretch.beats) for stretch in stretches)
    room = brief.max_elements - ACTS
    wanted = max(ACTS, min(MOST_CHAPTERS, words // _WORDS_PER_CHAPTER[level], room // 2))
    chapters = _chapters(stretches, min(wanted, beats))
    per_chapter = max(1, (room - len(chapters)) // len(chapters))
    scened = _scened(chapters, cast, _WORDS_PER_SCENE[level], per_chapter)
    first = max(1, round(len(scened) / 4))
    last = max(first + 1, len(scened) - first)
    return tuple(scened[:first]), tuple(scened[first:last]), tuple(scened[last:])


def _stretches(outline: Outline, cast: Cast) -> list[_Stretch]:
    number = 0
    stretches = []
    for section in outline.sections:
        beats = []
        for passage in section.passages:
            number += 1
            for line in passage.lines:
                beats.append(_beat(line, number, cast))
        if beats:
            own = [term.term for passage in section.passages for term in passage.terms]
            terms = tuple(dict.fromkeys((*(term.term for term in section.terms), *own)))
            span = section.passages[0].sentences[0], section.passages[-1].sentences[1]
            stretches.append(_Stretch(section.heading, True, terms, beats, span))
    return stretches


def _beat(line: Point, passage: int, cast: Cast) -> Beat:
    known = cast.lines[line.sentence]
    return Beat(
        sentence=line.sentence,
        text=line.text,
        weight=line.weight,
        words=count_words(line.text),
        passage=passage,
        people=known.people,
        place=known.place,
        strife=strife(line.text),
        leaning=leans(line.text),
    )


def _chapters(stretches: Sequence[_Stretch], wanted: int) -> list[_Stretch]:
    """The sections as so many chapters: neighbours joined where there are more, long ones cut where there are fewer."""
    if len(stretches) >= wanted:
        spans = equal_spans([stretch.words for stretch in stretches], wanted, 1)
        return [_joined(stretches[span.start : span.end]) for span in spans]
    parts = [1] * len(stretches)
    for _ in range(wanted - len(stretches)):
        open_ = [place for place, stretch in enumerate(stretches) if parts[place] < len(stretch.beats)]
        parts[max(open_, key=lambda place: (stretches[place].words / parts[place], -place))] += 1
    return [piece for stretch, count in zip(stretches, parts, strict=True) for piece in _cut(stretch, count)]


def _joined(run: Sequence[_Stretch]) -> _Stretch:
    largest = max(run, key=lambda stretch: (stretch.heading is not None, stretch.words))
    return _Stretch(
        heading=largest.heading,
        opens=True,
        terms=tuple(dict.fromkeys(term for stretch in (largest, *run) for term in stretch.terms)),
        beats=[beat for stretch in run for beat in stretch.beats],
        sentences=(run[0].sentences[0], run[-1].sentences[1]),
    )


def _cut(stretch: _Stretch, parts: int) -> list[_Stretch]:
    spans = _scene_spans(stretch.beats, parts, 1)
    bounds = _bounds(stretch.beats, spans, stretch.sentences)
    return [
        _Stretch(stretch.heading, place == 0, stretch.terms, stretch.beats[span.start : span.end], bound)
        for place, (span, bound) in enumerate(zip(spans, bounds, strict=True))
    ]


def _scened(chapters: Sequence[_Stretch], cast: Cast, words: int, most: int) -> list[ChapterDraft]:
    """The chapters cut into scenes; in one that speaks of "her" alone is whoever was last on stage."""
    drafts = []
    on_stage: tuple[str, ...] = ()
    for chapter in chapters:
        wanted = min(most, max(1, round(chapter.words / words)))
        spans = _scene_spans(chapter.beats, wanted, _LEAST_SCENE_LINES)
        scenes = []
        for span, bound in zip(spans, _bounds(chapter.beats, spans, chapter.sentences), strict=True):
            beats = chapter.beats[span.start : span.end]
            named = [name for name in cast.people if any(name in beat.people for beat in beats)]
            on_stage = tuple(named) or on_stage
            present = on_stage if named or any(speaks_of_someone(beat.text) for beat in beats) else ()
            scenes.append(SceneDraft(beats, present, _place(beats), bound))
        drafts.append(ChapterDraft(chapter.heading, chapter.opens, chapter.terms, tuple(scenes)))
    return drafts


def _place(beats: Beats) -> str | None:
    """Where most of it happens, the first of equals."""
    places = Counter(beat.place for beat in beats if beat.place)
    return max(places, key=lambda name: places[name]) if places else None


def _scene_spans(beats: Beats, wanted: int, least: int) -> list[Span]:
    """Spans of about equal length, each cut moved to the best beginning nearby."""
    spans = equal_spans([beat.words for beat in beats], wanted, least)
    starts = [0]
    for span in spans[1:]:
        earliest, latest = starts[-1] + least, span.end - least
        near = [place for place in range(span.start - _REACH, span.start + _REACH + 1) if earliest <= place <= latest]
        starts.append(max(near, key=lambda place: (_beginning(beats, place), -abs(place - span.start), -place)))
    return [Span(start, end) for start, end in zip(starts, [*starts[1:], len(beats)], strict=True)]


def _beginning(beats: Beats, place: int) -> int:
    """How much speaks for a scene to begin at a sentence: a new time, another place, a new passage."""
    before, beat = beats[place - 1], beats[place]
    moved = beat.place is not None and beat.place != before.place
    return 2 * beat.opens_time + 2 * (beat.passage != before.passage) + moved


def _bounds(beats: Beats, spans: Sequence[Span], whole: tuple[int, int]) -> list[tuple[int, int]]:
    """The first and last sentence of each span, without a gap between them and out to the whole's ends."""
    starts = [whole[0], *(beats[span.start].sentence for span in spans[1:])]
    return [(start, end) for start, end in zip(starts, [*(start - 1 for start in starts[1:]), whole[1]], strict=True)]
