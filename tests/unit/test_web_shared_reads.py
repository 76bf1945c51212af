"""One read for all who want the same execution at once, and never one that began before it was asked for."""

import asyncio
from dataclasses import dataclass, field

import pytest

from orchestrator.store.executions import Snapshot
from orchestrator.web.shared_reads import READS_AT_ONCE, SharedReads
from tests.factories import an_execution


@dataclass(slots=True)
class Database:
    """Answers the reads that have begun when it is told to."""

    begun: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    fault: Exception | None = None

    async def find(self, client_id: str, execution_id: str) -> Snapshot | None:
        self.begun.append(f"{client_id}/{execution_id}")
        sequence = len(self.begun)
        await self.answers.wait()
        if self.fault is not None:
            raise self.fault
        return Snapshot(an_execution(), sequence, None)

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.begun) < count:
                await turn()


async def turn() -> None:
    """Let the loop go round once."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()


async def sequence_of(read: "asyncio.Task[Snapshot | None]") -> int:
    snapshot = await read
    assert snapshot is not None
    return snapshot.sequence


@pytest.fixture
def database() -> Database:
    return Database()


async def test_those_who_ask_before_a_read_begins_share_it_and_who_asks_later_gets_another(database: Database) -> None:
    reads = SharedReads(database.find)
    first, second = (asyncio.create_task(reads.of("client", "exec")) for _ in range(2))
    await database.until_begun(1)
    late = asyncio.create_task(reads.of("client", "exec"))
    await database.until_begun(2)
    database.answers.set()

    assert [await sequence_of(read) for read in (first, second, late)] == [1, 1, 2]


async def test_a_clients_read_is_never_given_to_another_client(database: Database) -> None:
    reads = SharedReads(database.find)
    database.answers.set()
    await asyncio.gather(reads.of("one", "exec"), reads.of("two", "exec"))

    assert sorted(database.begun) == ["one/exec", "two/exec"]


async def test_few_reads_are_under_way_however_many_are_wanted(database: Database) -> None:
    reads = SharedReads(database.find)
    wanted = [asyncio.create_task(reads.of("client", f"exec_{number}")) for number in range(100)]
    await database.until_begun(READS_AT_ONCE)
    await turn()
    begun = len(database.begun)
    database.answers.set()
    await asyncio.gather(*wanted)

    assert (begun, len(database.begun)) == (READS_AT_ONCE, 100)


async def test_one_who_goes_away_ends_the_read_for_nobody_else(database: Database) -> None:
    reads = SharedReads(database.find)
    impatient, patient = (asyncio.create_task(reads.of("client", "exec")) for _ in range(2))
    await database.until_begun(1)
    impatient.cancel()
    database.answers.set()

    assert await sequence_of(patient) == 1


async def test_a_fault_is_told_to_all_who_wait_and_to_nobody_after(database: Database) -> None:
    reads = SharedReads(database.find)
    database.fault = ConnectionRefusedError()
    database.answers.set()
    told = await asyncio.gather(*(reads.of("client", "exec") for _ in range(2)), return_exceptions=True)
    database.fault = None
    after = await reads.of("client", "exec")

    assert [type(fault) for fault in told] == [ConnectionRefusedError] * 2
    assert after is not None
