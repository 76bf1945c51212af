"""The JSON Schema of a template's input: what may stand in it, and what it says of a value.

A schema comes from an author we do not trust and runs at every submission. Invariant: a check takes at most
MAX_SCHEMA_STEPS steps for each value inside of the input, in linear-time patterns, and reads nothing but the schema.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from orchestrator.core.json_value import JsonObject, JsonValue, Path, clipped, dotted

MAX_SCHEMA_STEPS: Final = 5_000
MAX_SCHEMA_DEPTH: Final = 64
MAX_INPUT_FAULTS: Final = 100
_PATTERN_STEPS: Final = 100
_PATTERN_BYTES: Final = 1 << 20
_LONGEST_MESSAGE: Final = 300
# Stands in messages for the value itself, which may be long or secret.
_MASK: Final = "the value"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# Where the 2020-12 vocabulary holds schemas: everything else is data, in which "$ref" is just a key.
_HOLDS_A_SCHEMA: Final = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"contentSchema", "unevaluatedItems", "unevaluatedProperties"}
)
_HOLDS_A_LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_HOLDS_A_MAP: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_HOLDS_DEFINITIONS: Final = frozenset({"$defs", "definitions"})
# They move what "#/" means, or choose the target while a value is checked.
_REFUSED: Final = frozenset(
    {"$id", "$anchor", "$vocabulary", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"}
)

SchemaFault: TypeAlias = tuple[Path, str]


@dataclass(frozen=True, slots=True)
class InputFault:
    """One way in which an input breaks its schema: `path` is like `input.name`."""

    path: str
    message: str


def schema_faults(schema: JsonObject) -> list[SchemaFault]:
    """All that keeps a schema from being used, each with its path in the schema; empty if it is good."""
    faults = [(tuple(error.instance_path), _message(error)) for error in _metaschema().iter_errors(schema)]
    faults += _Survey(schema).faults.keys()
    if not faults:
        try:
            _validator(schema)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            faults.append((tuple(getattr(error, "instance_path", ())), clipped(error.message)))
    return faults


@dataclass(frozen=True, slots=True)
class InputSchema:
    """A schema that was found good. None stands for a template that takes any object."""

    document: JsonObject | None
    _validator: jsonschema_rs.Validator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        schema: JsonObject = {"type": "object"} if self.document is None else self.document
        object.__setattr__(self, "_validator", _validator(schema))

    def faults(self, value: object) -> tuple[InputFault, ...]:
        """Every violation by `value`, ordered by path; of more than MAX_INPUT_FAULTS, the first that were found."""
        found = (fault for error in self._validator.iter_errors(value) for fault in _input_faults(error))
        return tuple(sorted(islice(found, MAX_INPUT_FAULTS), key=lambda fault: (fault.path, fault.message)))

    def refused_step(self, path: Path) -> tuple[str, tuple[str, ...]] | None:
        """The first step of `path` into the input that no valid input has, with the names allowed there, if any.

        Only what the schema plainly says counts: a closed map of properties. Anything else may exist.
        """
        schema: JsonValue = self.document
        for step in path:
            if not isinstance(schema, dict):
                return None
            if isinstance(step, int):
                schema = None if "prefixItems" in schema else schema.get("items")
                continue
            properties = schema.get("properties", {})
            assert isinstance(properties, dict)
            closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
            if closed and step not in properties:
                return step, tuple(properties)
            schema = properties.get(step)
        return None


class _TooCostly(Exception):
    pass


@dataclass(slots=True)
class _Survey:
    """Visits every schema inside of a schema as often as checking one value would, references followed.

    So it stops where a check would not: 20 definitions that each refer twice to the next take a million steps, though
    they fit on a page, and one that leads back to itself has no end.
    """

    root: JsonObject
    faults: dict[SchemaFault, None] = field(default_factory=dict)
    _steps: int = 0
    _visited: set[int] = field(default_factory=set)
    _open: set[int] = field(default_factory=set)
    _definitions: list[tuple[JsonValue, Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            self._visit(self.root, ())
            while self._definitions:
                definition, path = self._definitions.pop()
                if id(definition) not in self._visited:
                    self._visit(definition, path)
        except _TooCostly:
            message = f"takes more than {MAX_SCHEMA_STEPS} steps to check, or nests more than {MAX_SCHEMA_DEPTH} deep"
            self._fault((), f"{message}, counting each $ref as what it refers to")

    def _visit(self, schema: JsonValue, path: Path) -> None:
        self._spend(1)
        if not isinstance(schema, dict):
            return
        if id(schema) not in self._visited:
            self._visited.add(id(schema))
            self._look_at(schema, path)
        self._open.add(id(schema))
        for child, child_path in (*self._referred(schema, path), *_children(schema, path)):
            self._visit(child, child_path)
        self._spend(_PATTERN_STEPS * len(_patterns(schema, path)))
        self._open.remove(id(schema))

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_SCHEMA_STEPS or len(self._open) > MAX_SCHEMA_DEPTH:
            raise _TooCostly

    def _look_at(self, schema: JsonObject, path: Path) -> None:
        """What is said of a schema once, however often it is referred to."""
        for keyword in sorted(_REFUSED & schema.keys()):
            self._fault((*path, keyword), f"{keyword} is not supported")
        if schema.get("$schema", _DIALECT) != _DIALECT or (path and "$schema" in schema):
            self._fault((*path, "$schema"), f"only {_DIALECT} is supported, at the top of the schema")
        for pattern, where in _patterns(schema, path):
            if not _is_linear(pattern):
                self._fault(where, "is not a regular expression that runs in linear time, as look-around never does")
        for keyword in sorted(_HOLDS_DEFINITIONS & schema.keys()):
            self._definitions += _members(schema[keyword], (*path, keyword))

    def _referred(self, schema: JsonObject, path: Path) -> list[tuple[JsonValue, Path]]:
        """What the schema's $ref leads to, at most one."""
        reference = schema.get("$ref")
        where = (*path, "$ref")
        if not isinstance(reference, str):
            return []
        if reference != "#" and not reference.startswith("#/"):
            self._fault(where, 'only references inside of this schema are followed, like "#/$defs/name"')
            return []
        try:
            target, target_path = _target(self.root, reference)
        except LookupError:
            self._fault(where, f"{clipped(reference)} leads nowhere")
            return []
        if id(target) in self._open:
            self._fault(where, f"{clipped(reference)} leads back to itself: recursive schemas are not supported")
            return []
        return [(target, target_path)]

    def _fault(self, path: Path, message: str) -> None:
        self.faults[path, message] = None


