"""Directed graphs of named nodes, as mappings from a node to those it points at; nothing here is written to."""

from collections.abc import Collection, Mapping

Graph = Mapping[str, Collection[str]]


def reaches(graph: Graph, start: str, goal: str) -> bool:
    """Whether a walk of at least one step leads from one node to the other."""
    pending, seen = list(graph.get(start, ())), set()
    while pending:
        node = pending.pop()
        if node == goal:
            return True
        if node not in seen:
            seen.add(node)
            pending += graph.get(node, ())
    return False


def find_cycle(graph: Graph) -> tuple[str, ...] | None:
    """The nodes of one cycle, from a node back to itself; None where there is none."""
    for start in graph:
        if reaches(graph, start, start):
            return _walk_back(graph, start)
    return None


def reduced(graph: Graph) -> dict[str, tuple[str, ...]]:
    """An acyclic graph without the edges that a longer walk makes superfluous; order is kept."""
    return {
        node: tuple(goal for goal in goals if not any(other != goal and reaches(graph, other, goal) for other in goals))
        for node, goals in graph.items()
    }


def _walk_back(graph: Graph, start: str) -> tuple[str, ...]:
    walk = [start]
    while True:
        node = next(goal for goal in graph[walk[-1]] if goal == start or reaches(graph, goal, start))
        if node in walk:
            return (*walk[walk.index(node) :], node)
        walk.append(node)
