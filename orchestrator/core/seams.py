"""The seams through which time, identity and chance enter; `app.py` injects the real ones, tests their own."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Timer(Protocol):
    """A call that was put off and can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time: `now` for records that people read, `monotonic` seconds for durations, `call_later` for deadlines."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    """New identifiers that sort by the time they were made."""

    def new(self, kind: str) -> str: ...


class Random(Protocol):
    """Chance: `draw` is uniform in [0, 1); `token` is a secret of `size` random bytes in URL-safe text."""

    def draw(self) -> float: ...

    def token(self, size: int) -> str: ...


class Failpoints(Protocol):
    """Named places where a test may make the process fail. In production each is a no-op."""

    async def hit(self, name: str) -> None: ...
