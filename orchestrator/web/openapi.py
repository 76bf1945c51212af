"""The OpenAPI 3.1 description, generated from the table of routes and the models that they name. Pure.

Invariant: nothing is described by hand, so nothing can be described that is not served.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orchestrator.web.documents import Error
from orchestrator.web.identity import Access
from orchestrator.web.routing import FromBody, FromBytes, FromQuery, FromStream, Route
from orchestrator.web.submission import LONGEST_KEY, ExecuteBody

Document = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/{model}"

SECURITY_SCHEMES: Final[Document] = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "header", "name": "X-Session-Token"},
    "workerSecret": {"type": "http", "scheme": "bearer"},
    "workerId": {"type": "apiKey", "in": "header", "name": "X-Worker-ID"},
}
_CLIENT: Final[list[dict[str, list[str]]]] = [{"apiKey": []}, {"session": []}]
_WORKER: Final[list[dict[str, list[str]]]] = [{"workerSecret": [], "workerId": []}]
_SECURITY: Final[Mapping[Access, list[dict[str, list[str]]]]] = {
    Access.PUBLIC: [],
    Access.CLIENT: _CLIENT,
    Access.WORKER: _WORKER,
    Access.ANYONE: _CLIENT + _WORKER,
}
_IDEMPOTENCY_KEY: Final[Document] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body again is the same execution; another body is refused (422).",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
_LAST_EVENT_ID: Final[Document] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that was heard; what followed it is told.",
    "schema": {"type": "string"},
}


def describe(table: Mapping[str, Sequence[Route]], version: str) -> Document:
    """The whole description; its schemas are those of JSON Schema 2020-12."""
    routes = [route for section in table.values() for route in section]
    named = [model for route in routes for model in (_body_model(route), _answer_model(route)) if model is not None]
    models: dict[type[BaseModel], None] = dict.fromkeys((*named, ExecuteBody, Error))
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    paths: dict[str, Document] = {}
    for section, rows in table.items():
        for route in rows:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, section)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Baton",
            "version": version,
            "summary": "Runs multi-stage pipelines on workers that get to say yes first.",
        },
        "tags": [{"name": section} for section in table],
        "paths": paths,
        "components": {"schemas": schemas["$defs"], "securitySchemes": SECURITY_SCHEMES},
    }


def _operation(route: Route, section: str) -> Document:
    operation: Document = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [section],
        "security": _SECURITY[route.access],
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.scope is not None:
        operation["description"] = f"The scope `{route.scope.value}` is needed."
    if (body := _body(route)) is not None:
        operation["requestBody"] = body
    return operation


def operation_id(route: Route) -> str:
    """A name of the route that is nobody else's: `postApiExecutionsExecutionIdCancel`."""
    words = re.findall(r"[A-Za-z0-9]+", route.path)
    return route.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _parameters(route: Route) -> list[Document]:
    parameters: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters
    ]
    if isinstance(route.intake, FromQuery | FromStream):
        schema = route.intake.model.model_json_schema()
        required = schema.get("required", ())
        for name, described in schema.get("properties", {}).items():
            parameters.append({"name": name, "in": "query", "required": name in required, "schema": described})
    if route.creates:
        parameters.append(_IDEMPOTENCY_KEY)
    if route.answers == "text/event-stream":
        parameters.append(_LAST_EVENT_ID)
    return parameters


def _body(route: Route) -> Document | None:
    match route.intake:
        case FromBody():
            content = {"application/json": {"schema": _reference(route.intake.model)}}
            return {"required": not route.intake.optional, "content": content}
        case FromBytes():
            model = route.intake.model
            schema = {} if model is None else _reference(model)
            return {"content": {media_type: {"schema": schema} for media_type in route.intake.media_types}}
        case FromStream():
            return {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
        case _:
            return None


def _responses(route: Route) -> Document:
    described: Document = {}
    for status in (route.status, route.or_status):
        if status is not None:
            described[str(status)] = {"description": HTTPStatus(status).phrase, **_content(route)}
    error = {"application/json": {"schema": _reference(Error)}}
    for status in route.error_statuses:
        described[str(status)] = {"description": HTTPStatus(status).phrase, "content": error}
    return described


def _content(route: Route) -> Document:
    model = _answer_model(route)
    if model is not None:
        return {"content": {"application/json": {"schema": _reference(model)}}}
    if route.status == HTTPStatus.SWITCHING_PROTOCOLS:
        return {}
    return {"content": {route.answers: {"schema": {}}}}


def _body_model(route: Route) -> type[BaseModel] | None:
    return route.intake.model if isinstance(route.intake, FromBody | FromBytes) else None


def _answer_model(route: Route) -> type[BaseModel] | None:
    return None if isinstance(route.answers, str) else route.answers


def _reference(model: type[BaseModel]) -> Document:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
