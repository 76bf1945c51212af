"""The wire format of OpenAI's chat completions, which many servers speak: `POST {base}/chat/completions`, streamed.

An answer is held to the JSON schema by the server where it can do that, else to some JSON object.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, NonNegativeInt
from yarl import URL

from protocol.codec import loads
from workers.granulator.providers.dialect import Draft, Ending, Json, Question, StreamError
from workers.granulator.providers.endpoint import Endpoint, Vendor
from workers.granulator.providers.events import ServerEvent
from workers.granulator.providers.schema import is_strict
from workers.granulator.providers.secret import Secret

OPENAI: Final = Vendor("openai", "OPENAI", "https://api.openai.com/v1", "gpt-4o-mini")

_END_OF_STREAM: Final = "[DONE]"
_ENDINGS: Final[Mapping[str, Ending]] = {"length": "truncated", "content_filter": "declined"}


class _Delta(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class OpenAiCompatible:
    """Chat completions as a dialect."""

    vendor = OPENAI

    def url(self, base: URL) -> URL:
        return base / "chat" / "completions"

    def headers(self, key: Secret | None) -> Mapping[str, str]:
        return {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}

    def body(self, endpoint: Endpoint, question: Question) -> Json:
        # The vendor's newer models refuse the old name of the limit; other servers know no other.
        limit = "max_completion_tokens" if endpoint.is_vendors else "max_tokens"
        turns = [{"role": turn.role, "content": turn.text} for turn in question.prompt.turns]
        return {
            "model": endpoint.model,
            "messages": [{"role": "system", "content": question.prompt.system}, *turns],
            "response_format": _response_format(question),
            limit: question.longest_answer_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def take(self, draft: Draft, event: ServerEvent) -> None:
        if event.data == _END_OF_STREAM:
            draft.finished = True
            return
        chunk = _Chunk.model_validate(loads(event.data.encode()))
        if chunk.error is not None:
            raise StreamError({"error": chunk.error})
        # The usage comes in a last chunk of its own, which has no choices.
        if chunk.usage is not None:
            draft.tokens_in, draft.tokens_out = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        for choice in chunk.choices[:1]:
            _continue(draft, choice)


def _continue(draft: Draft, choice: _Choice) -> None:
    delta = choice.delta or _Delta()
    draft.add(delta.content or "")
    # A refusal comes as text of its own, and the reason to stop is an ordinary one.
    if delta.refusal:
        draft.ending = "declined"
    elif choice.finish_reason is not None and draft.ending is None:
        draft.ending = _ENDINGS.get(choice.finish_reason, "complete")


def _response_format(question: Question) -> Json:
    if not question.schema_enforced:
        return {"type": "json_object"}
    named = {"name": question.type, "strict": is_strict(question.schema), "schema": question.schema}
    return {"type": "json_schema", "json_schema": named}
