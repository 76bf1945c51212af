"""Template text, YAML or JSON, as nodes that know their line and column.

Scalars follow the core schema of YAML 1.2: `on` and `yes` are text, `014` is fourteen, a date is text. Invariant: what
comes out is plain JSON, at most MAX_DEPTH deep and MAX_NODES large with every alias written out, which is known before
anything is written out.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from orchestrator.core.json_value import Path, clipped
from orchestrator.core.template_fault import Faults, Position, TemplateError
from orchestrator.core.template_json import JsonSyntaxError, json_events
from orchestrator.core.template_node import Entry, Extent, ListNode, MapNode, Node, Scalar, ScalarNode

MAX_BYTES = 256 * 1024
MAX_DEPTH = 64
MAX_NODES = 20_000
_START = Position(1, 1)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML 1.2 calls printable; NUL and lone surrogates are outside of it.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The parser, of YAML 1.1, takes these for line breaks, though nobody sees one there; YAML 1.2 and JSON do not.
_YAML_1_1_BREAK = re.compile("[\x85\u2028\u2029]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_QUOTED_KEY_FIRST = re.compile(r'\{\s*"')
_QUOTED = re.compile(r""" "(?:[^"\\]|\\.)*" | '[^']*' """, re.VERBOSE)

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 64


def read_source(source: str | bytes, faults: Faults) -> Node:
    """The root node of a template's text. What can be read past goes to `faults`; the rest raises TemplateError."""
    text = _decoded(source, faults)
    if text.lstrip().startswith("{"):
        try:
            return _Composer(iter(list(json_events(text, MAX_DEPTH))), faults).document()
        except JsonSyntaxError as error:
            return _read_yaml(text, faults, error if _QUOTED_KEY_FIRST.match(text.lstrip()) else None)
    return _read_yaml(text, faults, None)


def _read_yaml(text: str, faults: Faults, not_json: JsonSyntaxError | None) -> Node:
    """Reads YAML; text that was meant as JSON (`not_json` says what is wrong with it) is blamed by JSON's rules."""
    if found := _YAML_1_1_BREAK.search(text):
        raise _forbidden(text, found, faults, "; in double quotes, write it as an escape")
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER), faults).document()
    except yaml.YAMLError as error:
        if not_json is not None:
            place = Position(not_json.line, not_json.column)
            raise faults.fatal((), place, f"not valid JSON: {not_json.message}") from None
        raise _syntax_error(text, error, faults) from None


