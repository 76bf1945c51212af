"""A knowledge map from a topic alone: places for concepts, labelled as such, that claim no knowledge of the topic."""

from typing import NamedTuple

from workers.granulator.course.titles import sentence_case
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap, Relation, RelationType, Theme
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import usable_topic


class _Stub(NamedTuple):
    """A concept to be filled, in which {} is the topic, and what it has to do with an earlier one."""

    id: str
    title: str
    theme: str
    relation: tuple[RelationType, str] | None = None


# What any topic can be asked for; nothing is said of what the answer is. The most telling come first.
_SCAFFOLD = (
    _Stub("topic", "The idea of {}", "The meaning of {}"),
    _Stub("purpose", "The purpose of {}", "The meaning of {}", ("related_to", "topic")),
    _Stub("parts", "The parts of {}", "The structure of {}", ("part_of", "topic")),
    _Stub("connections", "Connections of the parts", "The structure of {}", ("requires", "parts")),
    _Stub("uses", "Uses of {}", "The work of {}", ("requires", "purpose")),
    _Stub("examples", "An example of {}", "The work of {}", ("is_a", "topic")),
    _Stub("limits", "Limits of {}", "The work of {}", ("contrasts_with", "uses")),
    _Stub("terms", "The terms of {}", "The meaning of {}", ("related_to", "topic")),
    _Stub("kinds", "The kinds of {}", "The structure of {}", ("is_a", "topic")),
    _Stub("conditions", "What {} depends on", "The structure of {}", ("related_to", "topic")),
    _Stub("effects", "What {} brings about", "The work of {}", ("related_to", "uses")),
)


def skeleton(topic: str, brief: Brief) -> KnowledgeMap:
    """The scaffold for a topic, as much of it as the brief allows; raises UnusableTopic as `usable_topic` does."""
    given = usable_topic(topic)
    themes = list(dict.fromkeys(stub.theme for stub in _SCAFFOLD))
    stubs = _SCAFFOLD[: brief.max_elements - len(themes)]
    return KnowledgeMap(
        title=sentence_case(given.text),
        description="A scaffold of concepts without content; give a source text to have it filled.",
        sourced=False,
        notice=NOTICE,
        relations=tuple(
            Relation(from_=stub.id, to=stub.relation[1], type=stub.relation[0]) for stub in stubs if stub.relation
        ),
        children=tuple(
            Theme(
                id=f"theme:{number}",
                title=sentence_case(title.format(given.named)),
                children=tuple(_concept(stub, given.named) for stub in stubs if stub.theme == title),
            )
            for number, title in enumerate(themes, 1)
        ),
    )


def _concept(stub: _Stub, topic: str) -> Concept:
    return Concept(
        id=stub.id,
        title=sentence_case(stub.title.format(topic)),
        prerequisites=(stub.relation[1],) if stub.relation else (),
    )
