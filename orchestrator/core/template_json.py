"""JSON text as a stream of YAML events, so that one composer reads both.

Almost all JSON is YAML, but not all of it (surrogate pairs, long keys), so templates written as JSON are read by the
rules of JSON. Invariant: what this accepts is exactly RFC 8259, nested at most `max_depth` deep.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

import yaml

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_PLAIN = (True, False)
_QUOTED = (False, True)


class JsonSyntaxError(Exception):
    """The text is no JSON: `message` says why, at `line` and `column`, both from 1."""

    def __init__(self, message: str, mark: yaml.Mark) -> None:
        super().__init__(message)
        self.message = message
        self.line = mark.line + 1
        self.column = mark.column + 1


def json_events(text: str, max_depth: int) -> Iterator[yaml.Event]:
    """The events of a YAML stream with one document. Raises JsonSyntaxError at the first thing that is not JSON."""
    return _Scanner(text, max_depth).document()


class _Scanner:
    def __init__(self, text: str, max_depth: int) -> None:
        self._text = text
        self._at = 0
        self._max_depth = max_depth
        self._line_starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]

    def document(self) -> Iterator[yaml.Event]:
        start = self._mark()
        yield yaml.StreamStartEvent(start, start)
        yield yaml.DocumentStartEvent(start, start, explicit=False)
        yield from self._value(depth=1)
        end = self._mark()
        if self._next_character():
            raise self._error("expected the end after the JSON value")
        yield yaml.DocumentEndEvent(end, end, explicit=False)
        yield yaml.StreamEndEvent(end, end)

    def _value(self, depth: int) -> Iterator[yaml.Event]:
        character = self._next_character()
        if character in ("{", "[") and depth > self._max_depth:
            raise self._error(f"nested more than {self._max_depth} deep")
        if character == "{":
            yield from self._object(depth)
        elif character == "[":
            yield from self._array(depth)
        elif character == '"':
            yield self._string()
        else:
            yield self._literal()

    def _object(self, depth: int) -> Iterator[yaml.Event]:
        start = self._mark()
        yield yaml.MappingStartEvent(None, None, True, start, start, flow_style=True)
        self._at += 1
        more = self._next_character() != "}"
        while more:
            if self._next_character() != '"':
                raise self._error("expected a key in double quotes")
            yield self._string()
            if self._next_character() != ":":
                raise self._error('expected ":" after a key')
            self._at += 1
            yield from self._value(depth + 1)
            more = self._is_followed_by_more("}")
        end = self._mark()
        self._at += 1
        yield yaml.MappingEndEvent(end, end)

    def _array(self, depth: int) -> Iterator[yaml.Event]:
        start = self._mark()
        yield yaml.SequenceStartEvent(None, None, True, start, start, flow_style=True)
        self._at += 1
        more = self._next_character() != "]"
        while more:
            yield from self._value(depth + 1)
            more = self._is_followed_by_more("]")
        end = self._mark()
        self._at += 1
        yield yaml.SequenceEndEvent(end, end)

    def _is_followed_by_more(self, closing: str) -> bool:
        character = self._next_character()
        if character == ",":
            self._at += 1
            return True
        if character == closing:
            return False
        raise self._error(f'expected "," or "{closing}"')

    def _string(self) -> yaml.ScalarEvent:
        token = _STRING.match(self._text, self._at)
        if token is None:
            raise self._error("a text that is not closed, or holds a raw control character or an unknown escape")
        return self._scalar(token, json.loads(token.group()), _QUOTED)

    def _literal(self) -> yaml.ScalarEvent:
        token = _LITERAL.match(self._text, self._at)
        if token is None:
            hint = '; quote a value that holds "${"' if self._text.startswith("$", self._at) else ""
            raise self._error(f"expected a JSON value{hint}")
        return self._scalar(token, token.group(), _PLAIN)

    def _scalar(self, token: re.Match[str], value: str, implicit: tuple[bool, bool]) -> yaml.ScalarEvent:
        start = self._mark()
        self._at = token.end()
        return yaml.ScalarEvent(None, None, implicit, value, start, self._mark())

    def _next_character(self) -> str:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _mark(self) -> yaml.Mark:
        line = bisect_right(self._line_starts, self._at) - 1
        return yaml.Mark("template", self._at, line, self._at - self._line_starts[line], None, 0)

    def _error(self, message: str) -> JsonSyntaxError:
        return JsonSyntaxError(message, self._mark())
