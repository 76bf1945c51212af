"""The JSON schema that a model's answer is to keep, drawn from the structure's own model.

It says only what every server understands: types, properties, items, choices and references. Each object names all of
its properties as required and allows no others, which is what the strictest servers ask; what a schema in these words
cannot say (lengths, ranges) is checked when the answer has come. What is ours to say of a structure is not asked for.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from workers.granulator.kinds import KINDS
from workers.granulator.structure import Source, StructureType

Json = dict[str, Any]

OURS: Final = frozenset({"provider", "sourced", "notice"})
"""Fields of a whole structure that tell of its origin; no model has a say in them."""
_DEFINITIONS: Final = "#/$defs/"
_SOURCE: Final = f"{_DEFINITIONS}{Source.__name__}"

_KEPT: Final = frozenset({"type", "description", "enum", "additionalProperties"})


@cache
def answer_schema(kind: StructureType, sourced: bool) -> Json:
    """The schema of a structure of this type; without a source, its elements cannot name where they come from."""
    given = KINDS[kind].structure.model_json_schema(by_alias=True, mode="validation")
    whole = {**given, "properties": {name: part for name, part in given["properties"].items() if name not in OURS}}
    root = _plain(whole, sourced)
    definitions = {name: _plain(schema, sourced) for name, schema in given.get("$defs", {}).items()}
    used = _used(root, definitions)
    return {**root, "$defs": {name: definitions[name] for name in sorted(used)}} if used else root


def is_strict(schema: Any) -> bool:
    """Whether every object of the schema has a closed list of properties; a free mapping has none."""
    match schema:
        case {"type": "object", "additionalProperties": extra} if extra is not False:
            return False
        case Mapping():
            return all(is_strict(value) for value in schema.values())
        case list():
            return all(is_strict(value) for value in schema)
        case _:
            return True


def _plain(schema: Any, sourced: bool) -> Json:
    """A schema in few words. A reference stands alone, and a pair becomes a list of what its first place holds."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    plain = {word: value for word, value in schema.items() if word in _KEPT}
    if "const" in schema:
        plain["enum"] = [schema["const"]]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        plain["anyOf"] = [_plain(choice, sourced) for choice in choices]
    if items := schema.get("prefixItems", [schema.get("items")])[0]:
        plain["items"] = _plain(items, sourced)
    if "properties" in schema:
        parts = {name: part for name, part in schema["properties"].items() if _is_asked_for(part, sourced)}
        fields = {name: _plain(part, sourced) for name, part in parts.items()}
        plain |= {"properties": fields, "required": list(fields), "additionalProperties": False}
    elif isinstance(extra := schema.get("additionalProperties"), dict):
        plain["additionalProperties"] = _plain(extra, sourced)
    return plain


def _is_asked_for(schema: Any, sourced: bool) -> bool:
    """Not a list that can only be empty; and no citation where there is nothing to cite."""
    cites = any(choice.get("$ref") == _SOURCE for choice in [schema, *schema.get("anyOf", [])])
    return schema.get("maxItems") != 0 and (sourced or not cites)


def _used(schema: Any, definitions: Mapping[str, Json], known: frozenset[str] = frozenset()) -> frozenset[str]:
    """The names of the definitions that a schema leads to, beside those already known."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.removeprefix(_DEFINITIONS)
            return known if name in known else _used(definitions[name], definitions, known | {name})
        case Mapping():
            for part in schema.values():
                known = _used(part, definitions, known)
        case list():
            for part in schema:
                known = _used(part, definitions, known)
    return known