def _patterns(schema: JsonObject, path: Path) -> list[tuple[str, Path]]:
    """The regular expressions that a schema applies itself, each with its path."""
    patterns: list[tuple[str, Path]] = []
    if isinstance(pattern := schema.get("pattern"), str):
        patterns.append((pattern, (*path, "pattern")))
    if isinstance(named := schema.get("patternProperties"), dict):
        patterns += [(name, (*path, "patternProperties", name)) for name in named]
    return patterns


def _children(schema: JsonObject, path: Path) -> Iterator[tuple[JsonValue, Path]]:
    for keyword, value in schema.items():
        where = (*path, keyword)
        if keyword in _HOLDS_A_SCHEMA:
            yield value, where
        elif keyword in _HOLDS_A_LIST and isinstance(value, list):
            for index, member in enumerate(value):
                yield member, (*where, index)
        elif keyword in _HOLDS_A_MAP:
            yield from _members(value, where)


def _members(value: JsonValue, path: Path) -> Iterator[tuple[JsonValue, Path]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield member, (*path, name)


def _target(root: JsonObject, reference: str) -> tuple[JsonValue, Path]:
    """What a JSON Pointer in a URI fragment (RFC 6901, section 6) leads to, and its path. Raises LookupError."""
    target: JsonValue = root
    path: list[str | int] = []
    for token in unquote(reference).split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict):
            path.append(key)
            target = target[key]
        elif isinstance(target, list) and re.fullmatch("0|[1-9][0-9]{0,8}", key):
            path.append(int(key))
            target = target[int(key)]
        else:
            raise LookupError(key)
    return target, tuple(path)


def _is_linear(pattern: str) -> bool:
    try:
        _validator({"pattern": pattern})
    except jsonschema_rs.ValidationError:
        return False
    return True


def _validator(schema: JsonObject) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        retriever=_refuse_to_retrieve,
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES),
        mask=_MASK,
    )


@cache
def _metaschema() -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": _DIALECT}, retriever=_refuse_to_retrieve, mask=_MASK)


def _refuse_to_retrieve(uri: str) -> Any:
    raise LookupError(f"{uri} is outside of the schema")


def _input_faults(error: jsonschema_rs.ValidationError) -> Iterator[InputFault]:
    """A missing or unexpected property is a fault of that property, each its own; other faults stand where they are."""
    path: Path = ("input", *error.instance_path)
    match error.kind:
        case Kind.Required(name):
            yield InputFault(dotted((*path, name)), "is required and missing")
        case Kind.AdditionalProperties(names) | Kind.UnevaluatedProperties(names):
            for name in names:
                yield InputFault(dotted((*path, name)), "is not a known property")
        case _:
            yield InputFault(dotted(path), _message(error))


def _message(error: jsonschema_rs.ValidationError) -> str:
    match error.kind:
        case Kind.AnyOf(alternatives) | Kind.OneOfNotValid(alternatives):
            reasons = " or ".join(alternative[0].message for alternative in alternatives if alternative)
            return clipped(f"fits no alternative: {reasons}", _LONGEST_MESSAGE)
        case _:
            return clipped(error.message, _LONGEST_MESSAGE)
