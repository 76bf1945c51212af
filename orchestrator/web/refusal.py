"""A call that is answered with an error, and the one shape that every error has.

Invariant: whatever goes wrong, the answer is `{"error": {"code", "message", "details"}, "requestId"}`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.core.json_value import Path, dotted

Detail = dict[str, Any]
"""One thing that is wrong: its `path` (empty for the whole), a `message`, and `line` and `column` where it has them."""

RETRY_AFTER_SECONDS: Final = 1


class Refused(Exception):
    """Ends a call with an error.

    `details` names each thing that is wrong, `beside` are members of the answer next to `error`, `headers` go with it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Detail] | Detail | None = None,
        *,
        beside: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.beside = beside or {}
        self.headers = headers or {}

    @property
    def error(self) -> dict[str, Any]:
        """The member `error` of the answer."""
        return {"code": self.code, "message": self.message, "details": self.details}

    def document(self, request_id: str) -> dict[str, Any]:
        """The whole answer."""
        return {"error": self.error, **self.beside, "requestId": request_id}


def detail(path: Path, message: str) -> Detail:
    """One fault at its place in the body."""
    return {"path": dotted(path), "message": message}


def invalid(details: Sequence[Detail]) -> Refused:
    """422: the body is JSON, but not what is needed. The message is that of the first fault."""
    first = details[0]
    message = f"{first['path']}: {first['message']}" if first["path"] else first["message"]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return Refused(422, "invalid_request", message + more, details)


def unavailable(message: str, retry_after: float = RETRY_AFTER_SECONDS) -> Refused:
    """503: nothing is wrong with the call; it may be repeated after so many seconds."""
    return Refused(503, "unavailable", message, headers={"Retry-After": str(max(1, math.ceil(retry_after)))})
