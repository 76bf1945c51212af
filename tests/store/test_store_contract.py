"""The store's rules, which PostgreSQL and the simulated store keep alike: no simulation runs on a fake that lies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.execution import Execution, ExecutionStatus, prepare
from orchestrator.core.order import order_key
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.core.template import Template, parse_template
from orchestrator.store.batch import Batch, Dirty
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.executions import Whereabouts
from orchestrator.store.flushing import Flushed, FlushRefused
from orchestrator.store.ownership import Message
from orchestrator.store.record import Conversation, Duplicate, Record, Standing, Submission
from orchestrator.store.store import Store, postgres_store
from orchestrator.store.templates import Templates
from orchestrator.system import SystemClock, TimeOrderedIds
from protocol.packets import Registration
from tests.replicas import CHAIN, CLIENT, a_record, published
from tests.simulation.store import MemoryBlobs, Prompt, simulated_store
from tests.simulation.tables import Tables

LEASE = timedelta(seconds=60)
OVER = timedelta(seconds=-1)


@dataclass
class Replica:
    """One replica's store and its writer."""

    name: str
    store: Store
    stack: AsyncExitStack
    epoch: int = 0
    _flushing: Any = field(default=None)

    async def live(self, lease: timedelta = LEASE) -> "Replica":
        self.epoch = await self.store.ownership.register(f"http://{self.name}", lease)
        return self

    async def flush(self, batch: Batch) -> Flushed | None:
        if self._flushing is None:
            self._flushing = self.store.open_flushing()
            self.stack.callback(self._flushing.break_off)
        flushed: Flushed | None = await self._flushing.flush(self.name, self.epoch, batch)
        return flushed

    async def submit(self, *records: Record, owned: bool = True, action: str = "work", **fields: Any) -> Flushed | None:
        batch = Batch()
        for record in records:
            batch.add_submission(Submission(record, owned, action, **fields))
        return await self.flush(batch)

    async def write(self, record: Record, *stages: str, give_back: str | None = None) -> Flushed | None:
        return await self.flush(a_change(record, *stages, give_back=give_back))

    async def stored(self, record: Record) -> Execution | None:
        snapshot = await self.store.executions.find(CLIENT, record.execution.execution_id, whole=True)
        return None if snapshot is None else snapshot.execution

    async def standing(self, record: Record) -> Standing | None:
        flushing = self.store.open_flushing()
        self.stack.callback(flushing.break_off)
        execution_id = record.execution.execution_id
        return (await flushing.standings([execution_id])).get(execution_id)


@dataclass
class World:
    """One database, simulated or real, and a template that is published in it."""

    open: Any
    template: Template
    stack: AsyncExitStack

    def replica(self, name: str) -> Replica:
        return Replica(name, self.open(name), self.stack)

    def record(self, **fields: Any) -> Record:
        return a_record(self.template, **fields)


