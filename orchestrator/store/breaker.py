"""Turns calls away while the database is away, so that they fail at once instead of piling up behind a time-out.

Closed, every call passes. After some failures in a row it is open for a while, longer each time; then one call is let
through, and its outcome closes the breaker or opens it anew. All waits are jittered: what was turned away together
does not come back together.
"""

from typing import Final

from orchestrator.core.seams import Clock, Random

FAILURES: Final = 5
"""So many in a row open it. One broken connection, or all of a pool's at once, is no reason yet."""
FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 8.0
TRIAL_SECONDS: Final = 10.0
"""A trial of which nothing is heard for so long, because its caller went away, is followed by another."""
SPREAD_SECONDS: Final = 2.0


class DatabaseAway(ConnectionError):
    """The call was not made, because the database is away. `retry_after`: seconds after which another may be."""

    def __init__(self, why: str, retry_after: float = 1.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Breaker:
    """The state for one database, as one process sees it."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._failures = 0
        self._openings = 0
        self._next_trial_at: float | None = None

    def admit(self) -> None:
        """Return if a call may be made; raises `DatabaseAway`. Each call that is made is told of by what it came to."""
        if self._next_trial_at is None:
            return
        now = self._clock.monotonic()
        if now < self._next_trial_at:
            wait = self._next_trial_at - now
            raise DatabaseAway("the database was away a moment ago", wait + SPREAD_SECONDS * self._random.draw())
        self._next_trial_at = now + TRIAL_SECONDS

    def succeeded(self) -> None:
        self._failures = self._openings = 0
        self._next_trial_at = None

    def failed(self) -> None:
        self._failures += 1
        if self._failures < FAILURES:
            return
        whole = min(FIRST_SECONDS * 2**self._openings, LONGEST_SECONDS)
        self._openings = min(self._openings + 1, 10)
        self._next_trial_at = self._clock.monotonic() + whole * (0.5 + 0.5 * self._random.draw())
