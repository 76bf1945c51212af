"""How the passages of an outline are dealt out to modules and lessons, before anything is named or phrased.

Every passage lands in exactly one lesson or in the opening, in the order of the text.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

from workers.granulator.course.objectives import MATTERLESS_HEADINGS
from workers.granulator.language.readings import ReadSentence, read_sentence
from workers.granulator.source.analysis import content_words
from workers.granulator.source.cohesion import cut, gap_depths
from workers.granulator.source.outline import Outline, OutlineSection
from workers.granulator.source.points import Point
from workers.granulator.source.ranking import cosines

# A text before the first heading opens the course, unless it is long enough to be taught.
LONGEST_OPENING_WORDS = 260
# So much text between a heading and its first subsection only leads up to that.
LONGEST_LEAD_WORDS = 80
LEAST_LESSON_WORDS = 40
LEAST_MODULE_WORDS = 100
MOST_MODULE_LESSONS = 8
LEAST_SPLIT_LESSONS = 2
# A section this many times as large as its neighbour keeps its heading alone when the two are joined.
DOMINATES = 2
LONGEST_JOINED_HEADING_WORDS = 6


class EmptyOutline(ValueError):
    """There is nothing in an outline to make a course of."""


Reader = Callable[[Point], ReadSentence]


@dataclass(frozen=True, slots=True)
class LessonDraft:
    """What one lesson is made of; `heading` is a subsection's own, None below a module's heading.

    `sentences` are the first and last number in the text, `terms` are weighted and heaviest first.
    """

    heading: str | None
    section: str | None
    words: int
    sentences: tuple[int, int]
    points: tuple[ReadSentence, ...]
    terms: Mapping[str, float]

    @property
    def content(self) -> tuple[str, ...]:
        return tuple(word for point in self.points for word in content_words(point.tagged.tokens))


@dataclass(frozen=True, slots=True)
class ModuleDraft:
    """Lessons under one heading; `part` tells that the heading is shared with the modules next to it."""

    heading: str | None
    lessons: tuple[LessonDraft, ...]
    part: bool = False

    @property
    def words(self) -> int:
        return sum(lesson.words for lesson in self.lessons)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A course before it is written: the opening passages, if any, and the modules."""

    opening: LessonDraft | None
    modules: tuple[ModuleDraft, ...]


def arrange(outline: Outline) -> Arrangement:
    """Deal the passages out: top sections become modules, small ones are joined, large ones cut by cohesion.

    Raises EmptyOutline where no section has a passage.
    """
    if not any(section.passages for section in outline.sections):
        raise EmptyOutline("The outline has no passage to teach.")
    read = partial(_read, names=frozenset(outline.names), english=outline.english)
    sections = list(outline.sections)
    opening = reduce(join_lessons, _lessons_of(sections.pop(0), read)) if _opens(sections) else None
    modules = [module for group in _groups(sections) for module in _module(group, read)]
    modules = _without_small(modules, _least_words(modules))
    return Arrangement(opening, tuple(part for module in modules for part in _split(module)))


def _opens(sections: Sequence[OutlineSection]) -> bool:
    """Whether the first section only leads up to the others."""
    first = sections[0]
    rest = sections[1:]
    led_up_to = any(section.passages for section in rest) and rest[0].level == 1 and rest[0].heading is not None
    leads = first.heading is None or first.heading.lower() in MATTERLESS_HEADINGS
    return led_up_to and leads and len(first.passages) > 0 and first.word_count <= LONGEST_OPENING_WORDS


def _groups(sections: Sequence[OutlineSection]) -> list[list[OutlineSection]]:
    """Each top section with the subsections under it."""
    groups: list[list[OutlineSection]] = []
    for section in sections:
        if section.level == 1 or not groups:
            groups.append([section])
        else:
            groups[-1].append(section)
    return groups


def _module(group: Sequence[OutlineSection], read: Reader) -> list[ModuleDraft]:
    top, *below = group
    own = [replace(lesson, heading=None) for lesson in _lessons_of(top, read)]
    lessons = [lesson for section in below for lesson in _lessons_of(section, read)]
    if lessons and len(own) == 1 and own[0].words < LONGEST_LEAD_WORDS:
        lessons[0] = replace(join_lessons(own[0], lessons[0]), heading=lessons[0].heading, section=lessons[0].section)
    else:
        lessons = own + lessons
    return [ModuleDraft(top.heading, tuple(_joined(lessons)))] if lessons else []


