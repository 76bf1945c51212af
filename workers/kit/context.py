"""What a handler is handed beside its input: who it works for, and the ways to report.

Every method may be called from the event loop and from any thread.
"""

import numbers
import threading
from collections.abc import Callable, Generator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from protocol.packets import Artifact, AttemptKey, Log, Metrics, Progress
from workers.kit.answers import wire_text

if TYPE_CHECKING:
    # The client is loaded only by who runs a worker.
    from workers.kit.artifacts import Transfers

Report = Progress | Log
N = TypeVar("N", int, Decimal)
Level = Literal["debug", "info", "warning", "error"]

OCTETS: Final = "application/octet-stream"
_DECIMAL_PLACES: Final = 10  # of a dollar: sums of floats stay inside the protocol's 18 digits
_NOTHING_USED: Final = Metrics()
_NOTHING_MEASURED: Final[Mapping[str, Any]] = {}


class Turn:
    """What a report returns. To await it lets other attempts go on, and lets a cancel arrive there."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_turn: Final = Turn()


def _no_folder() -> Path:
    raise RuntimeError("this context was made without a folder; say open_folder=")


class Context:
    """One attempt, as its handler sees it."""

    def __init__(
        self,
        key: AttemptKey,
        action: str,
        report: Callable[[Report], None],
        *,
        transfers: "Transfers | None" = None,
        open_folder: Callable[[], Path] = _no_folder,
        draining: threading.Event | None = None,
        time_left_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.execution_id = key.execution_id
        self.stage_id = key.stage_id
        self.attempt = key.attempt
        self.fence = key.fence
        self.action = action
        self.draining = draining or threading.Event()
        """Set when the worker is about to stop: the time to leave a checkpoint in the folder and raise `Yield`."""
        self._report = report
        self._key = key
        self._transfers = transfers
        self._open_folder = open_folder
        self._time_left_s = time_left_s
        self._lock = threading.Lock()
        self._cancelled: threading.Event | None = None
        self._used = _NOTHING_USED
        self._measured = _NOTHING_MEASURED
        self._percent = 0.0

    @property
    def cancelled(self) -> threading.Event:
        """Set when the attempt is told to stop; `context.cancelled.wait(s)` is a pause that ends early."""
        # Dear to make, and most attempts neither ask for it nor are cancelled. Two threads may be the first to ask.
        with self._lock:
            if self._cancelled is None:
                self._cancelled = threading.Event()
            return self._cancelled

    @property
    def is_cancelled(self) -> bool:
        """Whether the handler should stop. An async handler is cancelled as well; one in a thread must look."""
        return self._cancelled is not None and self._cancelled.is_set()

    @property
    def folder(self) -> Path:
        """A folder of this stage's own, made when first asked for. It outlives the attempt and the process.

        A later attempt of the stage at this worker finds what an earlier one left there. It is deleted when the stage
        has completed, failed for good or been cancelled.
        """
        return self._open_folder()

    @property
    def deadline(self) -> float | None:
        """Seconds until the orchestrator gives the attempt up, or None where it has set no limit."""
        return self._time_left_s()

    def progress(self, percent: float, message: str | None = None, metrics: Mapping[str, Any] | None = None) -> Turn:
        """Says how far the attempt is, 0 to 100, and renews its lease. Await it in an async handler.

        Progress never falls: less than was said before goes out as that again.

        `metrics` are numbers, and whatever else JSON can say, by names of your own (`loss`, `epoch`). They are shown
        while the attempt runs, each report in place of the one before, and the last ones stay with its result.
        """
        measured = None if metrics is None else _measured(metrics)
        self._percent = max(self._percent, min(100.0, percent))
        self._report(
            Progress(
                execution_id=self.execution_id,
                stage_id=self.stage_id,
                fence=self.fence,
                progress=self._percent,
                message=None if message is None else wire_text(message),
                metrics=measured,
            )
        )
        if measured is not None:
            self._measured = measured.model_extra or {}
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
        with self._lock:
            self._used = Metrics(
                tokens_used=_sum(self._used.tokens_used, tokens), cost_usd=_sum(self._used.cost_usd, cost)
            )

    async def upload(self, source: Path | bytes, content_type: str = OCTETS) -> Artifact:
        """Gives bytes, or a file's content, to the orchestrator to keep; the reference may stand in the result."""
        return await self._orchestrator().upload(self._key, source, content_type)

    async def download(self, artifact: Artifact | str, to: Path) -> Path:
        """Fetches an artifact of this execution's client into the file `to`; its hash has been checked."""
        return await self._orchestrator().download(self.execution_id, _digest(artifact), to)

    def upload_now(self, source: Path | bytes, content_type: str = OCTETS) -> Artifact:
        """`upload` for a plain action: blocks its thread."""
        return self._orchestrator().wait_for(self.upload(source, content_type), self.cancelled)

    def download_now(self, artifact: Artifact | str, to: Path) -> Path:
        """`download` for a plain action: blocks its thread."""
        return self._orchestrator().wait_for(self.download(artifact, to), self.cancelled)

    def _orchestrator(self) -> "Transfers":
        if self._transfers is None:
            raise RuntimeError("this context is of no running worker: nobody keeps artifacts for it")
        return self._transfers

    def metrics(self, processing_time_ms: float) -> Metrics:
        """The metrics of the result: the usage reported, the time measured, and what the last progress said besides."""
        used = self._used
        if used is _NOTHING_USED and self._measured is _NOTHING_MEASURED:
            return Metrics(processing_time_ms=processing_time_ms)
        cost = None if used.cost_usd is None else Decimal(format(used.cost_usd.normalize(), "f"))
        taken = {"tokens_used": used.tokens_used, "cost_usd": cost, "processing_time_ms": processing_time_ms}
        return Metrics.model_validate({**self._measured, **taken})


def _measured(metrics: Mapping[str, Any]) -> Metrics:
    return Metrics.model_validate({name: _plain(value) for name, value in metrics.items()})


def _plain(value: Any) -> Any:
    """A number of NumPy's or another library's as Python's own; anything else as it is."""
    if isinstance(value, bool | int | float) or not isinstance(value, numbers.Real):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _digest(artifact: Artifact | str) -> str:
    return artifact if isinstance(artifact, str) else artifact.sha256


def _money(amount: float | Decimal | str) -> Decimal:
    try:
        return round(Decimal(str(amount)), _DECIMAL_PLACES)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount of money") from None


def _sum(before: N | None, more: N | None) -> N | None:
    if before is None or more is None:
        return more if before is None else before
    return before + more
