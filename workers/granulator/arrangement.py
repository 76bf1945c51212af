"""How the passages of an outline are dealt out to modules and lessons, before anything is named or phrased.

Every passage lands in exactly one lesson or in the opening, in the order of the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.granulator.analysis import content_words
from workers.granulator.cohesion import cut, gap_depths
from workers.granulator.objectives import MATTERLESS_HEADINGS
from workers.granulator.outline import Outline, OutlineSection, Passage
from workers.granulator.points import Point
from workers.granulator.ranking import cosines
from workers.granulator.terms import WeightedTerm
from workers.granulator.tokens import tokenize

# A text before the first heading opens the course, unless it is long enough to be taught.
LONGEST_OPENING_WORDS = 260
LEAST_LESSON_WORDS = 40
LEAST_MODULE_WORDS = 100
MOST_MODULE_LESSONS = 8
LEAST_SPLIT_LESSONS = 2
# A section this many times as large as its neighbour keeps its heading alone when the two are joined.
DOMINATES = 2
LONGEST_JOINED_HEADING_WORDS = 5


@dataclass(frozen=True, slots=True)
class LessonDraft:
    """Neighbouring passages of one lesson; `heading` is a subsection's own, None below a module's heading."""

    heading: str | None
    section: str | None
    passages: tuple[Passage, ...]

    @property
    def words(self) -> int:
        return sum(passage.words for passage in self.passages)

    @property
    def sentences(self) -> tuple[int, int]:
        return self.passages[0].sentences[0], self.passages[-1].sentences[1]

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(point for passage in self.passages for point in passage.points)

    @property
    def terms(self) -> tuple[WeightedTerm, ...]:
        """The passages' terms, heaviest first, each once."""
        heaviest: dict[str, WeightedTerm] = {}
        for term in (term for passage in self.passages for term in passage.terms):
            if term.term not in heaviest or heaviest[term.term].weight < term.weight:
                heaviest[term.term] = term
        return tuple(sorted(heaviest.values(), key=lambda term: -term.weight))

    @property
    def content(self) -> tuple[str, ...]:
        return tuple(word for point in self.points for word in content_words(tokenize(point.text)))


@dataclass(frozen=True, slots=True)
class ModuleDraft:
    """Lessons under one heading; `part` tells that the heading is shared with the modules next to it."""

    heading: str | None
    lessons: tuple[LessonDraft, ...]
    part: bool = False

    @property
    def words(self) -> int:
        return sum(lesson.words for lesson in self.lessons)

    @property
    def content(self) -> tuple[str, ...]:
        return tuple(word for lesson in self.lessons for word in lesson.content)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A course before it is written: the opening passages, if any, and the modules."""

    opening: LessonDraft | None
    modules: tuple[ModuleDraft, ...]


def arrange(outline: Outline) -> Arrangement:
    """Deal the passages out: top sections become modules, small ones are joined, large ones cut by cohesion."""
    sections = list(outline.sections)
    opening = _opening(sections)
    if opening:
        del sections[0]
    modules = [module for group in _groups(sections) for module in _module(group)]
    modules = _without_small(modules, _least_words(modules))
    return Arrangement(opening, tuple(part for module in modules for part in _split(module)))


def _opening(sections: Sequence[OutlineSection]) -> LessonDraft | None:
    first = sections[0]
    opens = first.heading is None or first.heading.lower() in MATTERLESS_HEADINGS
    headed = any(section.heading and section.level == 1 and section.passages for section in sections[1:])
    if opens and headed and first.passages and first.word_count <= LONGEST_OPENING_WORDS and sections[1].level == 1:
        return LessonDraft(first.heading, first.heading, first.passages)
    return None


def _groups(sections: Sequence[OutlineSection]) -> list[list[OutlineSection]]:
    """Each top section with the subsections under it."""
    groups: list[list[OutlineSection]] = []
    for section in sections:
        if section.level == 1 or not groups:
            groups.append([section])
        else:
            groups[-1].append(section)
    return groups


def _module(group: Sequence[OutlineSection]) -> list[ModuleDraft]:
    top = group[0]
    lessons = [
        LessonDraft(None if section is top else section.heading, section.heading, (passage,))
        for section in group
        for passage in section.passages
    ]
    return [ModuleDraft(top.heading, tuple(_joined(lessons)))] if lessons else []


def _joined(lessons: Sequence[LessonDraft]) -> list[LessonDraft]:
    """The lessons with each too short to teach joined to the next, or the last of them to the one before."""
    result: list[LessonDraft] = []
    for lesson in lessons:
        if result and result[-1].words < LEAST_LESSON_WORDS:
            result[-1] = _join_lessons(result[-1], lesson)
        else:
            result.append(lesson)
    if len(result) > 1 and result[-1].words < LEAST_LESSON_WORDS:
        result[-2:] = [_join_lessons(result[-2], result[-1])]
    return result


def _join_lessons(first: LessonDraft, second: LessonDraft) -> LessonDraft:
    larger = second if second.words > first.words else first
    return LessonDraft(larger.heading, larger.section, first.passages + second.passages)


def _least_words(modules: Sequence[ModuleDraft]) -> float:
    """What a module needs to stand alone: less in a short text, where every section is small."""
    return min(LEAST_MODULE_WORDS, sum(module.words for module in modules) / len(modules) / 2)


def _without_small(modules: Sequence[ModuleDraft], least: float) -> list[ModuleDraft]:
    """Each small module joined to the neighbour whose words are more like its own, smallest first."""
    modules = list(modules)
    while len(modules) > 1:
        index = min(range(len(modules)), key=lambda place: modules[place].words)
        if modules[index].words >= least:
            break
        left = _nearer_neighbour(modules, index)
        modules[left : left + 2] = [_join_modules(modules[left], modules[left + 1])]
    return modules


def _nearer_neighbour(modules: Sequence[ModuleDraft], index: int) -> int:
    """The place of the left one of the two modules to be joined."""
    if index == 0:
        return 0
    if index == len(modules) - 1:
        return index - 1
    likeness = cosines([module.content for module in modules[index - 1 : index + 2]])
    return index - 1 if likeness[1, 0] >= likeness[1, 2] else index


def _join_modules(first: ModuleDraft, second: ModuleDraft) -> ModuleDraft:
    lessons = tuple(
        LessonDraft(lesson.heading or module.heading, lesson.section, lesson.passages)
        for module in (first, second)
        for lesson in module.lessons
    )
    return ModuleDraft(_joined_heading(first, second), lessons)


def _joined_heading(first: ModuleDraft, second: ModuleDraft) -> str | None:
    smaller, larger = sorted((first, second), key=lambda module: module.words)
    if not smaller.heading or not larger.heading or larger.words >= DOMINATES * smaller.words:
        return larger.heading or smaller.heading
    both = f"{first.heading} {second.heading}"
    if " and " in both or len(both.split()) > LONGEST_JOINED_HEADING_WORDS:
        return larger.heading
    return f"{first.heading} and {second.heading}"


def _split(module: ModuleDraft) -> list[ModuleDraft]:
    if len(module.lessons) <= MOST_MODULE_LESSONS:
        return [module]
    depths = gap_depths([lesson.content for lesson in module.lessons])
    ones = np.ones(len(module.lessons), dtype=np.int_).tolist()
    spans = cut(ones, depths, least=LEAST_SPLIT_LESSONS, most=MOST_MODULE_LESSONS)
    return [ModuleDraft(module.heading, module.lessons[span.start : span.end], part=True) for span in spans]
