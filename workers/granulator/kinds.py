"""The kinds of structure the granulator makes: for each the value it is, and what builds, sketches and judges one.

Whoever has a structure's type needs nothing else to make, read or check one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Generic, TypeVar

from workers.granulator.course.rules import check as check_course
from workers.granulator.course.skeleton import skeleton as course_skeleton
from workers.granulator.course.structure import Course, granulate
from workers.granulator.knowledge_map.build import build as build_knowledge_map
from workers.granulator.knowledge_map.rules import check as check_knowledge_map
from workers.granulator.knowledge_map.skeleton import skeleton as knowledge_map_skeleton
from workers.granulator.knowledge_map.structure import KnowledgeMap
from workers.granulator.learning_path.build import build as build_learning_path
from workers.granulator.learning_path.rules import check as check_learning_path
from workers.granulator.learning_path.skeleton import skeleton as learning_path_skeleton
from workers.granulator.learning_path.structure import LearningPath
from workers.granulator.novel.build import build as build_novel
from workers.granulator.novel.rules import check as check_novel
from workers.granulator.novel.skeleton import skeleton as novel_skeleton
from workers.granulator.novel.structure import Novel
from workers.granulator.quality.finding import Finding
from workers.granulator.quiz.build import build as build_quiz
from workers.granulator.quiz.rules import check as check_quiz
from workers.granulator.quiz.skeleton import skeleton as quiz_skeleton
from workers.granulator.quiz.structure import Quiz
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Structure, StructureType
from workers.granulator.workflow.build import build as build_workflow
from workers.granulator.workflow.rules import check as check_workflow
from workers.granulator.workflow.skeleton import skeleton as workflow_skeleton
from workers.granulator.workflow.structure import Workflow

Root = TypeVar("Root", bound=Structure)


class UnknownType(ValueError):
    """No structure has this type; the message names those there are, and the nearest one."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Root]):
    """How one kind of structure is made from an outline or from a topic alone, and which of its rules one breaks.

    `build` raises EmptyOutline, `skeleton` raises UnusableTopic; `check` judges anything that parses as `structure`.
    """

    structure: type[Root]
    build: Callable[[Outline, Brief], Root]
    skeleton: Callable[[str, Brief], Root]
    check: Callable[[Root], tuple[Finding, ...]]


KINDS: Final[Mapping[StructureType, Kind[Any]]] = {
    "course": Kind(Course, granulate, course_skeleton, check_course),
    "quiz": Kind(Quiz, build_quiz, quiz_skeleton, check_quiz),
    "novel": Kind(Novel, build_novel, novel_skeleton, check_novel),
    "workflow": Kind(Workflow, build_workflow, workflow_skeleton, check_workflow),
    "knowledge_map": Kind(KnowledgeMap, build_knowledge_map, knowledge_map_skeleton, check_knowledge_map),
    "learning_path": Kind(LearningPath, build_learning_path, learning_path_skeleton, check_learning_path),
}


def kind_of(name: str) -> Kind[Any]:
    """The kind whose type has this name; raises UnknownType."""
    for known, kind in KINDS.items():
        if known == name:
            return kind
    near = get_close_matches(name, KINDS, n=1)
    hint = f"did you mean “{near[0]}”?" if near else f"there are {', '.join(KINDS)}."
    raise UnknownType(f"There is no structure type “{name[:60]}”; {hint}")


def parse(document: Mapping[str, Any]) -> Structure:
    """The structure a JSON object holds, by its `type`; raises UnknownType, or pydantic's ValidationError."""
    structure: Structure = kind_of(str(document.get("type", ""))).structure.model_validate(document)
    return structure


def check(structure: Structure) -> tuple[Finding, ...]:
    """The rules of its own kind that a structure breaks; raises UnknownType for the bare base value."""
    return kind_of(structure.type).check(structure)
