"""The attempts of other owners at workers that are at home here, by fence, each with the slot that it takes.

Invariant: a worker's `lent` names exactly the attempts that are here of it, so no slot is given to two.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from orchestrator.core.seams import Clock
from orchestrator.dispatch.fleet import Fleet, Worker
from orchestrator.dispatch.relayed import Relayed
from protocol.packets import AttemptKey

MOST_BEYOND_SLOTS: Final = 1000
"""So many attempts more than it has slots may a worker speak of before it is not believed any more."""


class Lendings:
    """What is lent, to whom; `freed` is called when a slot is."""

    def __init__(self, fleet: Fleet, clock: Clock, freed: Callable[[], None]) -> None:
        self._fleet = fleet
        self._clock = clock
        self._freed = freed
        self._attempts: dict[int, Relayed] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def __iter__(self) -> Iterator[Relayed]:
        """All attempts as they are now; they may be dropped meanwhile."""
        return iter(list(self._attempts.values()))

    def get(self, fence: int) -> Relayed | None:
        return self._attempts.get(fence)

    def holds(self, attempt: Relayed) -> bool:
        """Whether it is still this one, after something was waited for."""
        return self._attempts.get(attempt.key.fence) is attempt

    def of(self, worker: Worker) -> list[Relayed]:
        """The attempts that take slots of this worker."""
        return [self._attempts[fence] for fence in worker.lent]

    def among(self, worker: Worker, fences: Iterable[int]) -> list[Relayed]:
        """Those of the worker's that are under these fences."""
        return [self._attempts[fence] for fence in fences if fence in worker.lent]

    def enter(self, worker_id: str, key: AttemptKey, owner: str | None) -> Relayed | None:
        """The attempt with the slot that it takes; None for a worker that speaks of too many, or of another's."""
        worker, attempt = self._fleet.get(worker_id), self._attempts.get(key.fence)
        if attempt is None:
            if worker is not None and len(worker.lent) >= worker.facts.slots + MOST_BEYOND_SLOTS:
                return None
            known = AttemptKey(
                execution_id=key.execution_id, stage_id=key.stage_id, attempt=key.attempt, fence=key.fence
            )
            attempt = self._attempts[key.fence] = Relayed(worker_id, known, owner, self._clock.monotonic())
        if attempt.worker_id != worker_id:
            return None
        if worker is not None and worker.is_at_home:
            self._fleet.lend(worker, key.fence)
        return attempt

    def drop(self, attempt: Relayed) -> None:
        """It is over for the worker, or no longer for this replica to count."""
        self._attempts.pop(attempt.key.fence, None)
        worker = self._fleet.get(attempt.worker_id)
        if worker is not None:
            self._fleet.take_back(worker, attempt.key.fence)
            self._freed()