def _decoded(source: str | bytes, faults: Faults) -> str:
    size = len(source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise faults.fatal((), _START, f"the template has {size} bytes; {MAX_BYTES} is the most")
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        raise faults.fatal((), _end_of(before), "the template is not UTF-8") from None
    text = text.removeprefix("\ufeff")
    if found := _UNPRINTABLE.search(text):
        raise _forbidden(text, found, faults)
    return text


def _forbidden(text: str, found: re.Match[str], faults: Faults, hint: str = "") -> TemplateError:
    message = f"the character U+{ord(found.group()):04X} is not allowed{hint}"
    return faults.fatal((), _end_of(text[: found.start()]), message)


def _end_of(text: str) -> Position:
    lines = _LINE_BREAK.split(text)
    return Position(len(lines), len(lines[-1]) + 1)


def _syntax_error(text: str, error: yaml.YAMLError, faults: Faults) -> TemplateError:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return faults.fatal((), _START, f"not valid YAML: {error}")
    mark = error.problem_mark
    context = f"{error.context}: " if error.context else ""
    first = error.context_mark.line if error.context_mark else mark.line
    lines = _LINE_BREAK.split(text)
    hint = ""
    if any("${" in _QUOTED.sub("", line) for line in lines[first : mark.line + 1]):
        hint = '; quote a value that holds "${", like "${ input.name }"'
    elif text[mark.index : mark.index + 1] == "\t":
        hint = "; a tab cannot indent: use spaces"
    # At the end of the text, the parser points past it.
    place = min(Position(mark.line + 1, mark.column + 1), _end_of(text))
    return faults.fatal((), place, f"not valid YAML: {context}{error.problem}{hint}")


def _start(event: yaml.Event) -> Position:
    mark = event.start_mark
    assert mark is not None
    return Position(mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class _Composer:
    """Builds nodes from parser events, so that nothing of PyYAML's own resolving and constructing takes part."""

    events: Iterator[yaml.Event]
    faults: Faults
    # An anchor maps to None while its own node is being composed: an alias to it would never end.
    anchors: dict[str, Node | None] = field(default_factory=dict)

    def document(self) -> Node:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise self.faults.fatal((), _START, "the template is empty")
        root = self._node(next(self.events), (), 1)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.faults.fatal((), _start(after), "a template is one document; a second starts here")
        return root

    def _node(self, event: yaml.Event, path: Path, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, path, depth)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        position = _start(event)
        if event.tag is not None:
            tag = clipped(event.tag)
            self.faults.add_unreadable(path, position, f"a tag ({tag}) is not allowed; quote the value if it is text")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, path, position)
        else:
            if depth > MAX_DEPTH:
                raise self.faults.fatal(path, position, f"nested more than {MAX_DEPTH} deep")
            compose = self._list if isinstance(event, yaml.SequenceStartEvent) else self._map
            node = compose(path, position, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _aliased(self, event: yaml.AliasEvent, path: Path, depth: int) -> Node:
        position, name = _start(event), event.anchor or ""
        if name not in self.anchors:
            raise self.faults.fatal(path, position, f'the anchor "{clipped(name)}" is not known here')
        node = self.anchors[name]
        if node is None:
            raise self.faults.fatal(path, position, f'the alias "{clipped(name)}" stands inside of its own anchor')
        if depth - 1 + node.extent.height > MAX_DEPTH:
            raise self.faults.fatal(path, position, f"nested more than {MAX_DEPTH} deep")
        return node

    def _list(self, path: Path, position: Position, depth: int) -> ListNode:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return ListNode(tuple(items), position, self._extent(path, position, items, 0))

    def _map(self, path: Path, position: Position, depth: int) -> MapNode:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, key_position = self._key(event, path, depth)
            value = self._node(next(self.events), (*path, key), depth + 1)
            if key in entries:
                first = entries[key].key_position.line
                message = f'"{clipped(key)}" is given twice; the first is on line {first}'
                self.faults.add_unreadable((*path, key), key_position, message)
            else:
                entries[key] = Entry(key_position, value)
        values = [entry.value for entry in entries.values()]
        return MapNode(entries, position, self._extent(path, position, values, sum(map(len, entries))))

    def _key(self, event: yaml.Event, path: Path, depth: int) -> tuple[str, Position]:
        """The key's text (a stand-in where the key is no text) and where it stands."""
        position = _start(event)
        node = self._node(event, path, depth + 1)
        if not isinstance(node, ScalarNode):
            self.faults.add_unreadable(path, position, "a key must be text")
            return "?", position
        key = str(node.value)
        if not isinstance(node.value, str):
            key = event.value if isinstance(event, yaml.ScalarEvent) else key
            self.faults.add_unreadable((*path, key), position, f'a key must be text: quote it, "{clipped(key)}"')
        elif key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            self.faults.add_unreadable((*path, key), position, "merge keys (<<) are not allowed: write the fields out")
        return key, position

    def _scalar(self, event: yaml.ScalarEvent, path: Path, position: Position) -> ScalarNode:
        value: Scalar = event.value
        if _UNSTORABLE.search(event.value):
            self.faults.add_unreadable(path, position, "a NUL or half of a surrogate pair is not allowed in text")
            value = _UNSTORABLE.sub("\ufffd", event.value)
        elif event.implicit[0]:
            try:
                value = _resolved(event.value)
            except ValueError as error:
                self.faults.add_unreadable(path, position, str(error))
        return ScalarNode(value, position, Extent(characters=len(event.value)))

    def _extent(self, path: Path, position: Position, children: list[Node], characters: int) -> Extent:
        extent = Extent(
            nodes=1 + sum(child.extent.nodes for child in children),
            characters=characters + sum(child.extent.characters for child in children),
            height=1 + max((child.extent.height for child in children), default=0),
        )
        if extent.nodes > MAX_NODES:
            message = f"more than {MAX_NODES} values, counting each alias as what it stands for"
            raise self.faults.fatal(path, position, message)
        if extent.characters > MAX_BYTES:
            message = f"more than {MAX_BYTES} characters, counting each alias as what it stands for"
            raise self.faults.fatal(path, position, message)
        return extent


def _resolved(text: str) -> Scalar:
    """A plain scalar by YAML 1.2's core schema (section 10.3.2). Raises ValueError for a number JSON cannot hold."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError("the number is too large")
        return number
    if _NOT_A_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is not a number that JSON can carry; quote it if it is text")
    return text


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text[2:] if base != 10 else text
    # Python refuses to convert thousands of digits; no number of 64 bits needs so many.
    number = int(digits, base) if len(digits) <= _MOST_DIGITS else None
    if number is None or not -(2**63) <= number < 2**63:
        raise ValueError("the whole number does not fit into 64 bits; quote it if it is text")
    return number
