"""A knowledge map: themes of concepts for reading, and over them a graph of relations and of prerequisites.

The tree says where a concept belongs; `relations` say what it has to do with others, `prerequisites` what comes first.
"""

from typing import Annotated, Literal

from pydantic import Field

from workers.granulator.structure import Element, Source, Structure
from workers.granulator.wire import WireValue

RelationType = Literal["is_a", "part_of", "requires", "causes", "contrasts_with", "related_to"]


class Relation(WireValue):
    """What one concept has to do with another, both by id; `evidence` is the sentence of the source that says so."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    type: RelationType
    evidence: str = ""
    source: Source | None = None


class Concept(Element):
    """Something to know; `prerequisites` are ids of what must be known before.

    `weight` is 0..1 relative to the source's weightiest term. `mentions` are the numbers of the sentences that speak
    of it, among those the map is drawn from.
    """

    type: Literal["concept"] = "concept"
    id: str
    definition: str | None = None
    weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    mentions: tuple[int, ...] = ()
    prerequisites: tuple[str, ...] = ()


class Theme(Element):
    """Concepts that one part of the source is about."""

    type: Literal["theme"] = "theme"
    id: str
    children: tuple[Concept, ...] = ()


class KnowledgeMap(Structure):
    """A whole map."""

    type: Literal["knowledge_map"] = "knowledge_map"
    relations: tuple[Relation, ...] = ()
    children: tuple[Theme, ...] = ()

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """All concepts, in reading order."""
        return tuple(concept for theme in self.children for concept in theme.children)