@pytest.fixture(params=["simulated", "postgresql"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Where the database is; None for the simulated one."""
    return request.getfixturevalue("dsn") if request.param == "postgresql" else None


@pytest.fixture
async def world(address: str | None, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        if address is None:
            tables, blobs = Tables(SystemClock().monotonic), MemoryBlobs()
            template = replace(parse_template(CHAIN), version=1)
            versions = {(CLIENT, template.name, 1): template}
            yield World(lambda name: simulated_store(tables, Prompt(), versions, blobs, name), template, stack)
            return
        database = Database(address)
        await database.open()
        stack.push_async_callback(database.close)
        template = await published(database)
        files = ObjectBlobs.in_folder(tmp_path / "artifacts", TimeOrderedIds())
        templates = Templates(database, SystemClock())
        yield World(lambda name: postgres_store(database, templates, files, name, SystemClock()), template, stack)


@pytest.fixture
async def replica(world: World) -> Replica:
    return await world.replica("replica_1").live()


@pytest.fixture
async def other(world: World) -> Replica:
    return await world.replica("replica_2").live()


def a_change(record: Record, *stages: str, give_back: str | None = None) -> Batch:
    """The record as it stands in memory, with all its conversations."""
    batch = Batch()
    dirty = Dirty(record, 0.0, set(stages), dict(record.conversations))
    dirty.queue_action = give_back
    batch.add_dirty(dirty)
    return batch


def run(record: Record, fence: int = 7, stage: str = "one") -> Record:
    """The stage is at work at `w` under the fence, and the packet log knows of its offer."""
    execution = record.execution
    execution.status, execution.started_at = ExecutionStatus.RUNNING, execution.created_at
    execution.stages[stage] = Stage(
        stage, StageStatus.RUNNING, offer_round=1, fence=fence, worker_id="w", started_at=execution.created_at
    )
    prepare(execution, dict(execution.stages))
    conversation = record.conversations[fence] = Conversation(stage, fence, 1, "w")
    conversation.add(record.next_sequence(), execution.created_at, True, "offer", b'{"a":1}')
    return record


def finish(record: Record) -> Record:
    execution = record.execution
    execution.status, execution.progress, execution.result = ExecutionStatus.COMPLETED, 100, {"value": 3}
    execution.finished_at = execution.created_at
    return record


def id_of(record: Record) -> str:
    return record.execution.execution_id


# ------------------------------------------------------------------------------------------------------- the flush


async def test_a_submission_is_there_whole_once_it_is_flushed(world: World, replica: Replica) -> None:
    record = world.record(given={"value": [1, "two", None]})

    flushed = await replica.submit(record)

    assert flushed == Flushed(frozenset({id_of(record)}), frozenset())
    assert await replica.stored(record) == record.execution
    assert await replica.standing(record) == Standing(0, replica.epoch)


async def test_a_change_is_written_at_the_revision_that_was_written_last(world: World, replica: Replica) -> None:
    record = world.record()
    await replica.submit(record)

    flushed = await replica.write(run(record), "one")

    assert flushed == Flushed(frozenset(), frozenset({id_of(record)}))
    assert await replica.stored(record) == record.execution
    assert await replica.standing(record) == Standing(1, replica.epoch)


async def test_a_change_at_another_revision_is_not_written_and_the_rest_of_the_flush_is(
    world: World, replica: Replica
) -> None:
    stale, good = world.record(), world.record()
    await replica.submit(stale, good)
    before = await replica.stored(stale)
    stale.revision = 5
    batch = a_change(run(stale), "one", give_back="work")
    batch.add_dirty(Dirty(run(good), 0.0, {"one"}))

    flushed = await replica.flush(batch)

    assert flushed == Flushed(frozenset(), frozenset({id_of(good)}))
    assert await replica.stored(stale) == before
    assert await replica.store.executions.packets(CLIENT, id_of(stale)) == []
    assert await replica.store.ownership.claim("work", 10) == []
    assert await replica.stored(good) == good.execution


async def test_a_replica_whose_epoch_is_over_writes_nothing_at_all(world: World, replica: Replica) -> None:
    record, late = world.record(), world.record()
    await replica.submit(record)
    await replica.store.ownership.send(id_of(record), CLIENT, {"type": "cancel"})
    successor = await world.replica("replica_1").live()
    await successor.store.ownership.adopt(10)
    [message] = await successor.store.ownership.inbox(10)
    batch = a_change(run(record), "one")
    batch.add_submission(Submission(late, False, "work", "key", b"body"))
    batch.inbox.append(message.inbox_id)

    flushed = await replica.flush(batch)

    assert flushed is None
    assert await replica.stored(late) is None
    assert await replica.standing(record) == Standing(1, successor.epoch)
    assert await successor.store.ownership.inbox(10) == [message]
    assert await successor.submit(late, key="key", body_hash=b"body") == Flushed(frozenset({id_of(late)}), frozenset())


async def test_an_execution_that_was_taken_over_is_not_its_former_owners_to_write(
    world: World, replica: Replica, other: Replica
) -> None:
    record = world.record()
    await replica.submit(record)
    await replica.store.ownership.lapse()
    await other.store.ownership.depose()
    await other.store.ownership.adopt(10)

    assert await replica.write(run(record), "one") is None
    assert await other.standing(record) == Standing(1, other.epoch)


async def test_a_key_makes_one_execution_and_the_loser_learns_whose_it_is(
    world: World, replica: Replica, other: Replica
) -> None:
    first, second = world.record(), world.record()
    await replica.submit(first, key="key", body_hash=b"body")

    flushed = await other.submit(second, owned=False, key="key", body_hash=b"other body")
    flushing = other.store.open_flushing()
    winners = await flushing.winners([(CLIENT, "key"), (CLIENT, "never used")])
    flushing.break_off()

    assert flushed == Flushed(frozenset(), frozenset())
    assert winners == {(CLIENT, "key"): Duplicate(id_of(first), b"body")}
    assert await other.stored(second) is None
    assert await other.store.ownership.claim("work", 10) == []


async def test_the_same_key_twice_in_one_flush_makes_one_execution(world: World, replica: Replica) -> None:
    flushed = await replica.submit(world.record(), world.record(), key="key", body_hash=b"body")

    assert flushed is not None
    assert len(flushed.submitted) == 1


@pytest.mark.parametrize(
    "stage",
    [Stage("one", StageStatus.RUNNING), Stage("one", StageStatus.COMPLETED, fence=1, worker_id="w")],
    ids=["at work without a fence", "completed without an end"],
)
async def test_what_the_schema_forbids_is_refused_and_nothing_is_written(
    world: World, replica: Replica, stage: Stage
) -> None:
    good, bad = world.record(), world.record()
    await replica.submit(good, bad)
    bad.execution.stages["one"] = stage
    batch = a_change(bad, "one")
    batch.add_dirty(Dirty(run(good), 0.0, {"one"}))

    with pytest.raises(FlushRefused):
        await replica.flush(batch)

    assert [await replica.standing(record) for record in (good, bad)] == [Standing(0, replica.epoch)] * 2


async def test_an_execution_that_is_there_is_not_submitted_again(world: World, replica: Replica) -> None:
    record = world.record()
    await replica.submit(record)

    with pytest.raises(FlushRefused):
        await replica.submit(record)


async def test_an_execution_that_has_ended_has_no_owner_and_is_nobodys_to_write(world: World, replica: Replica) -> None:
    record = world.record()
    await replica.submit(record)
    await replica.write(finish(record))

    flushed = await replica.write(record)

    assert flushed == Flushed(frozenset(), frozenset())
    assert await replica.standing(record) == Standing(1, None)
    assert await replica.stored(record) == record.execution


async def test_what_was_kept_from_another_execution_is_there_with_the_submission(
    world: World, replica: Replica
) -> None:
    done = Stage("one", StageStatus.COMPLETED, progress=100.0, result={"value": 2}, finished_at=SystemClock().now())
    record = world.record(kept={"one": done})

    await replica.submit(record)

    assert await replica.stored(record) == record.execution


async def test_packets_of_an_offer_are_one_conversation_that_grows(world: World, replica: Replica) -> None:
    record = run(world.record())
    await replica.submit(record)
    await replica.write(record, "one")
    record.conversations[7].add(record.next_sequence(), record.execution.created_at, False, "accept", b'{"b":2}')

    await replica.write(record, "one")

    packets = await replica.store.executions.packets(CLIENT, id_of(record))
    assert [(packet["seq"], packet["type"], packet["body"], packet["fence"]) for packet in packets] == [
        (1, "offer", {"a": 1}, 7),
        (2, "accept", {"b": 2}, 7),
    ]


# -------------------------------------------------------------------------------------------------------- the queue


async def test_claims_follow_the_order_of_work_and_take_no_more_than_was_asked(world: World, replica: Replica) -> None:
    records = [world.record(priority=priority) for priority in (25, 75, 50, 75, 25, 50, 100)]
    await replica.submit(*records, owned=False)
    expected = sorted(order_key(record.execution.priority, False, id_of(record)) for record in records)

    claimed = [await replica.store.ownership.claim("work", 3) for _ in range(4)]

    ids = [sorted(map(id_of, batch)) for batch in claimed]
    assert ids == [sorted(key[2] for key in expected[first : first + 3]) for first in (0, 3, 6, 9)]


async def test_what_was_started_is_claimed_before_what_is_fresh(world: World, replica: Replica) -> None:
    fresh, started = world.record(), world.record()
    await replica.submit(fresh, owned=False)
    await replica.submit(started)
    await replica.write(run(started), "one", give_back="work")

    [first] = await replica.store.ownership.claim("work", 1)

    assert id_of(first) == id_of(started)


async def test_only_what_waits_for_the_action_is_claimed(world: World, replica: Replica) -> None:
    record = world.record()
    await replica.submit(record, owned=False, action="other")

    assert await replica.store.ownership.claim("work", 10) == []
    [claimed] = await replica.store.ownership.claim("other", 10)
    assert (id_of(claimed), claimed.revision, claimed.execution) == (id_of(record), 1, record.execution)


async def test_nothing_is_claimed_twice(world: World, replica: Replica, other: Replica) -> None:
    records = [world.record() for _ in range(12)]
    await replica.submit(*records, owned=False)

    batches = await asyncio.gather(*(one.store.ownership.claim("work", 4) for one in (replica, other) * 3))

    claimed = [id_of(record) for batch in batches for record in batch]
    assert sorted(claimed) == sorted(map(id_of, records))


async def test_work_given_back_is_anybodys_and_no_longer_its_former_owners(
    world: World, replica: Replica, other: Replica
) -> None:
    record = world.record()
    await replica.submit(record)
    await replica.write(record, give_back="work")

    [claimed] = await other.store.ownership.claim("work", 10)

    assert (claimed.execution, claimed.revision) == (record.execution, 2)
    assert await replica.write(run(record), "one") == Flushed(frozenset(), frozenset())
    assert await other.standing(record) == Standing(2, other.epoch)


async def test_one_execution_is_claimed_by_its_id_only_while_it_waits(
    world: World, replica: Replica, other: Replica
) -> None:
    record, another = world.record(), world.record()
    await replica.submit(record, another, owned=False)

    claimed = await other.store.ownership.claim_one(id_of(record))

    assert claimed is not None
    assert claimed.execution == record.execution
    assert await replica.store.ownership.claim_one(id_of(record)) is None
    assert [id_of(left) for left in await replica.store.ownership.claim("work", 10)] == [id_of(another)]


async def test_a_replica_whose_epoch_is_over_takes_nothing(world: World, replica: Replica) -> None:
    waiting, orphan = world.record(), world.record()
    await replica.submit(waiting, owned=False)
    await replica.submit(orphan)
    successor = await world.replica("replica_1").live()

    taken = [
        await replica.store.ownership.claim("work", 10),
        await replica.store.ownership.claim_one(id_of(waiting)),
        await replica.store.ownership.adopt(10),
    ]

    assert taken == [[], None, []]
    assert [id_of(record) for record in await successor.store.ownership.adopt(10)] == [id_of(orphan)]
    assert [id_of(record) for record in await successor.store.ownership.claim("work", 10)] == [id_of(waiting)]


async def test_a_place_in_the_queue_counts_what_goes_before_it(world: World, replica: Replica) -> None:
    records = [world.record(priority=priority) for priority in (50, 75, 50, 25)]
    await replica.submit(*records, owned=False)
    await replica.submit(world.record(priority=75), owned=False, action="other")
    executions = replica.store.executions

    ahead = [await executions.ahead("work", record.execution.priority, id_of(record)) for record in records]
    waiting = await executions.waiting()

    assert ahead == [1, 0, 2, 3]
    assert [(row.priority, row.action) for row in waiting] == [
        (75, "work"),
        (75, "other"),
        (50, "work"),
        (50, "work"),
        (25, "work"),
    ]
    assert await executions.counts() == (5, 0, 2)


# ---------------------------------------------------------------------------------------------------- who owns what


async def test_a_replica_whose_lease_is_over_is_deposed_once_and_its_executions_are_adopted(
    world: World, replica: Replica
) -> None:
    dead = await world.replica("replica_2").live(OVER)
    records = [world.record() for _ in range(3)]
    await dead.submit(*records)

    assert await replica.store.ownership.adopt(10) == []
    assert await replica.store.ownership.depose() == ["replica_2"]
    assert await replica.store.ownership.depose() == []
    adopted = [await replica.store.ownership.adopt(2) for _ in range(3)]

    assert [[id_of(record) for record in batch] for batch in adopted] == [
        sorted(map(id_of, records))[:2],
        sorted(map(id_of, records))[2:],
        [],
    ]
    assert await dead.store.ownership.renew(LEASE) is None


async def test_a_replica_that_lives_is_not_deposed_and_counts_its_peers(replica: Replica, other: Replica) -> None:
    assert await replica.store.ownership.depose() == []
    assert await replica.store.ownership.renew(LEASE) == 1
    assert await replica.store.ownership.others() == {"replica_2": "http://replica_2"}

    await other.store.ownership.lapse()

    assert await replica.store.ownership.renew(LEASE) == 0
    assert await replica.store.ownership.others() == {}
    assert await replica.store.ownership.depose() == ["replica_2"]


async def test_a_new_life_takes_up_what_the_earlier_one_held(world: World, replica: Replica) -> None:
    record = world.record()
    await replica.submit(record)
    successor = await world.replica("replica_1").live()

    [adopted] = await successor.store.ownership.adopt(10)

    assert (adopted.execution, adopted.revision) == (record.execution, 1)
    assert successor.epoch > replica.epoch


async def test_a_takeover_brings_the_packets_of_attempts_that_may_live_and_of_no_others(
    world: World, replica: Replica
) -> None:
    record = world.record()
    await replica.submit(record)
    await replica.write(run(run(record, fence=6), fence=7), "one")
    successor = await world.replica("replica_1").live()

    [adopted] = await successor.store.ownership.adopt(10)

    packets = {fence: conversation.encoded() for fence, conversation in adopted.conversations.items()}
    assert packets == {7: record.conversations[7].encoded()}
    assert adopted.sequence == record.sequence


async def test_a_message_is_read_by_the_owner_in_order_until_a_flush_consumes_it(
    world: World, replica: Replica, other: Replica
) -> None:
    record = world.record()
    await replica.submit(record)
    events: list[dict[str, Any]] = [{"type": "pause"}, {"type": "signal", "signal": "s", "value": [1]}]
    for event in events:
        assert await other.store.ownership.send(id_of(record), CLIENT, event)
    messages = await replica.store.ownership.inbox(10)

    assert messages == [
        Message(message.inbox_id, id_of(record), CLIENT, event) for message, event in zip(messages, events, strict=True)
    ]
    assert await other.store.ownership.inbox(10) == []
    assert await replica.store.ownership.inbox(1) == messages[:1]
    await replica.flush(Batch(inbox=[messages[0].inbox_id]))
    assert await replica.store.ownership.inbox(10) == messages[1:]


async def test_no_message_is_left_where_nobody_would_read_it(world: World, replica: Replica) -> None:
    unowned, owned = world.record(), world.record()
    await replica.submit(unowned, owned=False)
    await replica.submit(owned)

    sent = [
        await replica.store.ownership.send(id_of(unowned), CLIENT, {"type": "cancel"}),
        await replica.store.ownership.send(id_of(owned), "client_2", {"type": "cancel"}),
        await replica.store.ownership.send("exec_unknown", CLIENT, {"type": "cancel"}),
    ]

    assert sent == [False, False, False]


# ------------------------------------------------------------------------------------------------------------- reads


async def test_an_attempt_rules_under_its_stages_fence_and_was_taken_under_the_one_settled_last(
    world: World, replica: Replica
) -> None:
    record = run(world.record())
    await replica.submit(record)
    stage = record.execution.stages["one"] = record.execution.stages["one"]._replace(settled_fence=6)
    await replica.write(record, "one")
    executions = replica.store.executions

    asked = [(id_of(record), "one", 6), (id_of(record), "one", 7), (id_of(record), "x", 6), ("exec_unknown", "one", 6)]
    found = [await executions.whereabouts(*question) for question in asked]

    assert found == [
        Whereabouts("replica_1", rules=False, taken=stage),
        Whereabouts("replica_1", rules=True),
        Whereabouts("replica_1", rules=False),
        None,
    ]


async def test_sequences_tell_how_far_each_execution_is_told(world: World, replica: Replica) -> None:
    told, silent = run(world.record()), world.record()
    await replica.submit(told, silent)
    await replica.write(told, "one")

    found = await replica.store.executions.sequences([id_of(told), id_of(silent), "exec_unknown"])

    assert found == {id_of(told): 1, id_of(silent): 0}


async def test_another_clients_execution_is_not_found(world: World, replica: Replica) -> None:
    record = world.record()
    await replica.submit(record)
    executions = replica.store.executions

    assert await executions.find("client_2", id_of(record)) is None
    assert await executions.packets("client_2", id_of(record)) == []
    assert await executions.client_of(id_of(record)) == CLIENT
    assert await executions.client_of("exec_unknown") is None


async def test_a_page_lists_the_newest_first_and_filters(world: World, replica: Replica) -> None:
    records = [world.record() for _ in range(3)]
    await replica.submit(*records)
    await replica.write(finish(records[1]))
    executions = replica.store.executions

    newest = await executions.page(CLIENT, None, None, None, 2)
    older = await executions.page(CLIENT, None, "chain", id_of(records[1]), 2)
    ended = await executions.page(CLIENT, "completed", None, None, 2)

    assert [row["executionId"] for row in newest] == [id_of(records[2]), id_of(records[1])]
    assert [row["executionId"] for row in older] == [id_of(records[0])]
    assert [(row["executionId"], row["status"], row["progress"]) for row in ended] == [
        (id_of(records[1]), "completed", 100)
    ]
    assert await executions.page("client_2", None, None, None, 2) == []


async def test_durations_are_the_mean_of_what_stages_took(world: World, replica: Replica) -> None:
    record = run(world.record())
    await replica.submit(record)
    for name, seconds in (("one", 1), ("two", 3)):
        at = record.execution.created_at
        record.execution.stages[name] = Stage(
            name, StageStatus.COMPLETED, started_at=at, finished_at=at + timedelta(seconds=seconds)
        )
    await replica.write(record, "one", "two")

    assert await replica.store.executions.durations() == {"work": 2000.0}


# ------------------------------------------------------------------------------------------------------- the workers


def a_worker(worker_id: str = "w", url: str | None = None) -> Registration:
    return Registration(worker_id=worker_id, url=url, capabilities=("work",), max_concurrent_executions=2)


async def test_how_a_worker_is_called_is_kept_and_changes_with_its_registration(replica: Replica) -> None:
    registry = replica.store.registry
    single = a_worker(url="http://worker.example")
    await registry.register(single.model_copy(update={"packet_arrays": True}), "life_1", "replica_1")
    [in_arrays] = await registry.list()
    await registry.register(single, "life_1", "replica_1")
    [one_by_one] = await registry.list()

    assert [(row.url, row.packet_arrays) for row in (in_arrays, one_by_one)] == [
        ("http://worker.example", True),
        ("http://worker.example", False),
    ]


async def test_registering_again_refreshes_and_another_life_replaces(replica: Replica, other: Replica) -> None:
    registry = replica.store.registry
    await registry.register(a_worker(), "life_1", "replica_1")
    [first] = await registry.list()
    await registry.register(a_worker(), "life_1", "replica_2")
    [again] = await other.store.registry.list()
    await registry.register(a_worker(), "life_2", "replica_1")
    [anew] = await registry.list()

    assert (first.worker_id, first.capabilities, first.slots, first.home) == ("w", ("work",), 2, "replica_1")
    assert (again.home, again.registered_at) == ("replica_2", first.registered_at)
    assert anew.instance_id == "life_2"
    assert anew.registered_at > first.registered_at


async def test_a_drained_worker_is_back_when_it_registers_anew(replica: Replica) -> None:
    registry = replica.store.registry
    await registry.register(a_worker(), "life_1", "replica_1")

    known = [await registry.drain("w"), await registry.drain("nobody")]
    drained = [worker.draining for worker in await registry.list()]
    await registry.register(a_worker(), "life_1", "replica_1")

    assert (known, drained) == ([True, False], [True])
    assert [worker.draining for worker in await registry.list()] == [False]


async def test_workers_with_a_url_move_to_a_replica_that_asks_when_their_home_is_gone(
    world: World, replica: Replica, other: Replica
) -> None:
    registry = replica.store.registry
    for worker_id, home in (("mine", "replica_1"), ("theirs", "replica_2"), ("orphan", "replica_3"), ("drained", "x")):
        await registry.register(a_worker(worker_id, "http://127.0.0.1:1"), "life_1", home)
    await registry.register(a_worker("dialling"), "life_1", "replica_3")
    await registry.drain("drained")

    taken = {worker.worker_id for worker in await registry.take_home("replica_1")}
    await other.store.ownership.lapse()
    later = {worker.worker_id for worker in await registry.take_home("replica_1")}

    assert taken == {"mine", "orphan"}
    assert later == {"mine", "orphan", "theirs"}
    assert {worker.worker_id: worker.home for worker in await registry.list()} == {
        "mine": "replica_1",
        "theirs": "replica_1",
        "orphan": "replica_1",
        "drained": "x",
        "dialling": "replica_3",
    }
