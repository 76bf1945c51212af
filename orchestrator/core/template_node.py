"""The nodes of a template's text: plain JSON values that know their line and column.

Invariant: an alias is the very node it stands for, and `extent` counts it each time it occurs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.core.json_value import JsonValue, Path
from orchestrator.core.template_fault import Position

Scalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Extent:
    """What a node amounts to with its aliases written out: nodes, characters of text, and levels of nesting."""

    nodes: int = 1
    characters: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class ScalarNode:
    value: Scalar
    position: Position
    extent: Extent


@dataclass(frozen=True, slots=True)
class ListNode:
    items: tuple["Node", ...]
    position: Position
    extent: Extent


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a map, where it stands, and its value."""

    key_position: Position
    value: "Node"


@dataclass(frozen=True, slots=True)
class MapNode:
    entries: Mapping[str, Entry]
    position: Position
    extent: Extent


Node: TypeAlias = ScalarNode | ListNode | MapNode


def plain(node: Node) -> JsonValue:
    """The node as a plain JSON value."""
    match node:
        case ScalarNode(value):
            return value
        case ListNode(items):
            return [plain(item) for item in items]
        case MapNode(entries):
            return {key: plain(entry.value) for key, entry in entries.items()}


def position_at(node: Node, path: Path) -> Position:
    """Where the value at `path` below `node` stands; of a path that leads nowhere, as far as it leads."""
    for segment in path:
        match node, segment:
            case MapNode(entries), str() if segment in entries:
                node = entries[segment].value
            case ListNode(items), int() if segment < len(items):
                node = items[segment]
            case _:
                break
    return node.position
