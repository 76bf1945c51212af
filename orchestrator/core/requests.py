"""What clients ask of the orchestrator, and how it answers: the values between web and dispatch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.core.template import Template


@dataclass(frozen=True, slots=True)
class ExecuteRequest:
    """A checked request for one execution. `body_hash` is of the request as it was sent, for the idempotency key."""

    client_id: str
    template: Template
    template_client_id: str
    input: Any
    priority: int
    key: str | None = None
    body_hash: bytes = b""
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """The execution is durable. Position and estimate are None unless they are derived from something."""

    execution_id: str
    position: int | None
    estimated_completion_at: datetime | None
    repeated: bool = False


class UnknownExecution(Exception):
    """The client has no execution of this id."""


class KeyReused(Exception):
    """The idempotency key was used before with another body."""


class WrongState(Exception):
    """The execution's state forbids the command; the message says which state it is in."""


class Crowded(Exception):
    """So many workers register at once that this one has to come back after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("many workers register at this moment; come back shortly")
        self.retry_after = retry_after


class RegistrationRefused(Exception):
    """A worker's registration that cannot stand; `path` names the field at fault."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
