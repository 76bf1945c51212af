"""The line of what waits for workers, as this replica sees it: when each member is likely to start and to be done.

One forecast answers everybody who asks within a moment, so that a flood of submissions does not pay for a forecast
each. Whoever is behind the members that it followed, or came since, is taken to go on at their pace.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import merge
from itertools import islice
from typing import Final

from orchestrator.core.execution import Execution
from orchestrator.core.forecast import UNTOLD, Held, Leg, Passage, Pool, Route, forecast, share_ms
from orchestrator.core.order import OrderKey
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Assignment, Worker

KEPT_SECONDS: Final = 0.1
FARTHEST_LOOK: Final = 300
"""How many stages that wait in memory are followed one by one."""

Duration = Callable[[str], float | None]
"""Milliseconds that a stage of an action holds a slot, or None."""


class Routes:
    """Executions' routes. Those of fresh executions of one template are alike, and made once."""

    def __init__(self, expected_ms: Duration) -> None:
        self._expected_ms = expected_ms
        self._fresh: dict[tuple[str, str, int | None], Route] = {}

    def of(self, execution: Execution) -> Route:
        if execution.started_at is not None or execution.retry_of is not None:
            return route_of(execution, self._expected_ms)
        template = (execution.template_client_id, execution.template.name, execution.template.version)
        if template not in self._fresh:
            self._fresh[template] = route_of(execution, self._expected_ms)
        return self._fresh[template]


def route_of(execution: Execution, expected_ms: Duration) -> Route:
    """What an execution still has to do; `expected_ms` says how long a stage of an action takes."""
    names = _open_stages(execution)
    place = {name: number for number, name in enumerate(names)}
    specs = (execution.spec(name) for name in names)
    return Route(
        tuple(
            Leg(
                spec.action,
                None if spec.action is None else expected_ms(spec.action),
                tuple(place[need] for need in spec.needs if need in place),
            )
            for spec in specs
        )
    )


def _open_stages(execution: Execution) -> list[str]:
    return [spec.name for spec in execution.template.stages if not execution.stages[spec.name].is_final]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A forecast and what it was made from: when, for which pools, and how many stages waited; who passes when; and
    the fresh executions that waited for each action, in order, with what one of them adds to the wait behind it."""

    made_at: float
    routes: Routes
    pools: tuple[Pool, ...]
    length: int
    passages: dict[str, Passage]
    waiting: dict[str, list[OrderKey]]
    shares: dict[str, float | None]

    def speaks_of(self, key: OrderKey, action: str) -> bool:
        """Whether it has something to go by: it followed this one, or one before it, or this one has begun before."""
        waited, has_begun = self.waiting.get(action), not key[1]
        return key[2] in self.passages or has_begun or (waited is not None and waited[0] < key)

    def behind(self, key: OrderKey, action: str, position: int, execution: Execution | None) -> Passage:
        """The passage of one that was not followed: its predecessor's, and a share for each that is between them."""
        route = None if execution is None else self.routes.of(execution)
        known = self.waiting.get(action, [])
        ahead = bisect_left(known, key)
        start = self.passages[known[ahead - 1][2]].start_ms if ahead else 0.0
        share = self.shares.get(action, None if route is None else share_ms(route, self.pools))
        if start is None or share is None:
            return UNTOLD
        start += share * max(position - ahead, 1)
        length = None if route is None else route.length_ms
        return Passage(start, None if length is None else start + length)


