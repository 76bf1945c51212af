"""Which elements of each kind are its parts and its leaves, whose titles are compared, and which follow the source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Types = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Types of elements: `parts` hold `leaves`, of which each should hold `least`.

    Titles are compared within each group of `compared`; across the groups one may repeat another, as the concept that a
    theme is named after does. Elements of `in_order` come in the order of what they cite.
    """

    parts: Types
    leaves: Types
    compared: tuple[Types, ...]
    least: int = 2
    in_order: Types = ()

    @property
    def entitled(self) -> Types:
        """The types whose titles are judged."""
        return tuple(name for types in self.compared for name in types)


VIEWS: Final[Mapping[str, View]] = {
    "course": View(
        parts=("module",),
        leaves=("lesson",),
        compared=(("module", "lesson"),),
        in_order=("lesson",),
    ),
    # What a question asks is compared by its own rule.
    "quiz": View(
        parts=("category",),
        leaves=("question",),
        compared=(("category",),),
    ),
    "novel": View(
        parts=("chapter",),
        leaves=("scene",),
        compared=(("act", "chapter", "scene"),),
        least=1,
    ),
    "workflow": View(
        parts=("phase",),
        leaves=("step", "decision"),
        compared=(("phase", "step", "decision"),),
        in_order=("step", "decision"),
    ),
    "knowledge_map": View(
        parts=("theme",),
        leaves=("concept",),
        compared=(("theme",), ("concept",)),
    ),
    "learning_path": View(
        parts=("milestone",),
        leaves=("step",),
        compared=(("milestone",), ("step",)),
        in_order=("milestone",),
    ),
}
