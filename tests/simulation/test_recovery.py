"""What a replica does when the database, or its own life, breaks off at the worst moment: one moment a test.

Each was found by a seed. They run on the simulated store in virtual time, so each happens exactly when it has to.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import pytest
from yarl import URL

from orchestrator.core.events import CancelRequested
from orchestrator.core.requests import Queued
from orchestrator.core.template import parse_template
from orchestrator.dispatch.home import Reach
from orchestrator.dispatch.replica import Replica
from orchestrator.dispatch.transport import Reply
from orchestrator.system import NoFailpoints
from protocol.packets import Ack, Offer, Process
from tests.replicas import (
    CLIENT,
    SINGLE,
    ScriptedWorker,
    a_request,
    accepting,
    completed,
    final,
    honest,
    reject,
    silent,
)
from tests.simulation.chance import Chance, CountedIds, SeededRandom
from tests.simulation.loop import VirtualLoop
from tests.simulation.store import MemoryBlobs, simulated_store
from tests.simulation.tables import Tables
from tests.simulation.trace import Trace
from tests.simulation.world import Life, LifeClock, World

T = TypeVar("T")

NOTHING_TAKEN: Final[object] = ([], [], [])
"""The rows that a claim or a takeover returns when there is nothing for it."""

SINGLE_TEMPLATE: Final = replace(parse_template(SINGLE), version=1)
VERSIONS: Final = {(CLIENT, SINGLE_TEMPLATE.name, 1): SINGLE_TEMPLATE}


@dataclass
class FrailWire:
    """A wire that breaks, or holds its answer back, where a test says so; `lost` and `broken` name statements."""

    lost: set[str] = field(default_factory=set)
    """Of these the next answer that says anything is lost: the statement was carried out."""
    broken: set[str] = field(default_factory=set)
    """These fail, and are not carried out."""
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """The next of these is carried out when the event is set."""
    reached: dict[str, asyncio.Event] = field(default_factory=dict)

    async def call(self, name: str, statement: Callable[[], T], *, writes: bool = False) -> T:
        self.reached.setdefault(name, asyncio.Event()).set()
        if name in self.gates:
            await self.gates.pop(name).wait()
        if name in self.broken:
            raise ConnectionRefusedError(name)
        outcome = statement()
        if name in self.lost and outcome != NOTHING_TAKEN:
            self.lost.discard(name)
            raise ConnectionResetError(name)
        return outcome

    def push(self, callback: Callable[[], None]) -> None:
        callback()


class Unreachable:
    """A transport to nobody: these workers dial."""

    async def call(self, method: str, url: URL, body: bytes | None, *, max_bytes: int, timeout: float | None) -> Reply:
        raise ConnectionRefusedError(str(url))


@dataclass
class Bench:
    """A database and the replicas on it."""

    world: World
    tables: Tables
    ids: CountedIds = field(default_factory=CountedIds)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)

    async def replica(self, wire: FrailWire | None = None, name: str = "replica_1") -> Replica:
        made = self.unstarted(wire or FrailWire(), name)
        await made.start()
        return made

    def unstarted(self, wire: FrailWire, name: str = "replica_1") -> Replica:
        return Replica(
            replica_id=name,
            store=simulated_store(self.tables, wire, VERSIONS, self.blobs, name),
            reach=Reach(Unreachable(), f"http://{name}"),
            clock=LifeClock(self.world, Life(self.world, name)),
            ids=self.ids,
            random=SeededRandom(self.world.chance.stream(name)),
            failpoints=NoFailpoints(),
            pace=self.world.pace,
        )

    async def passes(self, seconds: float) -> None:
        over = asyncio.Event()
        self.world.loop.call_later(seconds, over.set)
        await over.wait()

    async def in_the_queue(self) -> str:
        """An execution that waits in the database for a worker."""
        away = await self.replica(name="replica_2")
        queued = await away.commands.execute(a_request(SINGLE_TEMPLATE))
        await away.stop()
        return queued.execution_id


def play(scenario: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    """Run the scenario in virtual time."""
    loop = VirtualLoop()
    world = World(0, loop, Trace(loop.time), Chance(0, "recovery"), is_calm=True)
    try:
        loop.run_until_complete(scenario(Bench(world, Tables(loop.time))))
    finally:
        loop.close()


def test_an_execution_whose_claim_was_never_answered_is_not_left_behind() -> None:
    async def scenario(bench: Bench) -> None:
        execution_id = await bench.in_the_queue()
        replica = await bench.replica(FrailWire(lost={"claim"}))
        await ScriptedWorker(replica, honest).join()

        assert (await final(replica, execution_id)).status == "completed"

    play(scenario)


def test_an_execution_whose_takeover_was_never_answered_is_not_left_behind() -> None:
    async def scenario(bench: Bench) -> None:
        deaf = FrailWire()
        before = await bench.replica(deaf, "replica_2")
        await ScriptedWorker(before, accepting).join()
        queued = await before.commands.execute(a_request(SINGLE_TEMPLATE))
        deaf.broken |= {"renew", "register", "flush"}
        replica = await bench.replica(FrailWire(lost={"adopt"}))
        await ScriptedWorker(replica, honest, "w2").join()

        assert (await final(replica, queued.execution_id)).status == "completed"

    play(scenario)


def test_an_execution_that_a_cancel_took_out_of_the_queue_without_an_answer_can_still_be_cancelled() -> None:
    async def scenario(bench: Bench) -> None:
        execution_id = await bench.in_the_queue()
        replica = await bench.replica(FrailWire(lost={"claim_one"}))
        with pytest.raises(ConnectionResetError):
            await replica.commands.command(CLIENT, execution_id, CancelRequested())
        await bench.passes(bench.world.pace.lease)

        assert await replica.commands.command(CLIENT, execution_id, CancelRequested()) == "cancelled"

    play(scenario)


def test_what_a_life_claimed_that_is_over_is_taken_up_once_by_the_next_one() -> None:
    async def scenario(bench: Bench) -> None:
        execution_id = await bench.in_the_queue()
        wire = FrailWire()
        replica = await bench.replica(wire)
        await ScriptedWorker(replica, silent).join()
        template_is_read = wire.gates["template"] = asyncio.Event()
        await wire.reached.setdefault("template", asyncio.Event()).wait()
        replica.journal.epoch_lost.set()
        await bench.passes(bench.world.pace.lease)
        epoch = replica.ownership.epoch
        template_is_read.set()
        await bench.passes(bench.world.pace.lease)

        row = bench.tables.executions[execution_id]
        record = replica.dispatcher.engine.owned.get(execution_id)
        assert record is not None
        assert (row["owner_epoch"], replica.ownership.epoch) == (epoch, epoch)
        assert not replica.journal.epoch_lost.is_set()

    play(scenario)


def test_a_message_for_an_execution_that_is_not_in_memory_yet_stays_in_the_inbox() -> None:
    async def scenario(bench: Bench) -> None:
        execution_id = await bench.in_the_queue()
        replica = await bench.replica()
        bench.tables.claim_one("replica_1", replica.ownership.epoch, execution_id)
        await replica.ownership.send(execution_id, CLIENT, {"type": "cancel"})

        await replica.claims.read_inbox()
        await replica.journal.drain()

        [message] = bench.tables.inbox.values()
        assert message["execution_id"] == execution_id

    play(scenario)


def test_a_message_that_was_carried_out_in_a_life_that_ended_before_its_flush_is_carried_out_again() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        await ScriptedWorker(replica, accepting).join()
        queued = await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        await bench.passes(bench.world.pace.poll)
        await replica.ownership.send(queued.execution_id, CLIENT, {"type": "cancel"})
        wire.broken.add("flush")
        await replica.claims.read_inbox()
        replica.journal.epoch_lost.set()
        await bench.passes(bench.world.pace.lease)
        wire.broken.clear()

        assert (await final(replica, queued.execution_id)).status == "cancelled"

    play(scenario)


def test_a_result_that_is_sent_again_is_not_acked_before_the_flush_of_the_first() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        worker = await ScriptedWorker(replica, accepting).join()
        await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        process = await worker.got(Process)
        await bench.passes(1)
        flushes = wire.gates["flush"] = asyncio.Event()

        worker.say(completed(process, {"value": 2}))
        await bench.passes(0.1)
        await worker.join(instance_id="life_2")
        worker.say(completed(process, {"value": 2}))
        await bench.passes(0.5)
        early = [packet for packet in worker.received if isinstance(packet, Ack)]
        flushes.set()
        await bench.passes(0.1)
        worker.say(completed(process, {"value": 2}))
        await worker.got(Ack)

        assert early == []
        assert {packet.status for packet in worker.received if isinstance(packet, Ack)} == {"committed"}

    play(scenario)


def test_a_refusal_that_comes_after_the_result_does_not_free_the_slot_before_the_flush() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        worker = await ScriptedWorker(replica, accepting, slots=1).join()
        for _ in range(2):
            await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        process, offer = await worker.got(Process), await worker.got(Offer)
        await bench.passes(1)
        flushes = wire.gates["flush"] = asyncio.Event()

        worker.say(completed(process, {"value": 2}), reject(offer, "busy"))
        await bench.passes(1)
        offered = worker.offered()
        flushes.set()
        await worker.got(Offer, 2)

        assert offered == [process.stage_id]

    play(scenario)


def test_a_result_is_not_answered_while_the_database_that_would_know_of_it_is_away() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        worker = await ScriptedWorker(replica, accepting).join()
        queued = await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        process = await worker.got(Process)
        worker.say(completed(process, {"value": 2}))
        await final(replica, queued.execution_id)
        worker.received.clear()
        wire.broken.add("owner_of")
        worker.say(completed(process, {"value": 2}))
        with pytest.raises(TimeoutError):
            await replica.reports.result("w", completed(process, {"value": 2}))
        assert worker.received == []

        wire.broken.clear()
        worker.say(completed(process, {"value": 2}))
        assert (await worker.got(Ack)).status == "committed"

    play(scenario)


def test_nothing_is_offered_past_the_lease_of_a_replica_that_cannot_renew_it() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        wire.broken |= {"renew", "register"}
        await bench.passes(bench.world.pace.lease)
        worker = await ScriptedWorker(replica, honest).join()
        queued = await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        await bench.passes(1)
        offered_without_a_lease = worker.offered()
        wire.broken.clear()

        assert (await final(replica, queued.execution_id)).status == "completed"
        assert offered_without_a_lease == []

    play(scenario)


def test_nothing_is_offered_from_a_life_that_may_be_over_already() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        wire.gates["register"] = asyncio.Event()
        wire.reached.clear()
        replica.journal.epoch_lost.set()
        await wire.reached.setdefault("register", asyncio.Event()).wait()

        worker = await ScriptedWorker(replica, honest).join()
        await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        await bench.passes(0.5)

        assert worker.offered() == []

    play(scenario)


def test_a_stage_that_began_before_its_submission_was_durable_is_stored_with_its_packets_or_not_at_all() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        worker = await ScriptedWorker(replica, accepting).join()
        flushes = wire.gates["flush"] = asyncio.Event()
        submitting: asyncio.Task[Queued] = asyncio.create_task(
            replica.commands.execute(a_request(SINGLE_TEMPLATE, key=None))
        )
        await worker.got(Process)
        seen: list[tuple[int, int]] = []

        class Witness:
            def flushed(self, *_: object) -> None:
                seen.append((len(bench.tables.stages), len(bench.tables.packets)))

        bench.tables.witness = Witness()
        flushes.set()
        await submitting
        await bench.passes(1)

        assert seen[0] == (0, 0)
        assert seen[-1] == (1, 1)

    play(scenario)


def test_a_slot_that_a_flush_frees_is_free_at_a_worker_that_has_registered_again_meanwhile() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        worker = await ScriptedWorker(replica, accepting, slots=1).join()
        for _ in range(2):
            await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        process = await worker.got(Process)
        await bench.passes(1)
        flushes = wire.gates["flush"] = asyncio.Event()

        worker.say(completed(process, {"value": 2}))
        await bench.passes(0.1)
        await worker.join(running=(process,))
        flushes.set()
        await worker.got(Offer, 2)
        known = replica.fleet.get("w")

        assert known is not None
        assert known.facts.free == 0

    play(scenario)


def test_a_replica_without_a_lease_takes_no_attempt_for_lost() -> None:
    async def scenario(bench: Bench) -> None:
        wire = FrailWire()
        replica = await bench.replica(wire)
        worker = await ScriptedWorker(replica, accepting).join()
        queued = await replica.commands.execute(a_request(SINGLE_TEMPLATE))
        process = await worker.got(Process)
        wire.broken |= {"renew", "register"}
        await bench.passes(3 * bench.world.pace.lease)
        wire.broken.clear()
        worker.say(completed(process, {"value": 2}))
        execution = await final(replica, queued.execution_id)

        assert (execution.stages["only"].attempt, execution.stages["only"].losses) == (1, ())
        assert execution.stages["only"].result == {"value": 2}

    play(scenario)