class Line:
    """Forecasts for the executions of one replica and of the queue in the database."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._engine = dispatcher.engine
        self._fleet = dispatcher.fleet
        self._histories = dispatcher.histories
        self._clock = dispatcher.clock
        self._outcome: Outcome | None = None

    def passage(self, key: OrderKey, action: str, position: int | None, execution: Execution | None) -> Passage:
        """When the execution that has this key starts and is done, in milliseconds from now.

        `position` is its place among those that wait for `action`, from 1 (None: too far away to be told anything).
        Without the execution itself only the start is told, unless it is in memory.
        """
        if position is None:
            return UNTOLD
        is_fresh = key[1]
        if is_fresh and position == 1 and self._fleet.has_credit(action):
            route = None if execution is None else route_of(execution, self._histories.expected_ms)
            return Passage(0.0, None if route is None else route.length_ms)
        outcome = self._current(key, action)
        passage = outcome.passages.get(key[2]) or outcome.behind(key, action, position, execution)
        elapsed = (self._clock.monotonic() - outcome.made_at) * 1000
        start, finish = (None if ms is None else max(ms - elapsed, 0.0) for ms in passage)
        return Passage(start, finish)

    def _current(self, key: OrderKey, action: str) -> Outcome:
        """The last forecast, or a new one where that is old, of a shorter line, or gives this one nothing to go by."""
        outcome, length = self._outcome, sum(len(ready.entries) for _, ready in self._engine.ready.items())
        if (
            outcome is None
            or self._clock.monotonic() - outcome.made_at >= KEPT_SECONDS
            or length > 2 * outcome.length
            or not outcome.speaks_of(key, action)
        ):
            outcome = self._outcome = self._foresee(length)
        return outcome

    def _foresee(self, length: int) -> Outcome:
        routes = Routes(cache(self._histories.expected_ms))
        pools, pool_of = self._pools()
        at_work = list(self._at_work())
        members = {execution.execution_id: execution for _, _, execution in at_work}
        waiting: dict[str, list[OrderKey]] = {}
        for key, action, execution in islice(self._waiting(), FARTHEST_LOOK):
            members[key[2]] = execution
            if execution.started_at is None:
                waiting.setdefault(action, []).append(key)
        line = sorted(members.values(), key=self._engine.key)
        place = {execution.execution_id: number for number, execution in enumerate(line)}
        held = [
            Held(
                self._left_ms(assignment, stage),
                place[assignment.execution_id],
                _open_stages(execution).index(stage.name),
                pool_of.get(worker.worker_id),
            )
            for worker, assignment, execution in at_work
            if not (stage := execution.stages[assignment.stage]).is_final
        ]
        passages = forecast(pools, held, [routes.of(execution) for execution in line])
        return Outcome(
            made_at=self._clock.monotonic(),
            routes=routes,
            pools=pools,
            length=length,
            passages={execution.execution_id: passage for execution, passage in zip(line, passages, strict=True)},
            waiting=waiting,
            shares={
                action: _mean([share_ms(routes.of(members[key[2]]), pools) for key in keys])
                for action, keys in waiting.items()
            },
        )

    def _pools(self) -> tuple[tuple[Pool, ...], dict[str, int]]:
        """The workers that take work, alike ones together; and which pool each is in."""
        alike: dict[frozenset[str], list[Worker]] = {}
        for worker in self._fleet:
            if worker.facts.connected and not worker.facts.draining:
                alike.setdefault(worker.facts.capabilities, []).append(worker)
        pools = tuple(
            Pool(actions, sum(worker.facts.slots for worker in workers)) for actions, workers in alike.items()
        )
        pool_of = {worker.worker_id: number for number, workers in enumerate(alike.values()) for worker in workers}
        return pools, pool_of

    def _at_work(self) -> Iterator[tuple[Worker, Assignment, Execution]]:
        """The slots that are taken for executions of this replica."""
        for worker in self._fleet:
            for assignment in worker.assignments.values():
                record = self._engine.owned.get(assignment.execution_id)
                if record is not None:
                    yield worker, assignment, record.execution

    def _waiting(self) -> Iterator[tuple[OrderKey, str, Execution]]:
        """Executions with a stage that may be offered, in the order of work, and the action that it waits for."""
        for key, stage in merge(*(ready.entries for _, ready in self._engine.ready.items())):
            record = self._engine.owned.get(key[2])
            if record is not None and self._engine.is_offerable(record, stage):
                yield key, record.execution.spec(stage).action or "", record.execution

    def _left_ms(self, assignment: Assignment, stage: Stage) -> float | None:
        """How much longer an attempt holds its slot; one that was stopped ends at any moment."""
        if stage.status is StageStatus.CANCELLING:
            return 0.0
        return self._histories.left_ms(assignment, stage, self._clock.monotonic())


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if len(known) == len(shares) else None
