"""What a structure says of its source, claim by claim: where it is said, and which sentences it cites."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workers.granulator.course.structure import Node
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap
from workers.granulator.learning_path.structure import Milestone
from workers.granulator.novel.structure import Scene
from workers.granulator.quality.texts import settled
from workers.granulator.quality.tree import Placed, Tree, placed_below
from workers.granulator.quiz.structure import Question
from workers.granulator.structure import Element, Source
from workers.granulator.workflow.structure import Step, Workflow

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A text at a JSON pointer, and the ranges of sentences that it cites; none: it is held against the whole source.

    `told` is a claim that tells a learner to do something: its first word is the telling and not the matter. A leaf's
    claims must cite; a part may speak of the whole.
    """

    text: str
    path: str
    cited: tuple[Range, ...]
    told: bool = False
    must_cite: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its JSON pointer and the ranges of sentences that it cites."""

    question: Question
    path: str
    cited: tuple[Range, ...]


def claims_of(tree: Tree) -> Iterator[Claim]:
    """All claims of a structure, in reading order; those of the relations that its root lists come first.

    Where a source has no procedure, the steps of its study tell what to do with it; such a step need cite nothing.
    """
    studies = isinstance(tree.root, Workflow) and not tree.root.procedural
    if isinstance(tree.root, KnowledgeMap):
        for place, relation in enumerate(tree.root.relations):
            yield Claim(relation.evidence, f"/relations/{place}/evidence", _cited(relation.source))
    for placed in tree.elements:
        must_cite = placed.element.type in tree.view.leaves
        if studies and not placed.element.source:
            continue
        for claim in _claims(placed):
            yield replace(claim, told=claim.told or studies, must_cite=must_cite)


def answers_of(tree: Tree) -> Iterator[Answered]:
    """The questions of a structure that have an answer, the checkpoints of milestones among them."""
    for placed in tree.elements:
        for question, path in _questions(placed):
            if question.answer.strip():
                yield Answered(question, path, _cited(question.source) or ranges_of(placed.element))


def ranges_of(element: Element) -> tuple[Range, ...]:
    """What an element cites, or where it cites nothing itself, what the elements below it do."""
    own = _cited(element.source)
    if own:
        return own
    return tuple(below.element.source.sentences for below in placed_below(element) if below.element.source)


def _claims(placed: Placed) -> Iterator[Claim]:
    element, cited = placed.element, ranges_of(placed.element)
    match element:
        case Node():
            for place, text in enumerate(element.outline):
                yield Claim(text, f"{placed.path}/outline/{place}", cited)
            for place, text in enumerate(element.objectives):
                yield Claim(text, f"{placed.path}/objectives/{place}", cited, told=True)
        case Scene():
            for name, text in settled(element).items():
                yield Claim(text, f"{placed.path}/{name}", cited)
        case Step():
            for place, text in enumerate(element.actions):
                yield Claim(text, f"{placed.path}/actions/{place}", cited)
        case Concept() if element.definition:
            yield Claim(element.definition, f"{placed.path}/definition", cited)
        case Milestone():
            for place, text in enumerate(element.outcomes):
                yield Claim(text, f"{placed.path}/outcomes/{place}", cited, told=True)
    for question, path in _questions(placed):
        yield Claim(question.explanation, f"{path}/explanation", _cited(question.source) or cited)


def _questions(placed: Placed) -> Iterator[tuple[Question, str]]:
    match placed.element:
        case Question():
            yield placed.element, placed.path
        case Milestone(checkpoint=Question() as checkpoint):
            yield checkpoint, f"{placed.path}/checkpoint"


def _cited(source: Source | None) -> tuple[Range, ...]:
    return (source.sentences,) if source else ()
