"""A structure as a tree, with its quality and what was found wrong with it; a big one is shortened. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from orchestrator.cli.printable import plain
from orchestrator.cli.structure import Node, Structured, children, scope
from orchestrator.cli.wording import duration

MOST_NODES: Final = 60
"""How many nodes of a tree are shown: about what a screen or two hold."""
MOST_FINDINGS: Final = 20

_SEVERITY_STYLES: Final[Mapping[str, str]] = {"error": "red", "warning": "yellow", "info": "dim"}


def structure_view(structured: Structured) -> RenderableType:
    """The tree of a structure, then its quality score and findings where somebody told them."""
    parts: list[RenderableType] = [structure_tree(structured.root)]
    if structured.score is not None:
        parts.append(Text.assemble("Quality score ", (str(plain(structured.score)), "bold")))
    findings = structured.findings
    if findings is not None:
        parts.append(Text(f"Findings: {len(findings)}" if findings else "No findings."))
        parts += [_finding(finding) for finding in findings[:MOST_FINDINGS]]
        parts += [_more(len(findings) - MOST_FINDINGS, indent="  ")] if len(findings) > MOST_FINDINGS else []
    return Group(*parts)


def structure_tree(root: Node, most: int = MOST_NODES) -> Tree:
    """A node `{type, title, id?, durationMinutes?, children?}` and those below it, of which `most` are shown.

    Whole levels are shown as far as they fit. On the next one every node shows equally many of its children, and says
    how many more there are; deeper ones are only counted.
    """
    return _branch(root, _widths(root, most), {})


def _branch(node: Node, widths: tuple[int, ...], outer: Mapping[str, str]) -> Tree:
    titles = scope(node, outer)
    tree = Tree(_label(node, titles))
    below, width = children(node), widths[0] if widths else 0
    if width and sum(1 + _size(child) for child in below[width:]) == 1:
        width += 1  # to count it would take the same line
    for child in below[:width]:
        tree.children.append(_branch(child, widths[1:], titles))
    left = sum(1 + _size(child) for child in below[width:])
    if left and tree.children:
        tree.add(_more(left))
    elif left:
        tree.label = Text.assemble(_label(node, titles), "  ", _more(left))
    return tree


def _widths(root: Node, most: int) -> tuple[int, ...]:
    """How many children a node shows, for each level from the top; below the last one, none."""
    widths: list[int] = []
    level, shown = [root], 1
    while below := [child for node in level for child in children(node)]:
        if shown + len(below) > most:
            room, width = most - shown, 0
            while sum(min(len(children(node)), width + 1) for node in level) <= room:
                width += 1
            return (*widths, width)
        widths.append(max(len(children(node)) for node in level))
        level, shown = below, shown + len(below)
    return tuple(widths)


def _size(node: Node) -> int:
    """How many nodes are below this one."""
    return sum(1 + _size(child) for child in children(node))


def _more(number: int, indent: str = "") -> Text:
    return Text(f"{indent}... and {number} more", "dim")


def _label(node: Node, titles: Mapping[str, str]) -> Text:
    code = f"{node['code']} " if node.get("code") else ""
    label = plain(f"{code}{node['title']}", "bold" if node.get("children") else "")
    if node.get("type"):
        label.append_text(plain(f"  {node['type']}", "dim"))
    minutes = node.get("durationMinutes")
    if isinstance(minutes, int | float):
        label.append(f"  {duration(minutes * 60_000)}", "cyan")
    if isinstance(node.get("answer"), str) and node["answer"]:
        label.append_text(plain(f"  = {node['answer']}", "green"))
    for name, named in _references(node, titles):
        label.append_text(plain(f"  {name}: {', '.join(named)}", "dim"))
    return label


def _references(node: Node, titles: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The fields that are lists of ids, with what these name."""
    for name, value in node.items():
        if isinstance(value, list) and value and all(isinstance(item, str) and item in titles for item in value):
            yield name, [titles[item] for item in value]


def _finding(finding: Any) -> Text:
    if not isinstance(finding, Mapping):
        return plain(f"  {finding}")
    severity = str(finding.get("severity") or finding.get("level") or "")
    words = [finding.get("code"), finding.get("path"), finding.get("message")]
    line = plain(f"  {severity} " if severity else "  ", _SEVERITY_STYLES.get(severity, ""))
    return line.append_text(plain(": ".join(str(word) for word in words if word)))
