"""What all six structures share: a tree of elements, each with a type and a title, under a root that says its origin.

A kind of structure narrows these values in its own package; whoever only draws or walks one needs no more than this.
"""

from typing import Final, Literal, get_args

from pydantic import Field

from workers.granulator.wire import WireValue

StructureType = Literal["course", "quiz", "novel", "workflow", "knowledge_map", "learning_path"]
STRUCTURE_TYPES: Final[tuple[StructureType, ...]] = get_args(StructureType)

NOTICE: Final = "unsourced skeleton: made from the topic alone, no source text was given"


class Source(WireValue):
    """Where in the source an element comes from: a section's heading, and the first and last sentence's number."""

    section: str | None
    sentences: tuple[int, int]


class Element(WireValue):
    """A part of a structure; the ones below it are its children."""

    type: str
    title: str = ""
    description: str = ""
    source: Source | None = None
    children: tuple["Element", ...] = ()


class Structure(Element):
    """A whole one. `sourced` tells whether it was made from a text, and `notice` says so where it was not."""

    provider: str = "offline"
    sourced: bool = True
    notice: str | None = None


class Brief(WireValue):
    """What is wanted of a structure beside its type: for whom, how finely divided, and how many elements at most."""

    audience: str | None = Field(default=None, max_length=200)
    granularity_level: int = Field(default=3, ge=1, le=5)
    max_elements: int = Field(default=100, ge=10, le=1000)
