"""A structure that a worker made, as a Markdown document. Pure.

It knows no kind of structure: the tree becomes headings, every other field a line or a list under its own name, and an
id that some field refers to becomes the title of what it names. What a worker wrote is text and never Markdown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator.cli.printable import printable

Node = Mapping[str, Any]

DEEPEST_HEADING: Final = 6
SHORT_LIST: Final = 100
MINUTES: Final = "durationMinutes"
_UNTOLD: Final = frozenset({"source", "sourced", "provider", "id"})
_TOLD_ELSEWHERE: Final = _UNTOLD | {"type", "title", "description", "children", "code", "notice", MINUTES}
"""Fields of a node that have a place of their own in the document, or none."""

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|])")
_LEADING: Final = re.compile(r"^(\d+(?=[.)]\s)|(?=#|[+-]\s))")
_NAME: Final = re.compile(r"[a-z]+(_[a-z]+)+")
_SENTENCE: Final = re.compile(r"[.!?]$")
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")


def markdown(structure: Node) -> str:
    """The document of a structure `{type, title, description?, children?, ...}`, ending with one line end."""
    titles = {node["id"]: str(node["title"]) for node in _nodes(structure) if "id" in node}
    return "\n".join(_document(structure, 1, titles)).strip() + "\n"


def _document(node: Node, level: int, titles: Mapping[str, str]) -> Iterator[str]:
    yield from ("", f"{'#' * min(level, DEEPEST_HEADING)} {_heading(node)}")
    for text, quote in ((node.get("notice"), "> "), (node.get("description"), "")):
        if text:
            yield from ("", quote + escaped(text))
    for name, value in _own(node).items():
        yield from _field(name, value, titles)
    for child in _children(node):
        yield from _document(child, level + 1, titles)


def _heading(node: Node) -> str:
    code = f"{node['code']} " if node.get("code") else ""
    minutes = f" ({node[MINUTES]:g} min)" if isinstance(node.get(MINUTES), int | float) else ""
    return f"{code}{escaped(node['title'])}{minutes}"


def _field(name: str, value: Any, titles: Mapping[str, str]) -> Iterator[str]:
    label = f"**{escaped(_spaced(name))}:**"
    if not isinstance(value, list) or _is_short(value):
        yield from ("", f"{label} {_told(value, titles)}")
        return
    yield from ("", label, "")
    for item in value:
        yield f"- {_told(item, titles)}"


def _told(value: Any, titles: Mapping[str, str]) -> str:
    """A value on one line."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return escaped(titles.get(value) or (value.replace("_", " ") if _NAME.fullmatch(value) else value))
        case Mapping():
            fields = "; ".join(f"{escaped(_spaced(name))}: {_told(item, titles)}" for name, item in _own(value).items())
            return f"{_heading(value)} ({fields})" if _is_node(value) else fields
        case Sequence():
            return " · ".join(_told(item, titles) for item in value)
    return escaped(value)


def _own(node: Node) -> dict[str, Any]:
    """The fields that say something and have no other place."""
    elsewhere = _TOLD_ELSEWHERE if _is_node(node) else _UNTOLD
    empty: tuple[Any, ...] = (None, "", [], {}, node.get("title"))
    return {name: value for name, value in node.items() if name not in elsewhere and value not in empty}


def _is_short(items: list[Any]) -> bool:
    """Whether a list reads well on one line: words and numbers, no sentences, and few enough of them."""
    told = [str(item) for item in items if not isinstance(item, Mapping | list)]
    return len(told) == len(items) and sum(map(len, told)) <= SHORT_LIST and not any(map(_SENTENCE.search, told))


def escaped(text: Any) -> str:
    """The text on one line, with nothing in it that Markdown would take for a mark."""
    line = " ".join(printable(str(text)).split())
    return _LEADING.sub(r"\1\\", _SPECIAL.sub(r"\\\1", line))


def _spaced(name: str) -> str:
    """`keyTerms` as `Key terms`."""
    words = " ".join(_WORD.split(name)).lower()
    return words[:1].upper() + words[1:]


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _children(node: Node) -> Iterator[Node]:
    children = node.get("children")
    return (child for child in (children if isinstance(children, list) else ()) if _is_node(child))


def _is_node(value: Any) -> bool:
    return isinstance(value, Mapping) and "title" in value
