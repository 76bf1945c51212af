"""The two vendors' wire formats from the server's side: what a request must be, and the events of an answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

Json = dict[str, Any]
Tokens = tuple[int, int] | None
"""What an answer says it used, in and out; None where the server does not tell."""

_OPENAI_WORDS: Final = frozenset(
    {"type", "description", "enum", "anyOf", "items", "properties", "required", "additionalProperties", "$defs", "$ref"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is refused."""

    status: int
    kind: str
    message: str


class Wire(Protocol):
    """One vendor's format."""

    base: str
    path: str

    def fault(self, headers: Mapping[str, str], body: Json, key: str, keeps_schemas: bool) -> Fault | None: ...

    def opening(self, text: str, tokens: Tokens) -> Iterator[bytes]: ...

    def part(self, text: str, prose: bool) -> bytes: ...

    def closing(self, text: str, tokens: Tokens, ending: str) -> Iterator[bytes]: ...

    def error(self, fault: Fault) -> Json: ...

    def error_event(self, kind: str) -> bytes: ...


def events(wire: Wire, text: str, tokens: Tokens, ending: str = "complete", piece: int = 97) -> Iterator[bytes]:
    """A whole answer, its text in pieces of so many characters."""
    yield from wire.opening(text, tokens)
    for start in range(0, len(text), piece):
        yield wire.part(text[start : start + piece], is_prose(text))
    yield from wire.closing(text, tokens, ending)


def is_prose(text: str) -> bool:
    """Whether a model says it, where it would hand JSON to a tool."""
    return not text.lstrip().startswith("{")


class OpenAiWire:
    """Chat completions."""

    base = "/v1"
    path = "/v1/chat/completions"

    def fault(self, headers: Mapping[str, str], body: Json, key: str, keeps_schemas: bool) -> Fault | None:
        given = headers.get("Authorization")
        if given is not None and given != f"Bearer {key}":
            return Fault(401, "invalid_request_error", f"Incorrect API key provided: {given.removeprefix('Bearer ')}.")
        if not body.get("messages") or {turn["role"] for turn in body["messages"]} - {"system", "user", "assistant"}:
            return Fault(400, "invalid_request_error", "Invalid 'messages'.")
        if body.get("stream") is not True or body.get("stream_options") != {"include_usage": True}:
            return Fault(400, "invalid_request_error", "This server streams, and tells usage at the end.")
        return self._format_fault(body, keeps_schemas)

    def _format_fault(self, body: Json, keeps_schemas: bool) -> Fault | None:
        match body.get("response_format"):
            case {"type": "json_schema", "json_schema": {"name": str(), "strict": bool(strict), "schema": schema}}:
                if not keeps_schemas:
                    return Fault(400, "invalid_request_error", "response_format of type json_schema is not supported.")
                wrong = next(_strict_faults(schema), None) if strict else None
                return Fault(400, "invalid_request_error", f"Invalid schema: {wrong}") if wrong else None
            case {"type": "json_object"}:
                said = any("JSON" in turn["content"] for turn in body["messages"])
                return None if said else Fault(400, "invalid_request_error", "'messages' must contain the word 'json'.")
        return Fault(400, "invalid_request_error", "Invalid 'response_format'.")

    def opening(self, text: str, tokens: Tokens) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})

    def part(self, text: str, prose: bool) -> bytes:
        return self._chunk({"content": text})

    def closing(self, text: str, tokens: Tokens, ending: str) -> Iterator[bytes]:
        if ending == "declined":
            yield self._chunk({"refusal": "I cannot help with that."})
        yield self._chunk({}, "length" if ending == "truncated" else "stop")
        if tokens is not None:
            usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
            yield _data({**self._frame(), "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    def error(self, fault: Fault) -> Json:
        return {"error": {"message": fault.message, "type": fault.kind, "param": None, "code": None}}

    def error_event(self, kind: str) -> bytes:
        return _data({"error": {"message": "The server had an error.", "type": kind, "code": None}})

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**self._frame(), "choices": [choice], "usage": None})

    def _frame(self) -> Json:
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_750_000_000, "model": "a-model"}


class AnthropicWire:
    """Messages, answered through a tool where the request forces one."""

    base = ""
    path = "/v1/messages"

    def fault(self, headers: Mapping[str, str], body: Json, key: str, keeps_schemas: bool) -> Fault | None:
        if headers.get("x-api-key", key) != key:
            return Fault(401, "authentication_error", "invalid x-api-key")
        if headers.get("anthropic-version") != "2023-06-01":
            return Fault(400, "invalid_request_error", "anthropic-version: header is required")
        if not isinstance(body.get("max_tokens"), int) or body.get("stream") is not True:
            return Fault(400, "invalid_request_error", "max_tokens: Field required")
        roles = [turn["role"] for turn in body["messages"]]
        if roles != [("user", "assistant")[place % 2] for place in range(len(roles))] or roles[-1:] != ["user"]:
            return Fault(400, "invalid_request_error", "messages: roles must alternate, beginning and ending with user")
        tools = {tool["name"]: tool["input_schema"]["type"] for tool in body["tools"]}
        if body["tool_choice"]["type"] != "tool" or tools.get(body["tool_choice"]["name"]) != "object":
            return Fault(400, "invalid_request_error", "tool_choice: no such tool")
        return None

    def opening(self, text: str, tokens: Tokens) -> Iterator[bytes]:
        counts = {} if tokens is None else {"input_tokens": tokens[0], "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": counts}
        yield _named("message_start", {"message": message})
        tool = {"type": "tool_use", "id": "toolu_1", "name": "hand_over", "input": {}}
        block = {"type": "text", "text": ""} if is_prose(text) else tool
        yield _named("content_block_start", {"index": 0, "content_block": block})
        yield _named("ping", {})

    def part(self, text: str, prose: bool) -> bytes:
        delta = {"type": "text_delta", "text": text} if prose else {"type": "input_json_delta", "partial_json": text}
        return _named("content_block_delta", {"index": 0, "delta": delta})

    def closing(self, text: str, tokens: Tokens, ending: str) -> Iterator[bytes]:
        yield _named("content_block_stop", {"index": 0})
        usual = "end_turn" if is_prose(text) else "tool_use"
        reason = {"truncated": "max_tokens", "declined": "refusal"}.get(ending, usual)
        usage = {} if tokens is None else {"output_tokens": tokens[1]}
        yield _named("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage})
        yield _named("message_stop", {})

    def error(self, fault: Fault) -> Json:
        return {"type": "error", "error": {"type": fault.kind, "message": fault.message}, "request_id": "req_1"}

    def error_event(self, kind: str) -> bytes:
        return _named("error", {"error": {"type": kind, "message": "Overloaded"}})


WIRES: Final[Mapping[str, Wire]] = {"openai": OpenAiWire(), "anthropic": AnthropicWire()}


def _data(document: Json) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


def _named(name: str, document: Json) -> bytes:
    return f"event: {name}\n".encode() + _data({"type": name, **document})


def _strict_faults(schema: Any, root: bool = True) -> Iterator[str]:
    """What OpenAI refuses in a strict schema: open objects, optional properties, words beyond its subset."""
    if root and schema.get("type") != "object":
        yield "the root must be an object"
    if "$ref" in schema and len(schema) > 1:
        yield "a $ref stands beside other words"
    if unknown := set(schema) - _OPENAI_WORDS:
        yield f"{sorted(unknown)} are not permitted"
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield "additionalProperties must be false"
        if schema.get("required") != list(schema.get("properties", {})):
            yield "every property must be required"
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    for part in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from _strict_faults(part, root=False)
