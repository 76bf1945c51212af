"""The fields of a client's body: which names are taken, which are unknown, and what a wrong value is told.

A field goes by its camelCase or its snake_case name, on the top level alone: what is inside a value is never touched.
Invariant: a body with an unknown field is refused, so that no misspelt wish is silently dropped.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel, to_snake

from orchestrator.core.json_value import Path
from orchestrator.web.refusal import Detail, detail, invalid

MOST_FAULTS: Final = 20
_LONGEST_NAME: Final = 64


class ClientModel(BaseModel):
    """What a client sends: strict types; `null` is the same as absent. `also` are further names of fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    also: ClassVar[Mapping[str, str]] = {}


class NoFields(ClientModel):
    """A body that says nothing: `{}`, or none at all."""


M = TypeVar("M", bound=BaseModel)
C = TypeVar("C", bound=ClientModel)


def read(model: type[M], document: Any, at: Path = ()) -> M:
    """The document as a `model`; raises `Refused` 422 with the path of each fault.

    Unknown fields of a `ClientModel` are faults; those of any other model (workers send them) are ignored. `at` is
    where the document stands in the body.
    """
    if not isinstance(document, dict):
        raise invalid([detail(at, "must be an object")])
    names: Mapping[str, str] = {}
    if issubclass(model, ClientModel):
        document, names = _folded(model, document.items(), at)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise invalid(_faults(error, names, at)) from None


def read_query(model: type[C], query: Iterable[tuple[str, str]]) -> C:
    """A query string's pairs as a `model`; raises `Refused` 422 with the name of each fault."""
    folded, names = _folded(model, query, ())
    # A body's text passed the gate; a query's may still hold what no database can store.
    unprintable = [name for name, value in folded.items() if not value.isprintable()]
    if unprintable:
        raise invalid([detail((names[name],), "must have printable characters only") for name in unprintable])
    try:
        return model.model_validate_strings(folded)
    except ValidationError as error:
        raise invalid(_faults(error, names, ())) from None


def _folded(
    model: type[ClientModel], pairs: Iterable[tuple[str, Any]], at: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """The pairs by the fields' camelCase names, and the name under which each was given."""
    accepted = _accepted(model)
    folded: dict[str, Any] = {}
    names: dict[str, str] = {}
    faults: list[Detail] = []
    for name, value in pairs:
        field = accepted.get(name)
        if field is None:
            faults.append(detail((*at, name[:_LONGEST_NAME]), _unknown(name, model)))
        elif field in names:
            faults.append(detail((*at, name), f'is the same field as "{names[field]}": give one of them'))
        else:
            names[field] = name
            if value is not None:
                folded[field] = value
        if len(faults) == MOST_FAULTS:
            break
    if faults:
        raise invalid(faults)
    return folded, names


@cache
def _accepted(model: type[ClientModel]) -> Mapping[str, str]:
    """Each name that is taken, with the camelCase name of its field."""
    accepted = {}
    for field in model.model_fields:
        accepted[field] = accepted[to_camel(field)] = to_camel(field)
    for name, field in model.also.items():
        accepted[name] = accepted[to_snake(name)] = to_camel(field)
    return accepted


def _unknown(name: str, model: type[ClientModel]) -> str:
    known = [to_camel(field) for field in model.model_fields]
    if not known:
        return "is an unknown field; none is taken here"
    nearest = get_close_matches(name[:_LONGEST_NAME], _accepted(model), n=1)
    return (
        f'is an unknown field; did you mean "{nearest[0]}"?'
        if nearest
        else (f"is an unknown field; known here: {', '.join(known)}")
    )


def _faults(error: ValidationError, names: Mapping[str, str], at: Path) -> list[Detail]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = []
    for fault in found[:MOST_FAULTS]:
        first, *rest = fault["loc"] or ("",)
        place = (names.get(str(first), first), *rest) if fault["loc"] else ()
        message = "is required" if fault["type"] == "missing" else fault["msg"]
        faults.append(detail((*at, *place), message))
    return faults
