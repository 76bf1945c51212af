"""How finely a course is cut: what the brief's level asks for, within the number of elements that it allows.

Level 3 is the text's own division; below it neighbours are joined, above it passages are cut. No passage is lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Final, TypeVar

from workers.granulator.course.arrangement import Arrangement, LessonDraft, ModuleDraft, join_lessons, join_modules
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief

_PIECES_OF_PASSAGE: Final = {4: 2, 5: 3}
_LESSONS_KEPT: Final = {1: 1 / 3, 2: 2 / 3}
_MOST_MODULES: Final = {1: 6, 2: 10}
# A module that teaches one lesson is no module; so each is given room for two, and its own place.
LEAST_MODULE_LESSONS = 2
_MODULE_ROOM = 1 + LEAST_MODULE_LESSONS
_OVERVIEW_ROOM = 1

_Part = TypeVar("_Part")


def pieces_of_passage(outline: Outline, brief: Brief) -> int:
    """In how many pieces each passage is to be cut: as the level asks, where there will be room for them."""
    passages = sum(len(section.passages) for section in outline.sections)
    return max(1, min(_PIECES_OF_PASSAGE.get(brief.granularity_level, 1), brief.max_elements // max(passages, 1)))


def fitted(arrangement: Arrangement, brief: Brief) -> Arrangement:
    """The arrangement with modules and lessons joined, the shortest neighbours first, until it fits the brief."""
    level, room = brief.granularity_level, brief.max_elements - _OVERVIEW_ROOM
    modules = list(arrangement.modules)
    modules = _joined(modules, min(_MOST_MODULES.get(level, room), room // _MODULE_ROOM), _words, _join_pair)
    lessons = sum(len(module.lessons) for module in modules)
    most = room - len(modules)
    modules = _with_fewer_lessons(
        modules, min(most, ceil(lessons * _LESSONS_KEPT.get(level, 1))), least=LEAST_MODULE_LESSONS
    )
    modules = _with_fewer_lessons(modules, most, least=1)
    headings = [module.heading for module in modules]
    parted = (replace(module, part=module.part and headings.count(module.heading) > 1) for module in modules)
    return Arrangement(arrangement.opening, tuple(parted))


def _words(part: ModuleDraft | LessonDraft) -> int:
    return part.words


def _join_pair(first: ModuleDraft, second: ModuleDraft) -> ModuleDraft:
    if first.heading == second.heading:
        return replace(first, lessons=first.lessons + second.lessons)
    return join_modules([first, second])


def _joined(
    parts: Sequence[_Part], most: int, size: Callable[[_Part], int], join: Callable[[_Part, _Part], _Part]
) -> list[_Part]:
    """At most so many parts: the two neighbours that are shortest together become one, time and again."""
    joined = list(parts)
    while len(joined) > max(most, 1):
        place = min(range(len(joined) - 1), key=lambda index: size(joined[index]) + size(joined[index + 1]))
        joined[place : place + 2] = [join(joined[place], joined[place + 1])]
    return joined


def _with_fewer_lessons(modules: Sequence[ModuleDraft], most: int, *, least: int) -> list[ModuleDraft]:
    """At most so many lessons in all, as far as each module may keep `least`: the one with most gives first."""
    kept = [len(module.lessons) for module in modules]
    for _ in range(sum(kept) - most):
        place = max(range(len(kept)), key=lambda index: (kept[index], -modules[index].words))
        if kept[place] <= least:
            break
        kept[place] -= 1
    return [
        replace(module, lessons=tuple(_joined(module.lessons, number, _words, join_lessons)))
        for module, number in zip(modules, kept, strict=True)
    ]
