"""The codes that cross the wire: why an offer is refused, why an attempt failed, and what is wrong with bytes."""

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a worker refuses an offer. A refusal is not an attempt and is never charged as one."""

    BUSY = "busy"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    OVER_BUDGET = "over_budget"
    DEADLINE = "deadline"
    DRAINING = "draining"
    POLICY = "policy"
    INVALID_INPUT = "invalid_input"


class FailureCode(StrEnum):
    """Why an attempt failed, when the orchestrator is the one who says so; workers add codes of their own."""

    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    POISON = "poison"
    MALFORMED_ANSWER = "malformed_answer"
    WORKER_STOPPED = "worker_stopped"
    WORKER_ERROR = "worker_error"
    RESULT_TOO_LARGE = "result_too_large"
    UNRESOLVED_REFERENCE = "unresolved_reference"
    ARTIFACT_LOST = "artifact_lost"
    SIGNAL_TIMEOUT = "signal_timeout"
    CANCELLED = "cancelled"
    INVALID_INPUT = "invalid_input"
    REFUSED = "refused"


class ProtocolError(Exception):
    """Bytes or a document that the protocol does not allow.

    `code` is machine-readable, `path` names the place of the fault inside the document ("" is the whole of it).
    """

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.code = code
        self.message = message
        self.path = path
