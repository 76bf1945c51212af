"""What a handler is handed beside its input: who it works for, and the ways to report.

Every method may be called from the event loop and from any thread.
"""

import threading
from collections.abc import Callable, Generator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeVar

from protocol.packets import AttemptKey, Log, Metrics, Progress
from workers.kit.answers import wire_text

Report = Progress | Log
N = TypeVar("N", int, Decimal)
Level = Literal["debug", "info", "warning", "error"]

_DECIMAL_PLACES: Final = 10  # of a dollar: sums of floats stay inside the protocol's 18 digits


class Turn:
    """What a report returns. To await it lets other attempts go on, and lets a cancel arrive there."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_turn: Final = Turn()


class Context:
    """One attempt, as its handler sees it."""

    def __init__(self, key: AttemptKey, action: str, report: Callable[[Report], None]) -> None:
        self.execution_id = key.execution_id
        self.stage_id = key.stage_id
        self.attempt = key.attempt
        self.fence = key.fence
        self.action = action
        self.cancelled = threading.Event()
        """Set when the attempt is told to stop; `context.cancelled.wait(s)` is a pause that ends early."""
        self._report = report
        self._usage = threading.Lock()
        self._used = Metrics()

    @property
    def is_cancelled(self) -> bool:
        """Whether the handler should stop. An async handler is cancelled as well; one in a thread must look."""
        return self.cancelled.is_set()

    def progress(self, percent: float, message: str | None = None, metrics: Mapping[str, Any] | None = None) -> Turn:
        """Says how far the attempt is, 0 to 100, and renews its lease. Await it in an async handler."""
        self._report(
            Progress(
                execution_id=self.execution_id,
                stage_id=self.stage_id,
                fence=self.fence,
                progress=min(100.0, max(0.0, percent)),
                message=None if message is None else wire_text(message),
                metrics=None if metrics is None else Metrics.model_validate(metrics),
            )
        )
        return _turn

    def log(self, message: str, level: Level = "info") -> None:
        """Sends a line to those who watch the execution."""
        text = wire_text(message)
        self._report(
            Log(execution_id=self.execution_id, stage_id=self.stage_id, fence=self.fence, level=level, message=text)
        )

    def report_usage(self, *, tokens: int | None = None, cost_usd: float | Decimal | str | None = None) -> None:
        """Adds to what this attempt has consumed; the sums go out in its result's metrics.

        Raises ValueError for what the protocol cannot carry: a negative or an absurd amount.
        """
        cost = None if cost_usd is None else _money(cost_usd)
        if (tokens or 0) < 0 or (cost or 0) < 0:
            raise ValueError("usage cannot be negative")
        with self._usage:
            self._used = Metrics(
                tokens_used=_sum(self._used.tokens_used, tokens), cost_usd=_sum(self._used.cost_usd, cost)
            )

    def metrics(self, processing_time_ms: float) -> Metrics:
        """The metrics of the result: the usage reported, and the time measured."""
        used = self._used
        cost = None if used.cost_usd is None else Decimal(format(used.cost_usd.normalize(), "f"))
        return Metrics(tokens_used=used.tokens_used, cost_usd=cost, processing_time_ms=processing_time_ms)


def _money(amount: float | Decimal | str) -> Decimal:
    try:
        return round(Decimal(str(amount)), _DECIMAL_PLACES)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount of money") from None


def _sum(before: N | None, more: N | None) -> N | None:
    if before is None or more is None:
        return more if before is None else before
    return before + more
