"""A structure that a granulator made, as a tree, with its quality and what a validator found. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from orchestrator.cli.printable import plain
from orchestrator.cli.wording import duration

Node = Mapping[str, Any]

_SEVERITY_STYLES: Final[Mapping[str, str]] = {"error": "red", "warning": "yellow", "info": "dim"}


def find_structured(result: Any) -> Node | None:
    """The result itself, or the first output in it, that has a `structure` of titled nodes; None without one."""
    if not isinstance(result, Mapping):
        return None
    for candidate in (result, *result.values()):
        if isinstance(candidate, Mapping) and _is_node(candidate.get("structure")):
            return candidate
    return None


def find_structure(result: Any) -> Node | None:
    """The tree of a result: its `document`, else the structure that `find_structured` finds."""
    if isinstance(result, Mapping) and _is_node(document := result.get("document")):
        return document
    structured = find_structured(result)
    return None if structured is None else structured["structure"]


def structure_view(structured: Node) -> RenderableType:
    """The tree of `structured["structure"]`, then its quality score and findings where it has them."""
    parts: list[RenderableType] = [structure_tree(structured["structure"])]
    judges = _judges(structured)
    scores = (judge.get(name) for judge in judges for name in ("qualityScore", "score"))
    score = next((score for score in scores if score is not None), None)
    if score is not None:
        parts.append(Text.assemble("Quality score ", (str(plain(score)), "bold")))
    findings = next((judge["findings"] for judge in judges if isinstance(judge.get("findings"), list)), None)
    if findings is not None:
        parts.append(Text(f"Findings: {len(findings)}" if findings else "No findings."))
        parts += [_finding(finding) for finding in findings]
    return Group(*parts)


def structure_tree(node: Node) -> Tree:
    """A node `{type, title, durationMinutes?, children?}` and all below it."""
    tree = Tree(_label(node))
    for child in _children(node):
        tree.children.append(structure_tree(child))
    return tree


def _is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and "title" in value


def _children(node: Node) -> Iterator[Node]:
    children = node.get("children")
    return (child for child in (children if isinstance(children, list) else ()) if _is_node(child))


def _label(node: Node) -> Text:
    label = plain(node["title"], "bold" if node.get("children") else "")
    if node.get("type"):
        label.append_text(plain(f"  {node['type']}", "dim"))
    minutes = node.get("durationMinutes")
    if isinstance(minutes, int | float):
        label.append(f"  {duration(minutes * 60_000)}", "cyan")
    return label


def _judges(structured: Node) -> list[Node]:
    """Who says how good it is, most believed first: a validator before the stage that made it."""
    judges = (structured.get("validation"), structured.get("quality"), structured)
    return [judge for judge in judges if isinstance(judge, Mapping)]


def _finding(finding: Any) -> Text:
    if not isinstance(finding, Mapping):
        return plain(f"  {finding}")
    severity = str(finding.get("severity") or finding.get("level") or "")
    words = [finding.get("code"), finding.get("path"), finding.get("message")]
    line = plain(f"  {severity} " if severity else "  ", _SEVERITY_STYLES.get(severity, ""))
    return line.append_text(plain(": ".join(str(word) for word in words if word)))
