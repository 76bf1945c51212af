"""How a provider fails: a code, a sentence that says what to do, and whether a later attempt may fare better."""

from enum import StrEnum
from typing import Final

from workers.granulator.providers.provider import NOTHING, Spent


class ProviderFault(StrEnum):
    """Why a provider made nothing; these are the codes that a failed stage shows."""

    UNCONFIGURED = "provider_unconfigured"
    UNAUTHORIZED = "provider_unauthorized"
    OUT_OF_CREDIT = "provider_out_of_credit"
    NOT_FOUND = "provider_not_found"
    REJECTED = "provider_rejected"
    RATE_LIMITED = "provider_rate_limited"
    UNAVAILABLE = "provider_unavailable"
    TIMEOUT = "provider_timeout"
    MALFORMED = "provider_malformed"
    UNUSABLE_ANSWER = "provider_unusable_answer"
    TRUNCATED = "provider_truncated"
    DECLINED = "provider_declined"


RETRYABLE: Final = frozenset(
    {ProviderFault.RATE_LIMITED, ProviderFault.UNAVAILABLE, ProviderFault.TIMEOUT, ProviderFault.MALFORMED}
)
"""What may pass by itself. The others stay as they are until somebody changes a setting, the order or the model."""


class ProviderError(Exception):
    """A provider made nothing; the text is one sentence that names it and what can be done.

    `retry_after_s` is how long the provider itself asked to be left alone; `spent` is what it took all the same.
    """

    def __init__(self, code: ProviderFault, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.spent: Spent = NOTHING

    @property
    def retryable(self) -> bool:
        return self.code in RETRYABLE


class SchemaUnsupported(ProviderError):
    """The server does not hold answers to a JSON schema; the same request without one may pass."""
