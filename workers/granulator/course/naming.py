"""Which title each part of a course gets: headings are given out first, so that no made title takes one of them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from workers.granulator.course.arrangement import Arrangement, LessonDraft, ModuleDraft
from workers.granulator.course.titles import TitleRegister, made_titles, sentence_case, titles_from_terms

FURTHER = "Further points"


@dataclass(frozen=True, slots=True)
class Titles:
    """The titles of a course: the overview's, the modules', and each module's lessons'."""

    overview: str
    modules: tuple[str, ...]
    lessons: tuple[tuple[str, ...], ...]


def entitle(course: str, arrangement: Arrangement, names: Collection[str] | None) -> Titles:
    """Title every part; `names` are the words that keep their capital inside a title, None for text not in English."""
    register = TitleRegister()
    register.claim([course])
    overview = f"Overview: {course}"
    modules = tuple(register.claim(_module_titles(module, names)) for module in arrangement.modules)
    places = [(row, column) for row, module in enumerate(arrangement.modules) for column in range(len(module.lessons))]
    titles: dict[tuple[int, int], str] = {}
    for headed in (True, False):
        for row, column in places:
            lesson = arrangement.modules[row].lessons[column]
            if bool(lesson.heading) is headed:
                titles[row, column] = register.claim(_lesson_titles(lesson, modules[row], column, names))
    return Titles(
        overview,
        modules,
        tuple(
            tuple(titles[row, column] for column in range(len(module.lessons)))
            for row, module in enumerate(arrangement.modules)
        ),
    )


def _module_titles(module: ModuleDraft, names: Collection[str] | None) -> Iterator[str]:
    """The heading, else the terms of all lessons together: what one sentence says is too narrow for a module."""
    if module.heading and not module.part:
        yield module.heading
    prefix = f"{module.heading}: " if module.heading else ""
    if names is not None:
        points = [point for lesson in module.lessons for point in lesson.points]
        terms = {term: weight for lesson in module.lessons for term, weight in lesson.terms.items()}
        yield from (prefix + title for title in titles_from_terms(terms, points, names))
    yield from (prefix + sentence_case(term) for lesson in module.lessons for term in lesson.terms)
    yield prefix + FURTHER


def _lesson_titles(lesson: LessonDraft, module: str, place: int, names: Collection[str] | None) -> Iterator[str]:
    if lesson.heading:
        yield lesson.heading
    made = [] if names is None else made_titles(lesson.terms, lesson.points, names)
    yield from made
    if lesson.heading:
        yield from (f"{lesson.heading}: {title}" for title in made)
    yield from (sentence_case(term) for term in lesson.terms)
    yield f"{module}, part {place + 1}"
