"""References: values that hold `${...}` are compiled once and rendered for every stage.

Invariant: a reference that resolves to nothing raises; it never becomes text, null or a missing key.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from orchestrator.core.json_value import IDENTIFIER, JsonValue, Path, clipped, dotted

Scope: TypeAlias = Mapping[str, object]
Render: TypeAlias = Callable[[Scope], object]

_BRACKETED_KEY = r'"(?:[^"\\]|\\["\\])*"'
_BRACKETED_INDEX = r"(?:0|[1-9][0-9]{0,8})"
_PATH = rf"{IDENTIFIER}(?:\.{IDENTIFIER}|\[{_BRACKETED_INDEX}\]|\[{_BRACKETED_KEY}\])*"
_OPENING = re.compile(r"\$\$\{|\$\{")
_REST_OF_REFERENCE = re.compile(rf"\s*({_PATH})\s*\}}")
_SEGMENT = re.compile(rf"({IDENTIFIER})|\[({_BRACKETED_INDEX})\]|\[({_BRACKETED_KEY})\]")

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class UnresolvedReference(Exception):
    """A reference resolves to nothing. `reference` is its path as text, `missing` says what was not there."""

    def __init__(self, reference: str, missing: str) -> None:
        super().__init__(f"${{{reference}}} resolves to nothing: {missing}")
        self.reference = reference
        self.missing = missing


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """What is wrong in a value: `path` leads to the text (or the key) from the value's root."""

    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${...}`: `path` is what it points at in the scope, `within` where it stands in its expression."""

    path: Path
    within: Path

    def __str__(self) -> str:
        return dotted(self.path)

    def resolve(self, scope: Scope) -> object:
        """The value in `scope`, of whatever type, null included. Raises UnresolvedReference."""
        value: Any = scope
        try:
            for segment in self.path:
                if isinstance(value, str):
                    raise self._unresolved(scope)
                value = value[segment]
        except (LookupError, TypeError):
            raise self._unresolved(scope) from None
        return value

    def resolve_as_text(self, scope: Scope) -> str:
        """The value in `scope` as text: text as it is, else compact JSON. Raises UnresolvedReference, for null too."""
        value = self.resolve(scope)
        if isinstance(value, str):
            return value
        if value is None:
            raise UnresolvedReference(str(self), "it is null, which has no text")
        return _encode(value)

    def _unresolved(self, scope: Scope) -> UnresolvedReference:
        value: object = scope
        for depth, segment in enumerate(self.path):
            holder = dotted(self.path[:depth])
            match value, segment:
                case Mapping(), str() if segment in value:
                    value = value[segment]
                case list(), int() if segment < len(value):
                    value = value[segment]
                case Mapping(), str():
                    return UnresolvedReference(str(self), f'{holder or "the scope"} has no "{segment}"')
                case list(), int():
                    return UnresolvedReference(str(self), f"{holder} has {len(value)} items and none at [{segment}]")
                case _:
                    wanted = "a list" if isinstance(segment, int) else "a map"
                    return UnresolvedReference(str(self), f"{holder} is {_kind(value)}, not {wanted}")
        raise AssertionError(f"{self} does resolve")


@dataclass(frozen=True, slots=True)
class Expression:
    """A value that may hold references, ready to render.

    `references` are all of them, in the value's order. The value is shared with what is rendered: change neither.
    """

    value: JsonValue
    references: tuple[Reference, ...]
    _render: Render | None = field(repr=False, compare=False)

    def render(self, scope: Scope) -> object:
        """The value with every reference resolved in `scope`; without references, the very same object.

        `scope` is `{"input": ..., "stages": {id: {"output": ...}}}`. Raises UnresolvedReference.
        """
        return self.value if self._render is None else self._render(scope)


class ExpressionError(Exception):
    """A value holds `${` that is not a reference; `faults` has every one of them.

    `expression` is the rest of it, for whoever checks that too; it is not fit to render.
    """

    def __init__(self, faults: tuple[ExpressionFault, ...], expression: Expression) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults
        self.expression = expression


def compile_expression(value: JsonValue) -> Expression:
    """Compiles any JSON value. Raises ExpressionError with every fault; which roots exist is not its concern."""
    compiler = _Compiler()
    render = compiler.compile(value, ())
    expression = Expression(value, tuple(compiler.references), render)
    if compiler.faults:
        raise ExpressionError(tuple(compiler.faults), expression)
    return expression


class _Compiler:
    """Collects references and faults on one walk. What it returns for a constant is None: nothing to render."""

    def __init__(self) -> None:
        self.references: list[Reference] = []
        self.faults: list[ExpressionFault] = []

    def compile(self, value: JsonValue, within: Path) -> Render | None:
        match value:
            case str():
                return self._text(value, within)
            case list():
                return _filled(value, self._holes(enumerate(value), within))
            case dict():
                for key in value:
                    if "${" in key:
                        self._fault((*within, key), "a key cannot hold a reference: only values may")
                return _filled(value, self._holes(value.items(), within))
            case _:
                return None

    def _holes(self, children: Any, within: Path) -> tuple[tuple[Any, Render], ...]:
        compiled = ((key, self.compile(child, (*within, key))) for key, child in children)
        return tuple((key, render) for key, render in compiled if render is not None)

    def _text(self, text: str, within: Path) -> Render | None:
        if "${" not in text:
            return None
        parts: list[str | Reference] = []
        at = 0
        while opening := _OPENING.search(text, at):
            parts.append(text[at : opening.start()])
            if opening.group() == "$${":
                parts.append("${")
                at = opening.end()
                continue
            rest = _REST_OF_REFERENCE.match(text, opening.end())
            if rest is None:
                at = self._refuse(text, opening.end(), within)
                continue
            reference = Reference(_segments(rest.group(1)), within)
            self.references.append(reference)
            parts.append(reference)
            at = rest.end()
        parts.append(text[at:])
        return _joined([part for part in parts if part])

    def _refuse(self, text: str, start: int, within: Path) -> int:
        """Records what is wrong with the `${` that ends at `start`; returns where to read on."""
        end = text.find("}", start)
        if end < 0:
            self._fault(within, 'a "${" is never closed by "}"; to write it as text, write "$${"')
            return len(text)
        inside = text[start:end].strip()
        if inside:
            example = 'input.name or stages.a.output["b"][0]'
            self._fault(within, f'only paths are allowed inside ${{ }}, such as {example}: "{clipped(inside)}"')
        else:
            self._fault(within, 'nothing is named between "${" and "}"')
        return end + 1

    def _fault(self, within: Path, message: str) -> None:
        self.faults.append(ExpressionFault(within, message))


def _segments(path: str) -> Path:
    segments: list[str | int] = []
    for identifier, index, key in _SEGMENT.findall(path):
        if identifier:
            segments.append(identifier)
        elif index:
            segments.append(int(index))
        else:
            segments.append(re.sub(r"\\(.)", r"\1", key[1:-1]))
    return tuple(segments)


def _joined(parts: list[str | Reference]) -> Render:
    match parts:
        case [Reference() as whole]:
            return whole.resolve
        case _ if not any(isinstance(part, Reference) for part in parts):
            literal = "".join(map(str, parts))
            return lambda _: literal
        case _:
            return lambda scope: "".join(
                [part if isinstance(part, str) else part.resolve_as_text(scope) for part in parts]
            )


def _filled(container: Any, holes: tuple[tuple[Any, Render], ...]) -> Render | None:
    """Copies the container and fills only its holes: constants are neither walked nor copied again."""
    if not holes:
        return None

    def render(scope: Scope) -> object:
        filled = container.copy()
        for key, hole in holes:
            filled[key] = hole(scope)
        return filled

    return render


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a map"
