"""A structure in the result of an execution: where it is found, and what its ids stand for. Pure.

It knows no kind of structure: a node is whatever has a title, and the ones below it are its children.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Structured:
    """The tree that a result is about, and the output it was found in, which tells how good it is."""

    root: Node
    told: Mapping[str, Any]

    @property
    def judges(self) -> tuple[Mapping[str, Any], ...]:
        """Who says how good it is, most believed first: a validator before the stage that made it."""
        judges = (self.told.get("validation"), self.told.get("quality"), self.told)
        return tuple(judge for judge in judges if isinstance(judge, Mapping))

    @property
    def score(self) -> Any:
        """What it is worth; None where nobody says."""
        scores = (judge.get(name) for judge in self.judges for name in ("qualityScore", "score"))
        return next((score for score in scores if score is not None), None)

    @property
    def findings(self) -> list[Any] | None:
        """What was found wrong with it; None where nobody looked."""
        return next((judge["findings"] for judge in self.judges if isinstance(judge.get("findings"), list)), None)


def find_structured(result: Any) -> Structured | None:
    """The first tree in the result itself, else in one of its outputs: a `structure`, or a `document`."""
    if not isinstance(result, Mapping):
        return None
    for told in (result, *result.values()):
        for name in ("structure", "document"):
            if isinstance(told, Mapping) and is_node(told.get(name)):
                return Structured(told[name], told)
    return None


def is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and "title" in value


def children(node: Node) -> list[Node]:
    """The nodes directly below this one."""
    below = node.get("children")
    return [child for child in below if is_node(child)] if isinstance(below, list) else []


def scope(node: Node, outer: Mapping[str, str]) -> Mapping[str, str]:
    """What ids mean in this node: the titles by id of those below, or what they mean around it.

    A node without an id begins a scope of its own, so that structures in one document never meet: "tide" may be the
    id of a concept in one of them and a plain word in another.
    """
    return outer if _has_id(node) else {below["id"]: str(below["title"]) for below in _with_ids(node)}


def _has_id(node: Node) -> bool:
    return isinstance(node.get("id"), str)


def _with_ids(node: Node) -> Iterator[Node]:
    for child in filter(_has_id, children(node)):
        yield child
        yield from _with_ids(child)
