"""One attempt of another owner at a worker that is at home here, and the packets that the home itself says of it."""

from dataclasses import dataclass, field

from orchestrator.dispatch.fleet import Answered
from protocol.errors import RefusalCode
from protocol.packets import Accept, AttemptKey, Cancel, Failure, Log, Progress, Reject, Result

Told = Accept | Reject | Progress | Log | Result


@dataclass(slots=True)
class Relayed:
    """One attempt; times are monotonic seconds. `owner` is the replica that is believed to drive its execution, None
    until it is found; `expires_at` is set until the worker was told to begin. `waiting` and `by_link` say who is to
    hear what became of `result`.
    """

    worker_id: str
    key: AttemptKey
    owner: str | None
    confirmed_at: float
    expires_at: float | None = None
    grace_until: float | None = None
    result: Result | None = None
    sent_at: float = 0.0
    by_link: bool = False
    waiting: list[Answered] = field(default_factory=list)

    @property
    def has_begun(self) -> bool:
        """Whether the worker was told to begin, as far as is known here."""
        return self.expires_at is None

    def is_meant_by(self, worker_id: str, packet: Told) -> bool:
        """Whether what the worker says of this fence has the right address."""
        about = (worker_id, packet.execution_id, packet.stage_id)
        return about == (self.worker_id, self.key.execution_id, self.key.stage_id)


def key_of(packet: Told) -> AttemptKey:
    """The attempt that a packet speaks of. Only its offer numbers it; nothing here hangs on the number."""
    return AttemptKey(execution_id=packet.execution_id, stage_id=packet.stage_id, attempt=1, fence=packet.fence)


def result_of(key: AttemptKey | Cancel, status: str, error: Failure | None = None) -> Result:
    """The result of an attempt whose worker will not send one."""
    return Result.model_validate({**_address(key), "status": status, "error": error})


def stop_of(key: AttemptKey) -> Cancel:
    """Tells the worker that another fence rules."""
    return Cancel.model_validate({**_address(key), "reason": "stale"})


def refusal_of(key: AttemptKey, worker_id: str, reason: str, retry_after_ms: int | None = None) -> Reject:
    """Tells the owner that its attempt has no slot, and has not begun."""
    said = {"worker_id": worker_id, "code": RefusalCode.BUSY, "reason": reason, "retry_after_ms": retry_after_ms}
    return Reject.model_validate({**_address(key), **said})


def _address(key: AttemptKey | Cancel) -> dict[str, object]:
    return {"execution_id": key.execution_id, "stage_id": key.stage_id, "fence": key.fence}
