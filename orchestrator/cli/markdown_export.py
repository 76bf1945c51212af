"""A structure that a worker made, as a Markdown document. Pure.

It knows no kind of structure: the tree becomes headings, and what a node says beside it a list of its fields, or a
table where a field is a list of records. An id that a field refers to becomes the title of what it names. What a worker
wrote is text and never Markdown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator.cli.printable import printable
from orchestrator.cli.structure import Node, children, is_node, scope

DEEPEST_HEADING: Final = 6
SHORT_LIST: Final = 100
SHORT_PART: Final = 200
"""Characters up to which a list stands on one line, and a part without parts of its own in the list of its siblings."""
MINUTES: Final = "durationMinutes"

_UNTOLD: Final = frozenset({"source", "sourced", "provider", "id", "weight", "mentions"})
"""Where something comes from and how it was weighed: for programs, not for readers."""
_TOLD_ELSEWHERE: Final = _UNTOLD | {"type", "title", "description", "children", "code", "notice", MINUTES}
"""Fields of a node that have a place of their own in the document, or none."""

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|])")
_LEADING: Final = re.compile(r"^(\d+(?=[.)]\s)|(?=#|[+-]\s))")
_NAME: Final = re.compile(r"[a-z]+(_[a-z]+)+")
_SENTENCE: Final = re.compile(r"[.!?]$")
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")

Titles = Mapping[str, str]


def markdown(structure: Node) -> str:
    """The document of a structure `{type, title, description?, children?, ...}`, ending with one line end."""
    return "\n".join(_document(structure, 1, {}, None)).strip() + "\n"


def escaped(text: Any) -> str:
    """The text on one line, with nothing in it that Markdown would take for a mark."""
    line = " ".join(printable(str(text)).split())
    return _LEADING.sub(r"\1\\", _SPECIAL.sub(r"\\\1", line))


def _document(node: Node, level: int, outer: Titles, above: str | None) -> Iterator[str]:
    """A heading with all that is below it; `above` is the title that it stands under."""
    titles = scope(node, outer)
    # Under its own title again, as a course in the document of that course, a part is told apart by what it is.
    kind = node.get("type") if node["title"] == above else None
    heading = _line({**node, "title": _spaced(str(kind))} if kind else node, titles, with_fields=False)
    yield from ("", f"{'#' * min(level, DEEPEST_HEADING)} {heading}")
    for text, quote in ((node.get("notice"), "> "), (node.get("description"), "")):
        if text:
            yield from ("", quote + escaped(text))
    yield from _fields(node, titles)
    below = children(node)
    if below and all(_is_a_line(child) for child in below):
        yield ""
        # Numbered: after the list of the fields, another one with bullets would be read as its end.
        yield from (f"{number}. {_line(child, titles)}" for number, child in enumerate(below, 1))
        return
    for child in below:
        yield from _document(child, level + 1, titles, node["title"])


def _fields(node: Node, titles: Titles) -> Iterator[str]:
    """What a node says beside its place in the tree: a list, then the tables."""
    fields = _own(node)
    tables = {name: value for name, value in fields.items() if _is_table(value)}
    if len(tables) < len(fields):
        yield ""
    for name, value in fields.items():
        if name not in tables:
            yield from _item(f"**{_spaced(name)}:**", value, titles, "")
    for name, records in tables.items():
        yield from ("", f"**{_spaced(name)}:**", "")
        yield from _table(records, titles)


def _item(label: str, value: Any, titles: Titles, indent: str) -> Iterator[str]:
    """A value as an item of a list, with a list of its own below it where it does not fit on the line."""
    below = f"{indent}  "
    if is_node(value):
        yield f"{indent}- {label} {_line(value, titles, with_fields=False)}"
        for name, field in _own(value).items():
            yield from _item(f"{_spaced(name)}:", field, titles, below)
    elif isinstance(value, list) and not _is_short(value, titles):
        yield f"{indent}- {label}"
        yield from (f"{below}- {_told(item, titles)}" for item in value)
    else:
        yield f"{indent}- {label} {_told(value, titles)}"


def _table(records: Sequence[Mapping[str, Any]], titles: Titles) -> Iterator[str]:
    columns = list(dict.fromkeys(name for record in records for name in _own(record)))
    yield f"| {' | '.join(_spaced(name) for name in columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for record in records:
        told = _own(record)
        yield f"| {' | '.join(_told(told[name], titles) if name in told else '' for name in columns)} |"


def _told(value: Any, titles: Titles) -> str:
    """A value on one line."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return escaped(titles.get(value) or (value.replace("_", " ") if _NAME.fullmatch(value) else value))
        case Mapping():
            return _line(value, titles) if is_node(value) else _record(_own(value), titles)
        case Sequence():
            return " · ".join(_told(item, titles) for item in value)
    return escaped(value)


def _line(node: Node, titles: Titles, *, with_fields: bool = True) -> str:
    """A node on one line: its title, and in brackets what else it says."""
    said = [_minutes(node), _record(_own(node), titles) if with_fields else ""]
    beside = "; ".join(filter(None, said))
    return f"{_code(node)}{escaped(node['title'])}" + (f" ({beside})" if beside else "")


def _record(fields: Mapping[str, Any], titles: Titles) -> str:
    """`From: Rye; To: Grain`; of a single field the value alone, which needs no name to be told apart."""
    if len(fields) == 1:
        return _told(next(iter(fields.values())), titles)
    return "; ".join(f"{_spaced(name)}: {_told(value, titles)}" for name, value in fields.items())


def _code(node: Node) -> str:
    return f"{escaped(node['code'])} " if node.get("code") else ""


def _minutes(node: Node) -> str:
    return f"{node[MINUTES]:g} min" if isinstance(node.get(MINUTES), int | float) else ""


def _own(node: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something and have no other place."""
    elsewhere = _TOLD_ELSEWHERE if is_node(node) else _UNTOLD
    empty: tuple[Any, ...] = (None, "", [], {}, node.get("title"))
    return {name: value for name, value in node.items() if name not in elsewhere and value not in empty}


def _is_a_line(node: Node) -> bool:
    """Whether a part says so little that it needs no heading."""
    fields = _own(node).values()
    told = [str(value) for value in (node["title"], *fields)]
    is_flat = not any(isinstance(value, Mapping | list) for value in fields)
    has_more = children(node) or node.get("description") or node.get("notice")
    return is_flat and not has_more and sum(map(len, told)) <= SHORT_PART


def _is_table(value: Any) -> bool:
    """Whether a field is a list of records with more to tell than one word each."""
    records = value if isinstance(value, list) else []
    plain = [record for record in records if isinstance(record, Mapping) and not is_node(record)]
    return bool(records) and len(plain) == len(records) and any(len(_own(record)) > 1 for record in records)


def _is_short(items: list[Any], titles: Titles) -> bool:
    """Whether a list reads well on one line: words and numbers, no sentences, and few enough of them."""
    told = [_told(item, titles) for item in items if _is_a_word(item)]
    return len(told) == len(items) and sum(map(len, told)) <= SHORT_LIST and not any(map(_SENTENCE.search, told))


def _is_a_word(item: Any) -> bool:
    return not isinstance(item, list) and not (isinstance(item, Mapping) and (is_node(item) or len(_own(item)) > 1))


def _spaced(name: str) -> str:
    """`keyTerms` as `Key terms`."""
    words = " ".join(_WORD.split(name)).lower()
    return escaped(words[:1].upper() + words[1:])
