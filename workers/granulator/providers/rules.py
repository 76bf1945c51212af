"""What each kind of structure must be, in sentences for a model; in words, what the kinds' own checks measure."""

from collections.abc import Mapping
from typing import Final

from workers.granulator.structure import StructureType

RULES: Final[Mapping[StructureType, tuple[str, ...]]] = {
    "course": (
        "The first child is one overview; after it come modules, and every module has at least two lessons.",
        "Every module and lesson has objectives that begin with a verb and can be tested.",
        "A parent's durationMinutes is the sum of its children's.",
        "Together the lessons cover every section of the source, in its order.",
    ),
    "quiz": (
        "The questions stand in categories, one for each part of the source, and cover all of it.",
        "The answer is right by the source, and is one of the options word for word, not always in the same place.",
        "There are three to six options; the wrong ones are plausible, of the answer's sort, and all different.",
        "An open question has no options. The explanation is the source's own sentence that settles the question.",
        "About 40 % of the questions are easy, 45 % medium and 15 % hard.",
        "No question names its own answer or gives away another's, and no two ask the same.",
    ),
    "novel": (
        "The chapters stand in three acts: the first sets out, the second and longest complicates, the third resolves.",
        "Every scene has a conflict, and names only characters and places that the structure introduces.",
        "What happens later follows from what happened before.",
    ),
    "workflow": (
        "A phase holds the steps that belong together; a step's title says what is done and begins with a verb.",
        "Steps are joined by their ids: next and branches say what follows, starts and ends where it begins and stops.",
        "Every branch names its condition; every step can be reached from a start, and an end from every step.",
        "What goes into a step is there at the start or comes out of an earlier step.",
        "A step of type decision has at least two branches.",
    ),
    "knowledge_map": (
        "A concept is defined in the source's own words where it defines it; no two concepts are the same thing.",
        "Relations and prerequisites name concepts of the map by their ids, and no concept is related to itself.",
        "The evidence of a relation is the source's own sentence that says it.",
        "Prerequisites form no circle, and every concept is related to at least one other.",
    ),
    "learning_path": (
        "Milestones stand in the order they are reached in, and each needs only what stands before it.",
        "Every milestone says how one can tell that it is reached.",
        "A parent's durationMinutes is the sum of its children's.",
    ),
}
EVERY_KIND: Final = (
    "Titles are short, specific and never alike; none is a bare number or a word like “Introduction”.",
    "Every id is given once, and whatever refers to one names one that is there.",
)
SOURCED: Final = ("Nothing is invented: what the source does not say is left out.",)
UNSOURCED: Final = ("There is no source: keep to what is generally known, and claim no figures, dates or quotations.",)
