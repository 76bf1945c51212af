"""Parts for the sections of the source that a structure leaves out, taken from one that the rules build."""

from typing import Final

from workers.granulator.knowledge_map.structure import KnowledgeMap
from workers.granulator.quality.claims import Range, ranges_of
from workers.granulator.quality.source_measures import left_out_sections
from workers.granulator.quality.tree import lay_out, placed_below
from workers.granulator.quality.yardstick import from_outline
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Element, Structure

COMPLETED: Final = ("course", "quiz", "knowledge_map", "learning_path")
"""Kinds that a part can be added to as it is; a workflow and a novel are each one whole, which that would tear."""


def completed(structure: Structure, built: Structure, outline: Outline, most: int) -> Structure:
    """The structure with those parts of `built` that are on sections it leaves out, up to `most` elements.

    Both are of one kind, one of `COMPLETED`. A part whose ids the structure has already given is left out.
    """
    tree = lay_out(structure)
    missing = [_sentences(outline, number) for number in left_out_sections(tree, from_outline(outline))]
    taken = {getattr(placed.element, "id", None) for placed in tree.elements} - {None}
    room = most - len(tree.elements)
    added: list[Element] = []
    for part in built.children:
        below = [part, *(placed.element for placed in placed_below(part))]
        ids = {getattr(element, "id", None) for element in below} - {None}
        if len(below) <= room and not ids & taken and _is_on(part, missing):
            added.append(part)
            room -= len(below)
    whole = structure.model_copy(update={"children": (*structure.children, *added)})
    if isinstance(structure, KnowledgeMap) and isinstance(built, KnowledgeMap) and added:
        # Those to what was not taken over are no references that a map may keep; whoever repairs it leaves them out.
        return whole.model_copy(update={"relations": (*structure.relations, *built.relations)})
    return whole


def _sentences(outline: Outline, number: int) -> Range | None:
    """The first and last sentence of a section by its number from 1; None for one without text."""
    passages = outline.sections[number - 1].passages
    return (passages[0].sentences[0], passages[-1].sentences[1]) if passages else None


def _is_on(part: Element, missing: list[Range | None]) -> bool:
    return any(
        span is not None and first <= span[1] and span[0] <= last for first, last in ranges_of(part) for span in missing
    )
