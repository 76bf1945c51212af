"""Titles of acts, chapters and scenes: the author's headings, else what happens, in the words of the source."""

from collections.abc import Collection, Iterable, Iterator

from workers.granulator.course.titles import sentence_case
from workers.granulator.language.clauses import main_clause, standing_clause
from workers.granulator.language.words import words_of
from workers.granulator.novel.drama import Drama
from workers.granulator.novel.plot import Beat, ChapterDraft, SceneDraft
from workers.granulator.quality.title_rules import is_fragment
from workers.granulator.source.points import leans

SHORTEST_TITLE_WORDS, LONGEST_TITLE_WORDS = 3, 9


def chapter_titles(chapter: ChapterDraft, code: str, names: Collection[str]) -> Iterator[str]:
    """The heading for a section's first chapter; then what happens, the most telling first; then its terms."""
    if chapter.heading and chapter.opens:
        yield chapter.heading
    yield from _happenings(sorted(chapter.beats, key=_telling), names)
    prefix = f"{chapter.heading}: " if chapter.heading else ""
    yield from (prefix + (term if prefix else sentence_case(term)) for term in chapter.terms)
    yield f"Chapter {code}"


def scene_titles(
    scene: SceneDraft, drama: Drama, chapter: ChapterDraft, code: str, names: Collection[str]
) -> Iterator[str]:
    """What happens, beginning with the conflict; else who is where; else what it speaks of; else its code."""
    first = {drama.conflict: 0, drama.outcome: 1, drama.goal: 2}
    yield from _happenings(sorted(scene.beats, key=lambda beat: (first.get(beat.text, 3), *_telling(beat))), names)
    people = " and ".join(scene.people[:2])
    if people and scene.place:
        yield f"{sentence_case(people)}: {scene.place}"
    yield from (sentence_case(name) for name in (people, scene.place) if name)
    words = {word for beat in scene.beats for word in words_of(beat.text)}
    yield from (sentence_case(term) for term in chapter.terms if words.issuperset(words_of(term)))
    yield f"Scene {code}"


def act_titles(number: int, chapters: Iterable[tuple[str, ChapterDraft]]) -> Iterator[str]:
    """The number and its longest chapter's title, or another's."""
    ranked = sorted(chapters, key=lambda item: -sum(beat.words for beat in item[1].beats))
    yield from (f"Act {number}: {title}" for title, _ in ranked)
    yield f"Act {number}"


def _telling(beat: Beat) -> tuple[bool, int, float, int]:
    """Sentences that can be read alone first, then those of conflict, then the weighty ones."""
    return beat.leaning, -beat.strife, -beat.weight, beat.sentence


def _happenings(beats: Iterable[Beat], names: Collection[str]) -> Iterator[str]:
    """Each sentence in a few words that stand alone; none of one that cannot be cut so."""
    for beat in beats:
        whole = beat.text.rstrip(".!… ")
        clause = standing_clause(whole, names, least=SHORTEST_TITLE_WORDS)
        for candidate in (clause, main_clause(whole)):
            if candidate and _may_be_title(candidate):
                yield sentence_case(candidate)


def _may_be_title(text: str) -> bool:
    few = SHORTEST_TITLE_WORDS <= len(text.split()) <= LONGEST_TITLE_WORDS
    return few and not leans(text) and not is_fragment(text) and not any(mark in text for mark in '"“”‘;:()')
