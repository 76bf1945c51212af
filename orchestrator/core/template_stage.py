"""The stages of a template as values: what each does, waits for, and may take.

Invariant: a stage either has an action or waits for a signal, never both.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from orchestrator.core.reference import Expression

OnTimeout: TypeAlias = Literal["fail", "skip"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a stage is tried, and how long it rests between two attempts."""

    max_attempts: int
    backoff: timedelta
    backoff_cap: timedelta

    def delay(self, attempt: int, jitter: float) -> timedelta:
        """The rest after attempt number `attempt` (from 1) failed: the backoff, doubled each time, up to the cap.

        `jitter` in [0, 1) spreads it evenly over the upper half: what failed together is not tried again together.
        """
        doublings = min(attempt - 1, (self.backoff_cap // self.backoff).bit_length())
        whole = min(self.backoff * (1 << doublings), self.backoff_cap)
        return whole * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """A signal that a stage waits for; without a timeout it waits for as long as it takes."""

    signal: str
    timeout: timedelta | None
    on_timeout: OnTimeout


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage. `with_` renders to what the worker gets; of a stage that waits, `action` is None.

    `timeout` bounds one attempt, from the worker's start to its result.
    """

    name: str
    action: str | None
    needs: tuple[str, ...]
    with_: Expression
    timeout: timedelta
    retry: RetryPolicy
    wait: WaitSpec | None