def _read(point: Point, names: Collection[str], *, english: bool) -> ReadSentence:
    """The rules of reading are English; in another language they would read nonsense."""
    sentence = read_sentence(point.text, point.weight, names)
    return sentence if english else replace(sentence, reading=None)


def _lessons_of(section: OutlineSection, read: Reader) -> list[LessonDraft]:
    return [
        LessonDraft(
            heading=section.heading,
            section=section.heading,
            words=passage.words,
            sentences=passage.sentences,
            points=tuple(read(point) for point in passage.points),
            terms={term.term: term.weight for term in passage.terms},
        )
        for passage in section.passages
    ]


def _joined(lessons: Sequence[LessonDraft]) -> list[LessonDraft]:
    """The lessons with each too short to teach joined to the next, or the last of them to the one before."""
    result: list[LessonDraft] = []
    for lesson in lessons:
        if result and result[-1].words < LEAST_LESSON_WORDS:
            result[-1] = join_lessons(result[-1], lesson)
        else:
            result.append(lesson)
    if len(result) > 1 and result[-1].words < LEAST_LESSON_WORDS:
        result[-2:] = [join_lessons(result[-2], result[-1])]
    return result


def join_lessons(first: LessonDraft, second: LessonDraft) -> LessonDraft:
    """Two neighbours as one lesson, under the heading of the larger."""
    larger = second if second.words > first.words else first
    weights = {
        term: max(first.terms.get(term, 0.0), second.terms.get(term, 0.0)) for term in {**first.terms, **second.terms}
    }
    return LessonDraft(
        heading=larger.heading,
        section=larger.section,
        words=first.words + second.words,
        sentences=(first.sentences[0], second.sentences[1]),
        points=first.points + second.points,
        terms=dict(sorted(weights.items(), key=lambda item: -item[1])),
    )


def _least_words(modules: Sequence[ModuleDraft]) -> float:
    """What a module needs to stand alone: less in a short text, where every section is small."""
    usual = sum(module.words for module in modules) / len(modules)
    return max(LEAST_LESSON_WORDS, min(LEAST_MODULE_WORDS, usual / 2))


def _without_small(modules: Sequence[ModuleDraft], least: float) -> list[ModuleDraft]:
    """Each module under the least joined to the neighbour whose words are more like its own, from first to last."""
    runs: list[list[ModuleDraft]] = []
    waiting: list[ModuleDraft] = []
    for index, module in enumerate(modules):
        run, waiting = [*waiting, module], []
        following = modules[index + 1] if index + 1 < len(modules) else None
        if sum(part.words for part in run) >= least:
            runs.append(run)
        elif runs and (following is None or _is_nearer_to_first(runs[-1][-1], module, following)):
            runs[-1] += run
        elif following is not None:
            waiting = run
        else:
            runs.append(run)
    return [run[0] if len(run) == 1 else join_modules(run) for run in runs]


def _is_nearer_to_first(first: ModuleDraft, module: ModuleDraft, second: ModuleDraft) -> bool:
    likeness = cosines([first.lessons[-1].content, module.lessons[0].content, second.lessons[0].content])
    return bool(likeness[1, 0] >= likeness[1, 2])


def join_modules(run: Sequence[ModuleDraft]) -> ModuleDraft:
    """Neighbours as one module; what was a module's heading stays on its lessons."""
    lessons = tuple(
        replace(lesson, heading=lesson.heading or module.heading) for module in run for lesson in module.lessons
    )
    heading, words = run[0].heading, run[0].words
    for module in run[1:]:
        heading = _joined_heading((heading, words), (module.heading, module.words))
        words += module.words
    return ModuleDraft(heading, lessons)


def _joined_heading(first: tuple[str | None, int], second: tuple[str | None, int]) -> str | None:
    """Of two headings with the words under them: the larger one's, or both where they are short and of one weight."""
    (smaller, fewer), (larger, more) = sorted((first, second), key=lambda part: part[1])
    if not smaller or not larger or more >= DOMINATES * fewer:
        return larger or smaller
    both = f"{first[0]} and {second[0]}"
    return both if both.count(" and ") == 1 and len(both.split()) <= LONGEST_JOINED_HEADING_WORDS else larger


def _split(module: ModuleDraft) -> list[ModuleDraft]:
    if len(module.lessons) <= MOST_MODULE_LESSONS:
        return [module]
    depths = gap_depths([lesson.content for lesson in module.lessons])
    spans = cut([1] * len(module.lessons), depths, least=LEAST_SPLIT_LESSONS, most=MOST_MODULE_LESSONS)
    return [ModuleDraft(module.heading, module.lessons[span.start : span.end], part=True) for span in spans]
