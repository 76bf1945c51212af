"""A clock that stands until a test moves it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.core.seams import Timer

START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class DrivenClock:
    """Reads 2026-01-01 12:00 UTC, and 0 monotonic seconds, until `advance` is called. It offers no timers."""

    seconds: float = field(default=0.0)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def call_later(self, seconds: float, callback: object) -> Timer:
        raise NotImplementedError("a driven clock offers no timers")

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("a driven clock offers no timers")
