"""Places in the database's queue: one count a moment, and what was put into the queue since."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from orchestrator.dispatch.places import KEPT_SECONDS, Places
from orchestrator.store.executions import Executions
from tests.driven_clock import DrivenClock


@dataclass(slots=True)
class Queue:
    """A queue of the database; it counts how often it is counted."""

    ids: list[str] = field(default_factory=list)
    counts: int = 0
    fault: Exception | None = None

    async def ahead(self, action: str, priority: int, execution_id: str) -> int:
        self.counts += 1
        if self.fault is not None:
            raise self.fault
        return sum(other < execution_id for other in self.ids)


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


@pytest.fixture
def queue() -> Queue:
    return Queue(["exec_01", "exec_02"])


@pytest.fixture
def places(queue: Queue, clock: DrivenClock) -> Places:
    return Places(cast(Executions, queue), clock)


def submit(places: Places, queue: Queue, *execution_ids: str) -> None:
    for execution_id in execution_ids:
        places.put("work", 50, execution_id)
        queue.ids.append(execution_id)


async def ahead(places: Places, *execution_ids: str) -> list[int]:
    return list(await asyncio.gather(*(places.ahead("work", 50, execution_id) for execution_id in execution_ids)))


async def test_one_count_tells_all_who_submit_at_once_their_places(places: Places, queue: Queue) -> None:
    ids = [f"exec_{number}" for number in range(10, 74)]
    submit(places, queue, *ids)

    assert await ahead(places, *ids) == list(range(2, 66))
    assert queue.counts == 1


@pytest.mark.parametrize("first", ["exec_10", "exec_12"])
async def test_it_does_not_matter_for_whom_was_counted(places: Places, queue: Queue, first: str) -> None:
    submit(places, queue, "exec_10", "exec_11", "exec_12")
    await ahead(places, first)

    assert await ahead(places, "exec_10", "exec_11", "exec_12") == [2, 3, 4]


async def test_a_count_is_gone_by_for_a_moment_only(places: Places, queue: Queue, clock: DrivenClock) -> None:
    submit(places, queue, "exec_10", "exec_11")
    before = await ahead(places, "exec_10")
    queue.ids.remove("exec_01")
    clock.advance(KEPT_SECONDS)

    assert (before, await ahead(places, "exec_11")) == ([2], [2])
    assert queue.counts == 2


async def test_each_action_and_priority_is_counted_for_itself(places: Places, queue: Queue) -> None:
    submit(places, queue, "exec_10")
    await asyncio.gather(
        places.ahead("work", 50, "exec_10"), places.ahead("work", 75, "exec_10"), places.ahead("rest", 50, "exec_10")
    )

    assert queue.counts == 3


async def test_a_database_that_is_away_is_asked_again(places: Places, queue: Queue) -> None:
    submit(places, queue, "exec_10")
    queue.fault = ConnectionRefusedError()
    with pytest.raises(ConnectionRefusedError):
        await ahead(places, "exec_10")
    queue.fault = None

    assert await ahead(places, "exec_10") == [2]
