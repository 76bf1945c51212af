"""Where the queue begins: the marks below which nothing waits any more, so that claims need not look there.

What was taken out of the queue stays in its index for as long as any transaction is open that began before: a dump, a
report, somebody's forgotten session. A claim that begins at the front goes over all of it, each time. So each replica
remembers how far its own claims have come, rank by rank: a rank is a priority and whether work has been started, in one
number.

Invariant: what enters the queue below a mark is found all the same. What this process enters lowers the mark at once.
New ids sort after old ones, so others enter below a mark only what is young, and no mark rises to what is young; or
what they give back, what is made by a clock that is far behind, and what a failed claim of theirs had locked. For these
each rank is looked at whole every second, or less often where that takes long: they come late, but they come.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from orchestrator.core.ids import earliest_id
from orchestrator.core.order import order_key
from orchestrator.core.seams import Clock
from orchestrator.store.record import Record

RANKS: Final = 202
"""Priorities from 100 to 0, and of each first what has been started."""
YOUNG: Final = timedelta(seconds=10)
"""Longer than any id is on its way into the database while all is well, and than clocks of replicas differ."""
WHOLE_LOOK_SECONDS: Final = 1.0
WHOLE_LOOK_SHARE: Final = 0.05
"""How much of the time may go into whole looks: one that takes long is made less often."""
_WHOLE: Final = ("",) * RANKS
"""Every id sorts after it."""


def rank_of(priority: int, started: bool) -> int:
    """The place in the order of work, from 0; the column `rank` of execution_queue."""
    return 2 * (100 - priority) + (not started)


@dataclass(slots=True, eq=False)
class Look:
    """One claim under way: `lows` has the id to begin with on each rank, "" for a rank that is looked at whole.

    `young` is where no mark may rise to yet, `entered` the lowest id by rank that came into the queue meanwhile.
    """

    action: str
    lows: Sequence[str]
    began: float
    young: str
    entered: dict[int, str] = field(default_factory=dict)
    last: tuple[int, str] = (RANKS, "")

    def has_taken(self, records: Iterable[Record], limit: int) -> None:
        """What the claim took, of at most `limit`: everything of the action up to the last of it is gone."""
        executions = [record.execution for record in records]
        if len(executions) == limit:
            priority, fresh, execution_id = max(
                order_key(each.priority, each.started_at is not None, each.execution_id) for each in executions
            )
            self.last = (rank_of(-priority, not fresh), execution_id)


@dataclass(slots=True)
class _Marks:
    """Of one action, by rank: the lowest id that may wait, and the monotonic time of the next whole look."""

    lows: list[str] = field(default_factory=lambda: list(_WHOLE))
    whole_at: list[float] = field(default_factory=lambda: [0.0] * RANKS)

    def begin(self, now: float) -> list[str]:
        return [low if now < whole_at else "" for low, whole_at in zip(self.lows, self.whole_at, strict=True)]

    def end(self, look: Look, now: float) -> None:
        """Nothing is left of what waited before the look's last when it began, and was not young."""
        last, execution_id = look.last
        whole_at = now + max(WHOLE_LOOK_SECONDS, (now - look.began) / WHOLE_LOOK_SHARE)
        for rank in range(min(last + 1, RANKS)):
            self.lows[rank] = min(look.young, execution_id) if rank == last else look.young
            if not look.lows[rank]:
                self.whole_at[rank] = whole_at
        for rank, entered in look.entered.items():
            self.lower(rank, entered)

    def lower(self, rank: int, execution_id: str) -> None:
        self.lows[rank] = min(self.lows[rank], execution_id)


class LowWater:
    """The marks of one replica, by action."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._marks: dict[str, _Marks] = {}
        self._looks: set[Look] = set()

    @contextmanager
    def look(self, action: str) -> Iterator[Look]:
        """One claim. If it fails, nobody knows what it took, and what it had locked may have been passed over."""
        now = self._clock.monotonic()
        lows = self._marks.setdefault(action, _Marks()).begin(now)
        look = Look(action, lows, now, earliest_id("exec", self._clock.now() - YOUNG))
        self._looks.add(look)
        try:
            yield look
        except BaseException:
            self._forget(action)
            raise
        finally:
            self._looks.remove(look)
        self._marks.setdefault(action, _Marks()).end(look, self._clock.monotonic())

    def lows(self, action: str) -> Sequence[str]:
        """The marks as they are, for a count that need not be exact."""
        marks = self._marks.get(action)
        return _WHOLE if marks is None else marks.lows

    def entered(self, action: str, priority: int, started: bool, execution_id: str) -> None:
        """An execution waits from now on."""
        rank = rank_of(priority, started)
        if (marks := self._marks.get(action)) is not None:
            marks.lower(rank, execution_id)
        for look in self._looks:
            if look.action == action:
                look.entered[rank] = min(look.entered.get(rank, execution_id), execution_id)

    def forget_all(self) -> None:
        """A new life begins, and what an earlier one did last is unknown."""
        for action in list(self._marks):
            self._forget(action)

    def _forget(self, action: str) -> None:
        self._marks.pop(action, None)
        for look in self._looks:
            if look.action == action:
                look.entered = dict.fromkeys(range(RANKS), "")
