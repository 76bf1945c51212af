"""Changing a structure element by element: a copy is made, and what was given stays as it was."""

from collections.abc import Callable
from typing import TypeVar

from workers.granulator.structure import Element

E = TypeVar("E", bound=Element)

Change = Callable[[Element, str], Element | None]
"""Takes an element, whose children have been changed already, and its JSON pointer; None leaves it out."""


def rebuilt(root: E, change: Change) -> E:
    """The structure with every element below the root changed, children before their parents."""
    return root.model_copy(update={"children": _changed(root, change, "")})


def _changed(parent: Element, change: Change, path: str) -> tuple[Element, ...]:
    changed = []
    for index, child in enumerate(parent.children):
        place = f"{path}/children/{index}"
        below = child.model_copy(update={"children": _changed(child, change, place)})
        result = change(below, place)
        if result is not None:
            changed.append(result)
    return tuple(changed)
