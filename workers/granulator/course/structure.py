"""A course from an outline: overview, modules and lessons that cover every section of the source.

Parents last exactly as long as their children together, and no two titles of one course are nearly alike.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import NonNegativeInt

from workers.granulator.course.arrangement import Arrangement, LessonDraft, ModuleDraft, arrange
from workers.granulator.course.granularity import fitted, pieces_of_passage
from workers.granulator.course.naming import Titles, entitle
from workers.granulator.course.objectives import (
    LESSON_OBJECTIVES,
    ORDER,
    Objective,
    account_of,
    objective_from_heading,
    objective_from_terms,
    objectives_from,
    quoted,
)
from workers.granulator.course.titles import sentence_case, titles_from_terms
from workers.granulator.language.readings import ReadSentence
from workers.granulator.language.tokens import count_words
from workers.granulator.pacing import study_minutes
from workers.granulator.source.division import divided
from workers.granulator.source.outline import Outline
from workers.granulator.source.points import strongest
from workers.granulator.structure import Brief, Element, Source, Structure

MODULE_OBJECTIVES = 2
OVERVIEW_POINTS = 4
NODE_TERMS = 6
TITLE_TERMS = 6
UNTITLED = "Untitled course"
DEFAULT_BRIEF = Brief()
COURSE_TERMS = 12
# How many terms an objective names at most.
NAMED_TERMS, USED_TERMS = 3, 5


class Node(Element):
    """A part of a course; a lesson has no children, and its outline holds sentences of the source."""

    type: Literal["overview", "module", "lesson"]
    objectives: tuple[str, ...] = ()
    outline: tuple[str, ...] = ()
    duration_minutes: NonNegativeInt = 0
    key_terms: tuple[str, ...] = ()
    children: tuple["Node", ...] = ()


class Course(Structure):
    """A whole course."""

    type: Literal["course"] = "course"
    objectives: tuple[str, ...] = ()
    duration_minutes: NonNegativeInt = 0
    key_terms: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()


def granulate(outline: Outline, brief: Brief = DEFAULT_BRIEF) -> Course:
    """Make the course of an outline; equal outlines and briefs give equal courses. Raises EmptyOutline."""
    arrangement = fitted(arrange(divided(outline, pieces_of_passage(outline, brief))), brief)
    title = outline.title or _title(outline, arrangement)
    titles = entitle(title, arrangement, frozenset(outline.names) if outline.english else None)
    writer = _Writer(outline)
    modules = tuple(
        writer.module(draft, title, lessons)
        for draft, title, lessons in zip(arrangement.modules, titles.modules, titles.lessons, strict=True)
    )
    overview = writer.overview(title, arrangement, titles)
    children = (overview, *modules)
    terms = tuple(term.term for term in outline.terms[:COURSE_TERMS])
    return Course(
        title=title,
        description=_description(outline, arrangement),
        objectives=(writer.account(title, _all_points(arrangement.modules)), *_usage(terms)),
        duration_minutes=sum(child.duration_minutes for child in children),
        key_terms=terms,
        children=children,
    )


class _Writer:
    """Writes nodes from drafts and sees to it that no objective is given twice in one course."""

    def __init__(self, outline: Outline) -> None:
        self._names = frozenset(outline.names)
        self._english = outline.english
        self._given: set[str] = set()

    def account(self, title: str, points: Sequence[ReadSentence]) -> str:
        return objective_from_heading(title, points, self._names) if self._english else account_of(title)

    def overview(self, title: str, arrangement: Arrangement, titles: Titles) -> Node:
        opening = arrangement.opening
        points = opening.points if opening else strongest(_all_points(arrangement.modules), OVERVIEW_POINTS)
        terms = tuple(opening.terms if opening else arrangement.modules[0].lessons[0].terms)
        chosen = self._fresh([f"List the main parts of “{title}”."], 1)
        words = opening.words if opening else sum(count_words(point.text) for point in points)
        return Node(
            type="overview",
            title=titles.overview,
            objectives=chosen,
            outline=tuple(point.text for point in points),
            duration_minutes=study_minutes(words, len(chosen)),
            key_terms=terms[:NODE_TERMS],
            source=Source(section=None, sentences=opening.sentences) if opening else None,
        )

    def module(self, draft: ModuleDraft, title: str, lesson_titles: Sequence[str]) -> Node:
        written = [self._lesson(lesson, title) for lesson, title in zip(draft.lessons, lesson_titles, strict=True)]
        lessons = tuple(node for node, _ in written)
        spare = sorted((item for _, left in written for item in left), key=lambda item: -item.rank)
        points = _all_points([draft])
        own = [self.account(title, points), *(item.text for item in spare)]
        weighted = sorted(
            (item for lesson in draft.lessons for item in lesson.terms.items()), key=lambda item: -item[1]
        )
        return Node(
            type="module",
            title=title,
            description=strongest(points, 1)[0].text,
            objectives=self._fresh(own, MODULE_OBJECTIVES) or self._fresh([account_of(title)], 1),
            duration_minutes=sum(lesson.duration_minutes for lesson in lessons),
            key_terms=tuple(dict.fromkeys(term for term, _ in weighted))[:NODE_TERMS],
            children=lessons,
        )

    def _lesson(self, draft: LessonDraft, title: str) -> tuple[Node, list[Objective]]:
        chosen, left = self._objectives(draft, title)
        node = Node(
            type="lesson",
            title=title,
            objectives=chosen,
            outline=tuple(point.text for point in draft.points),
            duration_minutes=study_minutes(draft.words, len(chosen)),
            key_terms=tuple(draft.terms)[:NODE_TERMS],
            source=Source(section=draft.section, sentences=draft.sentences),
        )
        return node, left

    def _objectives(self, draft: LessonDraft, title: str) -> tuple[tuple[str, ...], list[Objective]]:
        """The objectives chosen for a lesson, in the order they are learnt in, and those left over."""
        found = objectives_from(draft.points, self._names)
        fresh = [objective for objective in found if objective.text not in self._given]
        chosen = tuple(
            item.text for item in sorted(fresh[:LESSON_OBJECTIVES], key=lambda item: ORDER.index(item.nature))
        )
        self._given.update(chosen)
        return chosen or self._plain_objective(draft, title), fresh[LESSON_OBJECTIVES:]

    def _plain_objective(self, draft: LessonDraft, title: str) -> tuple[str, ...]:
        """One objective for a lesson none of whose sentences makes one; no two titles are alike, so the last is new."""
        terms = tuple(draft.terms)[:NAMED_TERMS]
        headed = [self.account(title, draft.points)] if draft.heading else []
        named = [objective_from_terms(terms)] if terms else []
        return self._fresh([*headed, *named, account_of(title)], 1)

    def _fresh(self, objectives: Sequence[str], wanted: int) -> tuple[str, ...]:
        """The first objectives that are not yet given, and are from now on."""
        fresh = tuple(objective for objective in objectives if objective not in self._given)[:wanted]
        self._given.update(fresh)
        return fresh


def _title(outline: Outline, arrangement: Arrangement) -> str:
    """A title for a text that has none, from the terms that weigh most throughout."""
    terms = {term.term: term.weight for term in outline.terms[:TITLE_TERMS]}
    points = _all_points(arrangement.modules)
    made = titles_from_terms(terms, points, outline.names) if outline.english else []
    return next(iter([*made, *map(sentence_case, terms), UNTITLED]))


def _description(outline: Outline, arrangement: Arrangement) -> str:
    lessons = sum(len(module.lessons) for module in arrangement.modules)
    return (
        f"Follows a text of {outline.word_count:,} words in {_counted(len(arrangement.modules), 'module')} "
        f"and {_counted(lessons, 'lesson')}."
    )


def _usage(terms: Sequence[str]) -> Iterator[str]:
    """Longer terms first: they are the ones that a learner does not bring along."""
    chosen = sorted(terms, key=lambda term: " " not in term)[:USED_TERMS]
    if chosen:
        yield f"Use the {'terms' if len(chosen) > 1 else 'term'} {quoted(chosen)} correctly."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _all_points(modules: Sequence[ModuleDraft]) -> list[ReadSentence]:
    return [point for module in modules for lesson in module.lessons for point in lesson.points]
