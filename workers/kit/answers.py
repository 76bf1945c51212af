"""What an action may say besides its result: an estimate, a refusal, an error.

A refusal is "not here" or "not now" and costs the stage nothing. An error is an attempt that failed.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from protocol.errors import RefusalCode
from protocol.packets import Failure

MAX_TEXT: Final = 10_000
_NOT_FOR_THE_WIRE: Final = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an attempt is expected to need: milliseconds, tokens, US dollars, MiB, cores, calls to outside APIs.

    The kit moves the first three by what earlier attempts really took. `key` names what that is learned apart for,
    where it differs within one action: a provider and its model, a kind of result.
    """

    ms: float | None = None
    tokens: int | None = None
    cost_usd: float | Decimal | None = None
    memory_mb: float | None = None
    cpu: float | None = None
    api_calls: int | None = None
    key: str = ""


class Refuse(Exception):
    """Raised by an estimate to refuse an offer.

    `code` is one of `RefusalCode` (`busy`, `unsupported`, `too_large`, `over_budget`, `deadline`, `draining`,
    `policy`, `invalid_input`); `retry_after_ms` says when asking again makes sense.
    """

    def __init__(self, code: RefusalCode | str, reason: str, retry_after_ms: int | None = None) -> None:
        super().__init__(reason)
        self.code = RefusalCode(code)
        self.reason = reason
        self.retry_after_ms = retry_after_ms


class ActionError(Exception):
    """Raised by a handler to fail its attempt with a code of its own.

    `retryable=True` asks for another attempt. Raised by an estimate it refuses the offer as `invalid_input`: this input
    can never succeed, and its stage fails.
    """

    def __init__(self, code: str, message: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(code=code, message=wire_text(message), retryable=retryable)


class Yield(Exception):
    """Raised by a handler to give its attempt back when `context.draining` is set: another one goes on with the stage.

    That costs the stage none of its attempts. Raised where no drain is under way it is a retryable failure, `yielded`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def wire_text(text: str) -> str:
    """`text` as the protocol can carry it: at most 10,000 characters, no U+0000, no lone surrogate."""
    return text[:MAX_TEXT].translate(_NOT_FOR_THE_WIRE)


def describe(error: BaseException) -> str:
    """An exception on one line: its type and its text."""
    text = " ".join(str(error).split())
    return wire_text(f"{type(error).__name__}: {text}" if text else type(error).__name__)
