"""What two vendors' wire formats have in common: a question goes out, an answer comes back in pieces.

A dialect is pure: it makes a body of a question and adds events to a draft, and another part does the talking.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from yarl import URL

from workers.granulator.providers.endpoint import Endpoint, Vendor
from workers.granulator.providers.events import ServerEvent
from workers.granulator.providers.prompt import Prompt
from workers.granulator.providers.secret import Secret
from workers.granulator.structure import StructureType

Json = dict[str, Any]
Ending = Literal["complete", "truncated", "declined"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked: the talk so far, the JSON schema of the answer, and how many tokens it may take.

    With `schema_enforced` the server is to hold the answer to the schema; without, to some JSON object.
    """

    type: StructureType
    prompt: Prompt
    schema: Json
    longest_answer_tokens: int
    schema_enforced: bool = True


@dataclass(slots=True)
class Draft:
    """What has come of an answer so far. `ending` is None until the model has said why it stopped."""

    parts: list[str] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)
    """What a model says beside the answer it hands over; it is the answer where there is no other."""
    characters: int = 0
    ending: Ending | None = None
    finished: bool = False
    """Whether nothing more will come."""
    tokens_in: int | None = None
    tokens_out: int | None = None

    def add(self, text: str, *, aside: bool = False) -> None:
        (self.asides if aside else self.parts).append(text)
        self.characters += len(text)

    @property
    def text(self) -> str:
        return "".join(self.parts) or "".join(self.asides)


class StreamError(Exception):
    """The server said in the middle of its stream that it failed: its error document."""

    def __init__(self, document: Json) -> None:
        super().__init__("the server reports an error in its stream")
        self.document = document


class Dialect(Protocol):
    """One vendor's wire format."""

    @property
    def vendor(self) -> Vendor: ...

    def url(self, base: URL) -> URL: ...

    def headers(self, key: Secret | None) -> Mapping[str, str]: ...

    def body(self, endpoint: Endpoint, question: Question) -> Json: ...

    def take(self, draft: Draft, event: ServerEvent) -> None:
        """Adds an event to a draft; raises StreamError, or ValueError for one that breaks the format."""
        ...
