"""What a client sends to have an execution, and what it becomes. Pure.

Invariant: two requests have the same hash exactly if they ask for the same, however their JSON is written.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Final

import orjson
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from orchestrator.core.requests import ExecuteRequest
from orchestrator.core.template import Template
from orchestrator.store.templates import Published
from orchestrator.web.fields import ClientModel
from orchestrator.web.priority import NORMAL, Priority
from orchestrator.web.refusal import Refused, detail, invalid

MOST_OF_A_BATCH: Final = 1000
LONGEST_KEY: Final = 200


def _is_printable(key: str) -> str:
    if not key.isprintable():
        raise PydanticCustomError("printable", "must have printable characters only")
    return key


Key = Annotated[str, Field(min_length=1, max_length=LONGEST_KEY), AfterValidator(_is_printable)]


class ExecuteBody(ClientModel):
    """One execution to be made. `templateName` and `parameters` are taken for `template` and `input`."""

    also: ClassVar[Mapping[str, str]] = {"templateName": "template", "parameters": "input"}

    template: Annotated[str, Field(min_length=1, max_length=200, description="The template's name.")]
    input: Any = Field(default_factory=dict, description="What the template's input schema asks for.")
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(None, description="Without one, the latest.")
    priority: Priority = NORMAL
    idempotency_key: Key | None = Field(None, description="As the header Idempotency-Key; both have to agree.")
    request_id: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The client's own name for what asked for this; it is kept with the execution."
    )


class BatchBody(ClientModel):
    """Many executions to be made, each as in a request of its own."""

    executions: Annotated[
        list[Any],
        Field(max_length=MOST_OF_A_BATCH, json_schema_extra={"items": {"$ref": "#/components/schemas/ExecuteBody"}}),
    ]


def execute_request(
    client_id: str, body: ExecuteBody, key: str | None, published: Published, template: Template
) -> ExecuteRequest:
    """The checked request; raises `Refused` 422 with each way in which the input breaks the template's schema."""
    faults = template.check_input(body.input)
    if faults:
        details = [{"path": fault.path, "message": fault.message} for fault in faults]
        raise Refused(422, "invalid_input", f"the input is not what {template.name} takes: {_first(details)}", details)
    return ExecuteRequest(
        client_id=client_id,
        template=template,
        template_client_id=published.client_id,
        input=body.input,
        priority=body.priority,
        key=key,
        body_hash=b"" if key is None else hash_of(body),
        request_id=body.request_id,
    )


def hash_of(body: ExecuteBody) -> bytes:
    """SHA-256 of what is asked for: every field but the key itself, by the order of names, defaults filled in."""
    asked = {name: getattr(body, name) for name in ExecuteBody.model_fields if name != "idempotency_key"}
    return _hash({"execute": asked})


def hash_of_retry(execution_id: str) -> bytes:
    """As `hash_of`, for a retry of this execution; it is never the hash of an `ExecuteBody`."""
    return _hash({"retry": execution_id})


def agreed_key(header: str | None, in_body: str | None) -> str | None:
    """The idempotency key; raises `Refused` 422 if the header's is not one or differs from the body's."""
    if header is None:
        return in_body
    if not 1 <= len(header) <= LONGEST_KEY or not header.isprintable():
        raise invalid([detail(("Idempotency-Key",), f"must have 1 to {LONGEST_KEY} printable characters")])
    if in_body is not None and in_body != header:
        raise invalid([detail(("idempotencyKey",), "differs from the header Idempotency-Key: give one of them")])
    return header


def key_of_item(key: str | None, index: int) -> str | None:
    """The key of a batch's item where the batch has one and the item has none: the batch repeated is a repetition."""
    return None if key is None else f"{key}/{index}"


def _first(details: list[dict[str, str]]) -> str:
    return f"{details[0]['path']}: {details[0]['message']}"


def _hash(asked: Mapping[str, Any]) -> bytes:
    return sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()
