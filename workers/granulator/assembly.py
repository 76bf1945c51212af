"""Several structures made into one document: a part each, in the order given, under one title.

The parts stay what they are; nothing is written anew.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from workers.granulator.inputs import MOST_STRUCTURES, ParsedStructure
from workers.granulator.structure import NOTICE, Element
from workers.granulator.wire import WireValue

Json = dict[str, Any]

UNTITLED = "Untitled document"


class AssembleInput(WireValue):
    """Structures by name, in the order they are to have, and the title of the whole."""

    parts: Annotated[dict[str, ParsedStructure], Field(min_length=1, max_length=MOST_STRUCTURES)]
    title: Annotated[str, Field(max_length=200)] | None = None


class Document(Element):
    """The whole. `sourced` tells whether every part was made from a text."""

    type: Literal["document"] = "document"
    sourced: bool
    notice: str | None


def assembled(given: AssembleInput) -> Json:
    """The action `assemble`: the document, whose children are the structures."""
    parts = given.parts.values()
    sourced = all(part.sourced for part in parts)
    whole = Document(
        title=given.title or next(_titles(given), UNTITLED),
        description=f"Holds {_counted(len(parts), 'part')}: {', '.join(_told(part.type) for part in parts)}.",
        sourced=sourced,
        notice=None if sourced else NOTICE,
    )
    # Said by the elements' own classes, not by the class of an element, which knows less of them.
    children = [part.model_dump(mode="json", by_alias=True) for part in parts]
    return {**whole.model_dump(mode="json", by_alias=True), "children": children}


def _titles(given: AssembleInput) -> Iterator[str]:
    return (part.title for part in given.parts.values() if part.title)


def _told(kind: str) -> str:
    return f"a {kind.replace('_', ' ')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
