"""A server's refusal as a fault: what its status and its error document mean, and what can be done about it.

Both vendors answer `{"error": {"message", "type", "code"}}`; whatever else comes is judged by the status alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

from protocol.codec import loads
from protocol.errors import ProtocolError
from workers.granulator.providers.endpoint import Endpoint
from workers.granulator.providers.failure import ProviderError, ProviderFault, SchemaUnsupported

LONGEST_SAYING_CHARACTERS: Final = 300

_NO_CREDIT: Final = ("insufficient_quota", "billing_error", "credit balance is too low")
_ABOUT_THE_SCHEMA: Final = ("response_format", "json_schema")
_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
}
"""What an error in the middle of a stream would have been as a status; what is not here is a failure of the server."""

_LATER: Final = "try again later, or name another provider"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a status says of a provider: the code, the predicate of a sentence about it, and what can be done."""

    code: ProviderFault
    what: str
    advice: str


_BROKE: Final = _Meaning(
    ProviderFault.OUT_OF_CREDIT, "says that its credit is used up", "top it up, or name another provider"
)


def refusal(endpoint: Endpoint, status: int, document: Any, headers: Mapping[str, str]) -> ProviderError:
    """The fault behind a status that is not 200 and the JSON that came with it (None where it was no JSON)."""
    said = _saying(endpoint, document)
    if status in (400, 422) and said.mentions(_ABOUT_THE_SCHEMA):
        return SchemaUnsupported(
            ProviderFault.REJECTED, f"{endpoint.name} takes no JSON schema ({status}){said.quoted}"
        )
    meaning = _BROKE if status == 402 or said.mentions(_NO_CREDIT) else _meaning(endpoint, status)
    # What servers say of a key may hold a part of it.
    quoted = "" if meaning.code is ProviderFault.UNAUTHORIZED else said.quoted
    reason = f"{endpoint.name} {meaning.what} ({status}){quoted}: {meaning.advice}"
    return ProviderError(meaning.code, reason, asked_wait_s(headers))


def refusal_in_stream(endpoint: Endpoint, document: Json) -> ProviderError:
    """The fault behind an error that a stream broke off with."""
    error = document.get("error")
    kind = error.get("type") or error.get("code") if isinstance(error, dict) else None
    status = kind if isinstance(kind, int) else _STATUS_OF_TYPE.get(str(kind), 500)
    return refusal(endpoint, status, document, {})


def unavailable(endpoint: Endpoint, what: str) -> ProviderError:
    """The fault of a server that is not to be had for now; `what` is the sentence's predicate."""
    return ProviderError(ProviderFault.UNAVAILABLE, f"{endpoint.name} {what}: {_LATER}")


def error_document(body: bytes) -> Any:
    """The JSON of an error's body; None where it is none."""
    try:
        return loads(body)
    except ProtocolError:
        return None


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """How long `Retry-After` asks to wait, in seconds; a date counts from the answer's own `Date`."""
    asked = headers.get("Retry-After", "").strip()
    try:
        seconds = float(asked)
    except ValueError:
        return _until(asked, headers.get("Date", ""))
    return max(0.0, seconds) if isfinite(seconds) else None


def _until(later: str, now: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(later) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError):  # the one has a time zone and the other has not
        return None


def _meaning(endpoint: Endpoint, status: int) -> _Meaning:
    vendor, model = endpoint.vendor, f"the model “{endpoint.model}”"
    match status:
        case 401:
            advice = f"set {vendor.key_variable} to a key that is valid"
            return _Meaning(ProviderFault.UNAUTHORIZED, "refuses the key", advice)
        case 403:
            advice = f"set {vendor.key_variable} to a key that may, or {vendor.model_variable} to another model"
            return _Meaning(ProviderFault.UNAUTHORIZED, f"forbids this key {model}", advice)
        case 404:
            advice = f"check {vendor.model_variable} and {vendor.base_variable}"
            return _Meaning(ProviderFault.NOT_FOUND, f"has not got {model} at {endpoint.base.host}", advice)
        case 429:
            return _Meaning(ProviderFault.RATE_LIMITED, "limits its rate", _LATER)
        case 408 | 425:
            return _Meaning(ProviderFault.UNAVAILABLE, "is not ready", _LATER)
        case _ if status >= 500:
            return _Meaning(ProviderFault.UNAVAILABLE, "fails", _LATER)
        case _ if 300 <= status < 400:
            advice = f"set {vendor.base_variable} to the final address"
            return _Meaning(ProviderFault.REJECTED, "answers from another address", advice)
        case _:
            return _Meaning(
                ProviderFault.REJECTED, "rejects the request", "change the input, the model or the provider"
            )


@dataclass(frozen=True, slots=True)
class _Saying:
    """What the server said: `matter` to be searched for words, `quoted` to be shown, without key and without end."""

    matter: str
    quoted: str

    def mentions(self, words: Sequence[str]) -> bool:
        return any(word in self.matter for word in words)


def _saying(endpoint: Endpoint, document: Any) -> _Saying:
    error = document.get("error") if isinstance(document, dict) else None
    fields = error if isinstance(error, dict) else {"message": error}
    said = {name: str(fields.get(name) or "") for name in ("message", "type", "code", "param")}
    message = " ".join(endpoint.redacted(said["message"]).split())[:LONGEST_SAYING_CHARACTERS]
    return _Saying(" ".join(said.values()), f", saying “{message}”" if message else "")
