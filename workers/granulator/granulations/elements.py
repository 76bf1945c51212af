"""A structure as rows and back: what was taken apart is put together again the same.

Rows are in reading order, so a parent always stands before its children.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_COLUMNS = frozenset({"type", "title", "description", "children"})


class BrokenStructure(ValueError):
    """Rows that no structure can be made of; the message says which."""


@dataclass(frozen=True, slots=True)
class ElementRow:
    """One element. The root is number 0 and has no parent; `sequence_order` counts from 0 among siblings."""

    element_id: int
    parent_id: int | None
    sequence_order: int
    element_type: str
    title: str
    description: str
    attributes: Json


def taken_apart(structure: Json) -> tuple[ElementRow, ...]:
    """The rows of a structure's JSON document."""
    rows: list[ElementRow] = []
    waiting: list[tuple[Json, int | None, int]] = [(structure, None, 0)]
    while waiting:
        element, parent_id, order = waiting.pop()
        element_id = len(rows)
        rows.append(_row(element, element_id, parent_id, order))
        children = list(enumerate(element.get("children", ())))
        waiting.extend((child, element_id, place) for place, child in reversed(children))
    return tuple(rows)


def put_together(rows: Iterable[ElementRow]) -> Json:
    """The structure's JSON document, nested; raises BrokenStructure for no rows, or one whose parent is not there."""
    elements: dict[int, Json] = {}
    for row in sorted(rows, key=lambda row: row.element_id):
        element = {"type": row.element_type, "title": row.title, "description": row.description, **row.attributes}
        elements[row.element_id] = {**element, "children": []}
        if row.parent_id is not None:
            if row.parent_id not in elements:
                raise BrokenStructure(f"Element {row.element_id} is a child of {row.parent_id}, which is not there.")
            elements[row.parent_id]["children"].append(elements[row.element_id])
    if 0 not in elements:
        raise BrokenStructure("The structure has no root.")
    return elements[0]


def _row(element: Json, element_id: int, parent_id: int | None, order: int) -> ElementRow:
    return ElementRow(
        element_id,
        parent_id,
        order,
        str(element["type"]),
        str(element.get("title", "")),
        str(element.get("description", "")),
        {name: value for name, value in element.items() if name not in _COLUMNS},
    )
