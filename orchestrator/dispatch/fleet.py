"""The workers that this replica can ask: their slots, what each holds, and how each is reached.

A slot is taken when an offer is sent and freed when the attempt is over for the worker: refused, expired, reported,
settled or lost. So no worker is ever offered more than it said it takes, whatever it answers. A guest is at home with
another replica: there all of its slots are counted, here those that its home grants.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orchestrator.core.fading import NOTHING, Fading
from orchestrator.core.placement import Candidate, Refusal
from orchestrator.core.stage import Life
from orchestrator.dispatch.link import Link
from protocol.packets import Heartbeat, Registration, Result

LONGEST_WINDOW: Final = 5000
SHARED_WINDOW_PER_SLOT: Final = 4


Answered = Callable[[bool], None]
"""Told whether a result was committed (or was before) rather than stale."""


@dataclass(slots=True)
class Assignment:
    """One attempt at one worker, as this replica holds it; times are monotonic seconds.

    `offered_at` is when its slot was taken: under the former owner, if there was one. `waiting_for_commit` hear what
    became of `result`, once it is durable.
    """

    execution_id: str
    stage: str
    action: str
    fence: int
    attempt: int
    offered_at: float
    expires_at: float
    lease_until: float | None = None
    timeout_at: float | None = None
    grace_until: float | None = None
    started_at: float | None = None
    result: Result | None = None
    waiting_for_commit: list[Answered] = field(default_factory=list)


@dataclass(slots=True)
class Worker:
    """One registered worker. `facts` is what placement looks at; `link` is None while it cannot be reached.

    `home` is the replica where a guest is at home, None for one that is at home here, `since` when it came home in
    database time, `beaten_at` when it last spoke for all that it holds, `lent` the fences of other owners' attempts
    that it holds.
    """

    worker_id: str
    instance_id: str
    facts: Candidate
    version: str = "0"
    display_name: str | None = None
    url: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    registered_at: datetime | None = None
    last_seen: float = 0.0
    beaten_at: float = 0.0
    load: float | None = None
    link: Link | None = None
    home: str | None = None
    since: datetime | None = None
    assignments: dict[int, Assignment] = field(default_factory=dict)
    lent: set[int] = field(default_factory=set)
    faults: int = 0
    stale_results: int = 0
    restarts: Fading = NOTHING
    known: bool = True

    @property
    def is_at_home(self) -> bool:
        """Whether this replica is its home."""
        return self.home is None and self.known

    @property
    def status(self) -> str:
        if self.facts.draining:
            return "draining"
        if not self.facts.connected:
            return "unreachable"
        return "busy" if self.facts.free <= 0 else "ready"

    def refuse(self, action: str, refusal: Refusal) -> None:
        """Remember why this worker is not asked for the action for now."""
        self.facts.refusals[action] = refusal

    def expect(self, action: str, milliseconds: float) -> None:
        """Remember the last estimate it gave for the action."""
        self.facts.expected_ms[action] = milliseconds


class Fleet:
    """All workers of this replica, by id and by action."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._by_action: dict[str, list[Worker]] = {}
        self.is_shared = False
        """Whether other replicas live beside this one."""

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def get(self, worker_id: str) -> Worker | None:
        return self._workers.get(worker_id)

    def is_alive(self, life: Life) -> bool:
        """Whether this life of a worker is known to go on: it is connected, and no other took its place."""
        worker = self._workers.get(life.worker_id)
        return worker is not None and worker.facts.connected and worker.instance_id == life.instance_id

    def in_reach(self) -> list[str]:
        """The ids of the workers that are connected."""
        return [worker.worker_id for worker in self if worker.facts.connected]

    def actions(self) -> list[str]:
        """The actions that a worker in reach offers."""
        return [
            action for action, workers in self._by_action.items() if any(worker.facts.connected for worker in workers)
        ]

    def offering(self, action: str) -> Sequence[Worker]:
        return self._by_action.get(action, ())

    def actions_at_home(self) -> list[str]:
        """The actions that a worker in reach offers which is at home here."""
        return [
            action
            for action, workers in self._by_action.items()
            if any(worker.facts.connected and worker.is_at_home for worker in workers)
        ]

    def slots(self, action: str) -> int:
        """How many slots the workers in reach that are at home here have for the action."""
        return sum(
            worker.facts.slots
            for worker in self.offering(action)
            if worker.facts.connected and not worker.facts.draining and worker.is_at_home
        )

    def window(self, action: str) -> int:
        """How many ready stages of an action memory holds: none without a worker at home, for guests' homes claim too.

        Alone, a replica holds a long stretch, which saves the way through the queue's table; with others, only what
        its slots will soon take, so that it does not sit on work that others could do.
        """
        slots = self.slots(action)
        if not slots:
            return 0
        return min(SHARED_WINDOW_PER_SLOT * slots, LONGEST_WINDOW) if self.is_shared else LONGEST_WINDOW

    def has_credit(self, action: str) -> bool:
        return any(
            worker.facts.free > 0 and worker.facts.connected and not worker.facts.draining
            for worker in self.offering(action)
        )

    def enter(self, registration: Registration, instance_id: str, now: float, at: datetime) -> tuple[Worker, bool]:
        """The worker as it registered, and whether this is another life of it than the one known so far."""
        before = self._workers.get(registration.worker_id)
        facts = Candidate(
            worker_id=registration.worker_id,
            capabilities=frozenset(registration.capabilities),
            slots=registration.max_concurrent_executions,
            free=registration.max_concurrent_executions,
            connected=False,
            one_stage_of_an_execution=registration.url is not None and not registration.packet_arrays,
        )
        worker = Worker(
            worker_id=registration.worker_id,
            instance_id=instance_id,
            facts=facts,
            version=registration.version,
            display_name=registration.display_name,
            url=registration.url,
            labels=registration.labels,
            registered_at=at,
            last_seen=now,
            beaten_at=now,
        )
        replaced = before is not None and before.known and before.instance_id != instance_id
        if before is not None:
            self._remove_from_actions(before)
            worker.assignments, worker.lent = before.assignments, before.lent
            facts.expected_ms = before.facts.expected_ms
            facts.executions = before.facts.executions
            facts.standing, worker.restarts = before.facts.standing, before.restarts
            worker.stale_results = before.stale_results
            if not replaced:
                worker.link, facts.connected = before.link, before.facts.connected
        self._workers[worker.worker_id] = worker
        self._count(worker)
        for action in facts.capabilities:
            self._by_action.setdefault(action, []).append(worker)
        return worker, replaced

    def expected(self, worker_id: str) -> Worker:
        """The worker, or a place held for one that has attempts here and has not been heard of yet."""
        worker = self._workers.get(worker_id)
        if worker is None:
            facts = Candidate(worker_id=worker_id, capabilities=frozenset(), slots=1, free=0, connected=False)
            worker = self._workers[worker_id] = Worker(worker_id, "", facts, known=False)
        return worker

    def remove(self, worker_id: str) -> None:
        worker = self._workers.pop(worker_id, None)
        if worker is not None:
            self._remove_from_actions(worker)

    def _remove_from_actions(self, worker: Worker) -> None:
        for action in worker.facts.capabilities:
            offering = self._by_action[action]
            offering.remove(worker)
            if not offering:
                del self._by_action[action]

    def take(self, worker: Worker, assignment: Assignment) -> None:
        """Debit a slot, or take one over that was lent to the former owner."""
        worker.lent.discard(assignment.fence)
        worker.assignments[assignment.fence] = assignment
        self._count(worker)
        held = worker.facts.executions
        held[assignment.execution_id] = held.get(assignment.execution_id, 0) + 1

    def free(self, worker: Worker, fence: int) -> Assignment | None:
        """Credit the slot of an attempt that is over for the worker."""
        assignment = worker.assignments.pop(fence, None)
        if assignment is None:
            return None
        self._count(worker)
        held = worker.facts.executions
        held[assignment.execution_id] -= 1
        if not held[assignment.execution_id]:
            del held[assignment.execution_id]
        return assignment

    def lend(self, worker: Worker, fence: int) -> None:
        """Debit a slot for another owner's attempt."""
        worker.lent.add(fence)
        self._count(worker)

    def take_back(self, worker: Worker, fence: int) -> None:
        """Credit the slot of another owner's attempt that is over."""
        worker.lent.discard(fence)
        self._count(worker)

    def grant(self, worker: Worker, slots: int) -> None:
        """A guest's home says how many attempts it may have of this replica's."""
        worker.facts.slots = slots
        self._count(worker)

    def beat(self, worker: Worker, heartbeat: Heartbeat, now: float, lease: float) -> None:
        """A heartbeat: the leases of what the worker says it runs begin anew."""
        worker.last_seen = worker.beaten_at = now
        worker.load = heartbeat.load
        if heartbeat.draining:
            worker.facts.draining = True
        held = None if heartbeat.running is None else {key.fence for key in heartbeat.running}
        for fence, assignment in worker.assignments.items():
            if assignment.lease_until is not None and (held is None or fence in held):
                assignment.lease_until = now + lease

    def _count(self, worker: Worker) -> None:
        # Who waited for a flush may hold the worker as it was before it registered anew; what it holds is the same.
        now = self._workers.get(worker.worker_id, worker)
        now.facts.free = now.facts.slots - len(now.assignments) - len(now.lent)
