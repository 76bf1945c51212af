"""The rules that every knowledge map keeps, whoever made it; each break of one is a finding with its place."""

from collections import defaultdict
from collections.abc import Iterator

from workers.granulator.graph import find_cycle
from workers.granulator.knowledge_map.structure import Concept, KnowledgeMap, Relation, RelationType
from workers.granulator.quality.finding import Finding, Severity
from workers.granulator.quality.reference_rules import Identified, dangling, id_findings
from workers.granulator.quality.title_rules import Titled, title_findings

FEWEST_CONCEPTS = 15
# Kinds of relation that lead from below to above, and so never in a circle.
DIRECTED: tuple[RelationType, ...] = ("is_a", "part_of", "requires")
MUTUAL: tuple[RelationType, ...] = ("contrasts_with", "related_to")
# The share of concepts without a relation from which on a map is a list.
MOST_ALONE = 0.5
# "The highest is called high water, and the lowest low water" defines two.
MOST_DEFINED_TOGETHER = 3


def check(knowledge_map: KnowledgeMap) -> tuple[Finding, ...]:
    """What is wrong with a map: its size, its tree, its relations and its prerequisites; empty where nothing is."""
    placed = [
        (concept, f"/children/{row}/children/{column}")
        for row, theme in enumerate(knowledge_map.children)
        for column, concept in enumerate(theme.children)
    ]
    return (
        *_size(knowledge_map, len(placed)),
        *_themes(knowledge_map),
        *id_findings(_identified(knowledge_map)),
        *title_findings([Titled(concept.title, path) for concept, path in placed]),
        *_definitions(placed),
        *_relations(knowledge_map),
        *_circles(knowledge_map.relations),
        *_prerequisites(placed),
    )


def _size(knowledge_map: KnowledgeMap, concepts: int) -> Iterator[Finding]:
    if not concepts:
        yield _finding("empty_structure", "error", "", "The map has no concept.")
        return
    if concepts < FEWEST_CONCEPTS:
        message = f"The map has {concepts} concepts; {FEWEST_CONCEPTS} or more are usual."
        yield _finding("unusual_size", "info", "", message)
    linked = {end for relation in knowledge_map.relations for end in (relation.from_, relation.to)}
    alone = [concept.title for concept in knowledge_map.concepts if concept.id not in linked]
    if concepts > 1 and len(alone) > MOST_ALONE * concepts:
        message = f"{len(alone)} of {concepts} concepts have no relation to any other, “{alone[0]}” for one."
        yield _finding("concepts_unrelated", "warning", "/relations", message)


def _themes(knowledge_map: KnowledgeMap) -> Iterator[Finding]:
    themes = [(theme, f"/children/{row}") for row, theme in enumerate(knowledge_map.children)]
    yield from title_findings([Titled(theme.title, path) for theme, path in themes])
    for theme, path in themes:
        if not theme.children:
            yield _finding("empty_theme", "warning", path, f"The theme “{theme.title}” has no concept.")


def _identified(knowledge_map: KnowledgeMap) -> Iterator[Identified]:
    for row, theme in enumerate(knowledge_map.children):
        yield Identified(theme.id, f"/children/{row}")
        for column, concept in enumerate(theme.children):
            yield Identified(concept.id, f"/children/{row}/children/{column}")


def _definitions(placed: list[tuple[Concept, str]]) -> Iterator[Finding]:
    """One sentence may define two concepts, but not the same text five."""
    seen: dict[str, list[str]] = defaultdict(list)
    for concept, path in placed:
        if concept.definition is not None and not concept.definition.strip():
            message = f"The definition of “{concept.title}” is empty."
            yield _finding("definition_empty", "warning", f"{path}/definition", message)
        elif concept.definition:
            seen[concept.definition.casefold()].append(path)
    for paths in seen.values():
        if len(paths) > MOST_DEFINED_TOGETHER:
            message = f"The definition is that of {len(paths) - 1} other concepts too."
            yield _finding("definition_repeated", "warning", f"{paths[-1]}/definition", message)


def _relations(knowledge_map: KnowledgeMap) -> Iterator[Finding]:
    known = {concept.id for concept in knowledge_map.concepts}
    seen: dict[tuple[str, str, str], int] = {}
    for place, relation in enumerate(knowledge_map.relations):
        path = f"/relations/{place}"
        yield from dangling(relation.from_, known, f"{path}/from")
        yield from dangling(relation.to, known, f"{path}/to")
        if relation.from_ == relation.to:
            yield _finding("relation_to_itself", "error", path, f"“{relation.to}” is related to itself.")
        ends = sorted((relation.from_, relation.to)) if relation.type in MUTUAL else [relation.from_, relation.to]
        earlier = seen.setdefault((ends[0], ends[1], relation.type), place)
        if earlier != place:
            yield _finding("relation_repeated", "warning", path, f"It says what /relations/{earlier} says.")
        if knowledge_map.sourced and not relation.evidence.strip():
            message = f"No sentence shows that “{relation.from_}” has to do with “{relation.to}”."
            yield _finding("evidence_missing", "warning", f"{path}/evidence", message)


def _circles(relations: tuple[Relation, ...]) -> Iterator[Finding]:
    for kind in DIRECTED:
        above: dict[str, list[str]] = defaultdict(list)
        for relation in relations:
            if relation.type == kind and relation.from_ != relation.to:
                above[relation.from_].append(relation.to)
        cycle = find_cycle(above)
        if cycle:
            message = f"“{kind}” runs in a circle: {' → '.join(cycle)}."
            yield _finding("relations_circular", "error", "/relations", message)


def _prerequisites(placed: list[tuple[Concept, str]]) -> Iterator[Finding]:
    known = {concept.id: path for concept, path in placed}
    for concept, path in placed:
        for place, id_ in enumerate(concept.prerequisites):
            yield from dangling(id_, known, f"{path}/prerequisites/{place}")
    cycle = find_cycle({concept.id: concept.prerequisites for concept, _ in placed})
    if cycle:
        message = f"The prerequisites run in a circle: {' → '.join(cycle)}."
        yield _finding("prerequisites_circular", "error", f"{known[cycle[0]]}/prerequisites", message)


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
