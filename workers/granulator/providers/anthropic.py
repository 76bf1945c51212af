"""The wire format of Anthropic's messages: `POST {base}/v1/messages`, streamed.

The structure comes as the input of a tool whose schema is the structure's and which the model must use.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, NonNegativeInt
from yarl import URL

from protocol.codec import loads
from workers.granulator.providers.dialect import Draft, Ending, Json, Question, StreamError
from workers.granulator.providers.endpoint import Endpoint, Vendor
from workers.granulator.providers.events import ServerEvent
from workers.granulator.providers.secret import Secret

ANTHROPIC: Final = Vendor("anthropic", "ANTHROPIC", "https://api.anthropic.com", "claude-haiku-4-5")
API_VERSION: Final = "2023-06-01"
TOOL: Final = "hand_over"

_ENDINGS: Final[Mapping[str, Ending]] = {
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    "refusal": "declined",
}


class _Usage(BaseModel):
    input_tokens: NonNegativeInt | None = None
    output_tokens: NonNegativeInt | None = None
    cache_creation_input_tokens: NonNegativeInt | None = None
    cache_read_input_tokens: NonNegativeInt | None = None

    @property
    def all_input_tokens(self) -> int | None:
        """The prompt's whole size; what was read from a cache is told apart."""
        if self.input_tokens is None:
            return None
        return self.input_tokens + (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)


class _Message(BaseModel):
    usage: _Usage = _Usage()


class _Delta(BaseModel):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Event(BaseModel):
    """Every kind of event in one, each with the parts that it has."""

    type: str
    message: _Message = _Message()
    delta: _Delta = _Delta()
    usage: _Usage = _Usage()
    error: Any = None


class Anthropic:
    """Messages as a dialect."""

    vendor = ANTHROPIC

    def url(self, base: URL) -> URL:
        return base / "v1" / "messages"

    def headers(self, key: Secret | None) -> Mapping[str, str]:
        version = {"anthropic-version": API_VERSION}
        return version if key is None else {**version, "x-api-key": key.reveal()}

    def body(self, endpoint: Endpoint, question: Question) -> Json:
        tool = {
            "name": TOOL,
            "description": f"Takes the finished {question.type.replace('_', ' ')}.",
            "input_schema": question.schema,
        }
        return {
            "model": endpoint.model,
            "system": question.prompt.system,
            "messages": [{"role": turn.role, "content": turn.text} for turn in question.prompt.turns],
            "tools": [tool],
            "tool_choice": {"type": "tool", "name": TOOL},
            "max_tokens": question.longest_answer_tokens,
            "stream": True,
        }

    def take(self, draft: Draft, event: ServerEvent) -> None:
        told = _Event.model_validate(loads(event.data.encode()))
        match told.type:
            case "message_start":
                draft.tokens_in, draft.tokens_out = (
                    told.message.usage.all_input_tokens,
                    told.message.usage.output_tokens,
                )
            case "content_block_delta":
                draft.add(told.delta.partial_json)
                draft.add(told.delta.text, aside=True)
            case "message_delta":
                _count(draft, told.usage)
                if told.delta.stop_reason is not None:
                    draft.ending = _ENDINGS.get(told.delta.stop_reason, "complete")
            case "message_stop":
                draft.finished = True
            case "error":
                raise StreamError({"error": told.error})


def _count(draft: Draft, usage: _Usage) -> None:
    """Takes over what is told; each count is of the whole message so far, so the last one holds."""
    if usage.all_input_tokens is not None:
        draft.tokens_in = usage.all_input_tokens
    if usage.output_tokens is not None:
        draft.tokens_out = usage.output_tokens
