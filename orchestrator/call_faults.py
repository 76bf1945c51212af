"""How a call of the HTTP API ends other than well: no answer, or one that says no; and which of them may pass."""

import os
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
import orjson

from orchestrator.artifact_files import WrongHash

LONGEST_WAIT_S: Final = 10.0
"""A wait that somebody would sit through."""


class ApiError(Exception):
    """The server answered, and said no. `details` is what its error envelope carries, `retry_after_s` its wish."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Any = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class Unreachable(Exception):
    """No answer of a Baton server came back from `url`. With `maybe_done` the request may still have taken effect."""

    def __init__(self, url: str, reason: str, *, maybe_done: bool = False) -> None:
        super().__init__(f"cannot reach {url}: {reason}")
        self.url = url
        self.reason = reason
        self.maybe_done = maybe_done


class StreamUnavailable(Exception):
    """The server is there, but its event stream cannot be had; polling tells the same, more slowly."""


def reason_of(error: aiohttp.ClientError | TimeoutError | WrongHash) -> str:
    """Why a call had no answer, in words."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))) if number > 0:
            return os.strerror(number).lower()
        case aiohttp.ClientConnectorError(os_error=OSError(strerror=str(reason))):
            return reason.lower()
        case _:
            return str(error) or type(error).__name__


def may_pass(error: BaseException) -> bool:
    """Whether the same call may fare better a little later, and within a wait that somebody would sit through."""
    match error:
        case Unreachable():
            return True
        case ApiError(status=503):
            return (error.retry_after_s or 0.0) <= LONGEST_WAIT_S
        case _:
            return False


def asked_wait(error: BaseException | None) -> float | None:
    """Seconds that the server wants to be left alone for, if this is its answer and says so."""
    return error.retry_after_s if isinstance(error, ApiError) else None


def refusal(status: int, reason: str, headers: Mapping[str, str], content: bytes) -> ApiError:
    """The error that an answer outside 2xx stands for, from its envelope or, where it has none, from its status."""
    try:
        envelope = orjson.loads(content)
    except orjson.JSONDecodeError:
        envelope = None
    wait_s = retry_after_s(headers)
    match envelope:
        case {"error": {"code": str(code), "message": str(message), **rest}}:
            return ApiError(status, code, message, rest.get("details"), envelope.get("requestId"), wait_s)
        case _:
            return ApiError(status, f"http_{status}", reason or "the server gave no reason", retry_after_s=wait_s)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, or None; a date counts from the answer's own `Date`, not from our clock."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())
