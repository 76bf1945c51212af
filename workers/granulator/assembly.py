"""Several structures made into one document: a part each, in the order given, under one title.

The parts stay what they are; nothing is written anew, and what was found wrong with them is told beside them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from workers.granulator.inputs import MOST_STRUCTURES, ParsedStructure
from workers.granulator.structure import NOTICE, Element
from workers.granulator.wire import WireValue

Json = dict[str, Any]

UNTITLED = "Untitled document"


class Part(WireValue):
    """One structure as it was granulated; what else came with it is left out."""

    structure: ParsedStructure


class AssembleInput(WireValue):
    """Structures by the names they are to have in the result, and the title of the whole."""

    parts: Annotated[dict[str, Part], Field(min_length=1, max_length=MOST_STRUCTURES)]
    title: Annotated[str, Field(max_length=200)] | None = None
    quality: JsonValue = None


class Document(Element):
    """The whole. `sourced` tells whether every part was made from a text."""

    type: Literal["document"] = "document"
    sourced: bool
    notice: str | None


def assembled(given: AssembleInput) -> Json:
    """The action `assemble`: `{document, structures}`, the document's children being the structures by name."""
    structures = {name: part.structure for name, part in given.parts.items()}
    sourced = all(structure.sourced for structure in structures.values())
    whole = Document(
        title=given.title or next(_titles(given), UNTITLED),
        description=f"Holds {_counted(len(structures), 'part')}: {', '.join(_told(kind) for kind in _types(given))}.",
        sourced=sourced,
        notice=None if sourced else NOTICE,
    )
    parts = {name: structure.model_dump(mode="json", by_alias=True) for name, structure in structures.items()}
    # Said by the elements' own classes, not by the class of an element, which knows less of them.
    document = {**whole.model_dump(mode="json", by_alias=True), "children": list(parts.values())}
    return {"document": document, "structures": parts, "quality": given.quality}


def _titles(given: AssembleInput) -> Iterator[str]:
    return (part.structure.title for part in given.parts.values() if part.structure.title)


def _types(given: AssembleInput) -> Iterator[str]:
    return (part.structure.type for part in given.parts.values())


def _told(kind: str) -> str:
    return f"a {kind.replace('_', ' ')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
