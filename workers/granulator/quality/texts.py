"""What of each kind of element is judged: the texts a reader reads, the time it takes, and what it still lacks.

Here alone quality knows one kind from another; an element of no kind known here is its title and its description.
"""

from collections.abc import Collection

from workers.granulator.course.structure import Course, Node
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap
from workers.granulator.learning_path.structure import LearningPath, Milestone
from workers.granulator.learning_path.structure import Step as PathStep
from workers.granulator.novel.structure import Novel, Scene
from workers.granulator.quiz.structure import Question
from workers.granulator.structure import Element, Structure
from workers.granulator.workflow.structure import Step as WorkStep

LEAST_POINTS = 2


def texts_of(element: Element) -> tuple[str, ...]:
    """What is read of an element itself, without what stands below it.

    Key terms are left out, and so are wrong answers and notes on what is still open: they say nothing of the source.
    """
    match element:
        case Course(objectives=objectives):
            return element.title, *objectives
        case Node(objectives=objectives, outline=outline):
            return element.title, *objectives, *outline
        case Question():
            return element.stem, element.answer, element.explanation
        case Novel():
            return element.title, element.premise
        case Scene():
            return element.title, element.description, *settled(element).values()
        case WorkStep():
            conditions = [branch.condition for branch in element.branches]
            handled = (*element.inputs, *element.outputs)
            return element.title, element.description, *element.actions, *conditions, *handled
        case Concept():
            return element.title, element.description, element.definition or ""
        case KnowledgeMap():
            return element.title, *(relation.evidence for relation in element.relations)
        case Milestone():
            asked = texts_of(element.checkpoint) if element.checkpoint else ()
            return element.title, element.description, *element.outcomes, *asked
        case _:
            return element.title, element.description


def minutes_of(element: Element) -> int | None:
    """How long an element says that it lasts; None for one that says nothing of time."""
    match element:
        case Course() | Node() | LearningPath() | Milestone() | PathStep():
            return element.duration_minutes
        case _:
            return None


def settled(scene: Scene) -> dict[str, str]:
    """What a scene says of its goal, its conflict and its outcome, by their names, as far as it is no open question."""
    parts = {"goal": scene.goal, "conflict": scene.conflict, "outcome": scene.outcome}
    return {name: text for name, text in parts.items() if text.strip() and name not in scene.open}


def related_ids(structure: Structure) -> frozenset[str]:
    """The ids of the elements that a structure's relations join; a kind without relations has none."""
    relations = structure.relations if isinstance(structure, KnowledgeMap) else ()
    return frozenset(end for relation in relations for end in (relation.from_, relation.to))


def lack_of(leaf: Element, related: Collection[str]) -> str | None:
    """What a leaf is without and should not be, as the end of a sentence on it; None where it is all there."""
    match leaf:
        case Node():
            return f"has fewer than {LEAST_POINTS} points" if len(leaf.outline) < LEAST_POINTS else None
        case Question():
            return None if leaf.answer.strip() and leaf.explanation.strip() else "does not say what is right, and why"
        case Scene():
            return None if len(settled(leaf)) == len(("goal", "conflict", "outcome")) else "leaves its course open"
        case WorkStep():
            is_said = bool(leaf.branches) or any(text.strip() for text in (leaf.description, *leaf.actions))
            return None if is_said else "does not say how it is done"
        case Concept():
            is_said = any(text.strip() for text in (leaf.definition or "", leaf.description)) or leaf.id in related
            return None if is_said else "is neither explained nor related to another"
        case _:
            return None
