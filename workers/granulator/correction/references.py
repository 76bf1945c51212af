"""What names another element names one that is there, and one that may be named so; everything else is left out."""

from collections.abc import Collection
from functools import singledispatch

from workers.granulator.correction.rebuilding import rebuilt
from workers.granulator.graph import find_cycle
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap, Relation
from workers.granulator.learning_path.structure import LearningPath, Milestone
from workers.granulator.novel.structure import Act, Chapter, Novel, Scene
from workers.granulator.structure import Element, Structure
from workers.granulator.workflow.structure import Step, Workflow


@singledispatch
def with_references(structure: Structure) -> Structure:
    """The structure without its references to nothing; a kind whose elements do not name each other stays as it is."""
    return structure


@with_references.register
def _of_workflow(workflow: Workflow) -> Workflow:
    """A step that then leads nowhere is an end, and the first one is the start where none is named."""
    known = {step.id for step in workflow.steps}

    def change(element: Element, path: str) -> Element:
        if not isinstance(element, Step):
            return element
        branches = tuple(branch for branch in element.branches if branch.to in known and branch.condition.strip())
        return element.model_copy(update={"next": _kept(element.next, known), "branches": branches})

    changed = rebuilt(workflow, change)
    starts = _kept(workflow.starts, known) or tuple(step.id for step in changed.steps[:1])
    stops = (step.id for step in changed.steps if not step.ways_on)
    ends = tuple(dict.fromkeys((*_kept(workflow.ends, known), *stops)))
    return changed.model_copy(update={"starts": starts, "ends": ends})


@with_references.register
def _of_knowledge_map(knowledge_map: KnowledgeMap) -> KnowledgeMap:
    """Of prerequisites that run in a circle, those are kept that stand earlier."""
    concepts = knowledge_map.concepts
    known = {concept.id: place for place, concept in enumerate(concepts)}
    circular = find_cycle({concept.id: _kept(concept.prerequisites, known) for concept in concepts}) is not None

    def change(element: Element, path: str) -> Element:
        if not isinstance(element, Concept):
            return element
        kept = _kept(element.prerequisites, known)
        if circular:
            kept = tuple(name for name in kept if known[name] < known[element.id])
        return element.model_copy(update={"prerequisites": kept})

    relations: dict[tuple[str, str, str], Relation] = {}
    for relation in knowledge_map.relations:
        if relation.from_ in known and relation.to in known and relation.from_ != relation.to:
            relations.setdefault((relation.from_, relation.to, relation.type), relation)
    return rebuilt(knowledge_map, change).model_copy(update={"relations": tuple(relations.values())})


@with_references.register
def _of_learning_path(path: LearningPath) -> LearningPath:
    reached: list[str] = []
    milestones: list[Milestone] = []
    for milestone in path.children:
        milestones.append(milestone.model_copy(update={"requires": _kept(milestone.requires, reached)}))
        reached.append(milestone.id)
    return path.model_copy(update={"children": tuple(milestones)})


@with_references.register
def _of_novel(novel: Novel) -> Novel:
    """Codes say where a part stands; a scene names only the cast, and one of the cast is introduced where first met."""
    cast = {character.name for character in novel.characters}

    def change(element: Element, path: str) -> Element:
        code = ".".join(str(int(place) + 1) for place in path.split("/children/")[1:])
        if isinstance(element, Scene):
            present = {one.name: one for one in reversed(element.characters) if one.name in cast}
            here = tuple(one for one in element.characters if present.get(one.name) is one)
            return element.model_copy(update={"code": code, "characters": here})
        return element.model_copy(update={"code": code}) if isinstance(element, Act | Chapter) else element

    changed = rebuilt(novel, change)
    first: dict[str, str] = {}
    for scene in changed.scenes:
        for one in scene.characters:
            first.setdefault(one.name, scene.code)
    characters = tuple(one.model_copy(update={"introduced": first.get(one.name)}) for one in novel.characters)
    return changed.model_copy(update={"characters": characters})


def _kept(names: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name in known)
