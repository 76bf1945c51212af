"""Several replicas on one database: work and commands cross, slots and fences hold, and whoever ends is replaced."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.core.requests import WrongState
from orchestrator.dispatch.peer_link import PeerSocket
from orchestrator.dispatch.peer_messages import Answer, Ask, FromWorker, decode_from_owner, frame_of
from orchestrator.dispatch.replica import Replica
from orchestrator.store.breaker import DatabaseAway
from orchestrator.store.database import Database
from orchestrator.store.record import Submission
from protocol.packets import Ack, Cancel, Heartbeat, Offer, OrchestratorPacket, Process, Progress
from tests.peer_exchange import Exchange
from tests.replicas import (
    BRISK,
    CLIENT,
    SINGLE,
    Script,
    ScriptedWorker,
    a_record,
    a_replica,
    a_request,
    accept,
    accepting,
    completed,
    final,
    honest,
    key_of,
    kinds,
    published,
    reject,
    silent,
)

PACE = replace(BRISK, lease=5.0, offer_expires=5.0, heartbeat=1.0, poll=0.1, talk=0.01)
"""A lease that no slow machine misses; what has to be noticed is noticed by polls and broken connections."""
FAN = "template: fan\nstages:\n" + "".join(f"  s{n}: {{action: work, with: {{value: {n}}}}}\n" for n in range(20))
TWO_TRADES = (
    "template: two_trades\nstages:\n"
    "  one: {action: first, with: {value: 1}}\n"
    "  two: {needs: [one], action: second, with: {value: '${stages.one.output.value}'}}\n"
)
TWICE = "template: twice\nstages: {only: {action: work, retry: {max: 2, backoff: 1ms..1ms}}}\n"
ASKS = "template: asks\nstages:\n  ok: {wait: {signal: approval}}\n"


class Pair:
    """Two replicas that reach each other."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.exchange = Exchange()
        self._folder = folder
        self._stack = AsyncExitStack()
        self.owner: Replica
        self.home: Replica

    async def __aenter__(self) -> "Pair":
        self.owner = await self.another("replica_1")
        self.home = await self.another("replica_2")
        await until(lambda: self.owner.fleet.is_shared and self.home.fleet.is_shared)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def another(self, name: str) -> Replica:
        return await self._stack.enter_async_context(
            a_replica(self.database, self._folder, name, PACE, exchange=self.exchange)
        )

    async def run(self, source: str = SINGLE, replica: Replica | None = None, priority: int = 50) -> str:
        """An execution that `owner`, or the replica that is given, drives."""
        driver = replica or self.owner
        record = a_record(await published(self.database, source), priority=priority)
        await driver.journal.submit(Submission(record, owned=True, action=""))
        driver.claims.take_up(record)
        return record.execution.execution_id

    async def guest(self, script: Script, *actions: str, worker_id: str = "w", slots: int = 4) -> ScriptedWorker:
        """A worker at home with `home` that `owner` knows as a guest."""
        worker = await ScriptedWorker(self.home, script, worker_id, slots).join(*actions)
        await self.known(self.owner, worker.worker_id)
        return worker

    async def known(self, replica: Replica, worker_id: str, slots: int = 1) -> None:
        def is_granted() -> bool:
            worker = replica.fleet.get(worker_id)
            return worker is not None and worker.facts.connected and worker.facts.slots >= slots

        await until(is_granted)


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it holds."""
    async with asyncio.timeout(20):
        while not holds():
            turned = asyncio.Event()
            asyncio.get_running_loop().call_later(0.005, turned.set)
            await turned.wait()


@pytest.fixture
async def pair(database: Database, tmp_path: Path) -> AsyncIterator[Pair]:
    async with Pair(database, tmp_path) as pair:
        yield pair


async def test_a_worker_at_home_elsewhere_does_the_owners_work_under_the_owners_fence(pair: Pair) -> None:
    worker = await pair.guest(honest)
    execution_id = await pair.run()

    execution = await final(pair.owner, execution_id)
    packets = await pair.owner.executions.packets(CLIENT, execution_id)
    offer, ack = await worker.got(Offer), await worker.got(Ack)

    assert (execution.status, execution.result) == (ExecutionStatus.COMPLETED, {"only": {"value": 2}})
    assert execution.stages["only"].worker_id == "w"
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"]
    assert offer.fence >> 32 == pair.owner.ownership.epoch
    assert (ack.fence, ack.status) == (offer.fence, "committed")


async def test_stages_of_one_execution_go_to_workers_of_both_replicas(pair: Pair) -> None:
    first = await ScriptedWorker(pair.owner, honest, "w1").join("first")
    second = await ScriptedWorker(pair.home, honest, "w2").join("second")
    await pair.known(pair.owner, "w2")
    execution = await final(pair.owner, await pair.run(TWO_TRADES))

    assert execution.status is ExecutionStatus.COMPLETED
    assert [stage.worker_id for stage in execution.stages.values()] == ["w1", "w2"]
    assert (len(first.offered()), len(second.offered())) == (1, 1)


async def test_a_fan_out_uses_the_slots_of_all_replicas_and_exceeds_none(pair: Pair) -> None:
    held: dict[str, int] = {"here": 0, "there": 0}
    most = dict(held)

    def counting(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            held[worker.worker_id] += 1
            most[worker.worker_id] = max(most[worker.worker_id], held[worker.worker_id])
        elif isinstance(packet, Process):
            held[worker.worker_id] -= 1
        honest(worker, packet)

    await ScriptedWorker(pair.owner, counting, "here", slots=2).join()
    await pair.guest(counting, worker_id="there", slots=3)
    await pair.known(pair.owner, "there", slots=3)
    execution = await final(pair.owner, await pair.run(FAN))

    assert execution.status is ExecutionStatus.COMPLETED
    assert {stage.worker_id for stage in execution.stages.values()} == {"here", "there"}
    assert most["here"] <= 2
    assert most["there"] <= 3


async def test_two_owners_share_a_workers_slots_and_never_exceed_them(pair: Pair) -> None:
    held = most = 0

    def counting(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        nonlocal held, most
        if isinstance(packet, Offer):
            held += 1
            most = max(most, held)
        elif isinstance(packet, Process):
            held -= 1
        honest(worker, packet)

    third = await pair.another("replica_3")
    await pair.guest(counting, slots=2)
    await pair.known(third, "w")
    ids = [await pair.run(FAN, replica) for replica in (pair.owner, third, pair.home)]
    ended = [await final(pair.owner, execution_id) for execution_id in ids]

    assert {execution.status for execution in ended} == {ExecutionStatus.COMPLETED}
    assert most <= 2


async def test_a_refusal_reaches_the_owner_with_its_reason(pair: Pair) -> None:
    def refusing(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(reject(packet, "too_large", retry_after_ms=60_000))

    await pair.guest(refusing)
    execution_id = await pair.run()
    await until(lambda: bool(pair.owner.dispatcher.refused(execution_id, "only")))
    explained = await pair.owner.outlook.explain(CLIENT, execution_id)

    [considered] = explained["stages"][0]["workers"]
    assert (considered["workerId"], considered["code"], considered["reason"]) == ("w", "too_large", "not now")


async def test_a_cancel_reaches_a_guest_and_its_slot_is_free_again(pair: Pair) -> None:
    worker = await pair.guest(accepting, slots=1)
    execution_id = await pair.run()
    await worker.got(Process)
    await pair.owner.commands.command(CLIENT, execution_id, CancelRequested())
    stop = await worker.got(Cancel)
    execution = await final(pair.owner, execution_id)
    at_home = pair.home.fleet.get("w")
    assert at_home is not None
    await until(lambda: at_home.facts.free == 1)

    assert (stop.reason, execution.status) == ("cancelled", ExecutionStatus.CANCELLED)


async def test_progress_and_heartbeats_of_a_guest_keep_its_lease_at_the_owner(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    guest = pair.owner.fleet.get("w")
    assert guest is not None
    assignment = guest.assignments[process.fence]
    before = assignment.lease_until or 0.0
    worker.say(Heartbeat(running=(process,)))
    await until(lambda: (assignment.lease_until or 0.0) > before)
    watcher = pair.owner.hub.watch(execution_id)
    worker.say(Progress(**key_of(process), progress=40.0))
    notices = await watcher.next(20)

    assert notices[0].data["progress"] == 40.0


async def test_an_offer_that_a_guest_never_answers_expires_and_takes_no_slot_for_ever(pair: Pair) -> None:
    worker = await pair.guest(silent, slots=1)
    await pair.run()
    offer = await worker.got(Offer)
    pair.owner.answers.offer_unanswered("w", offer.fence, "gave no answer")
    stop = await worker.got(Cancel)
    at_home = pair.home.fleet.get("w")
    assert at_home is not None
    await until(lambda: at_home.facts.free == 1)

    assert (stop.fence, stop.reason) == (offer.fence, "stale")


async def test_the_owners_connection_may_break_and_the_result_is_kept_at_home_until_it_is_back(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    pair.exchange.remove("replica_1")
    await until(lambda: not pair.owner.fleet.get("w").facts.connected)  # type: ignore[union-attr]
    worker.say(completed(process, {"value": 9}))
    pair.exchange.add(pair.owner)
    execution = await final(pair.owner, execution_id)
    ack = await worker.got(Ack)

    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})
    assert ack.status == "committed"


async def test_of_two_results_that_wait_for_the_owner_the_first_one_counts(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    pair.exchange.remove("replica_1")
    await until(lambda: not pair.owner.fleet.get("w").facts.connected)  # type: ignore[union-attr]
    worker.say(completed(process, {"value": 9}), completed(process, {"value": 666}))
    pair.exchange.add(pair.owner)
    execution = await final(pair.owner, execution_id)

    assert execution.result == {"only": {"value": 9}}


async def test_a_running_guest_goes_on_for_the_successor_of_its_owner(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    third = await pair.another("replica_3")
    await pair.known(third, "w")
    await pair.owner.stop()
    pair.exchange.remove("replica_1")
    await until(lambda: any(execution_id in replica.dispatcher.engine.owned for replica in (pair.home, third)))
    worker.say(completed(process, {"value": 9}))
    execution = await final(third, execution_id)
    ack = await worker.got(Ack)

    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})
    assert (ack.fence, ack.status, len(worker.offered())) == (process.fence, "committed", 1)


async def test_a_worker_whose_home_is_gone_goes_on_through_another_home(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    third = await pair.another("replica_3")
    pair.exchange.remove("replica_2")
    moved = ScriptedWorker(third, accepting)
    await moved.join(instance_id="life_1", running=(process,))
    moved.say(completed(process, {"value": 9}))
    execution = await final(pair.owner, execution_id)
    ack = await moved.got(Ack)

    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})
    assert ack.status == "committed"


async def test_a_worker_that_comes_home_with_the_owner_itself_goes_on_there(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    moved = ScriptedWorker(pair.owner, accepting)
    await moved.join(instance_id="life_1", running=(process,))
    await until(lambda: not pair.home.fleet.get("w").is_at_home)  # type: ignore[union-attr]
    moved.say(completed(process, {"value": 9}))
    execution = await final(pair.owner, execution_id)

    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})
    assert worker.closed is not None


async def test_a_guest_that_starts_anew_loses_what_its_earlier_life_held(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run(TWICE)
    await worker.got(Process)
    reborn = await ScriptedWorker(pair.home, accepting).join(instance_id="life_2")
    process = await reborn.got(Process)
    reborn.say(completed(process, {}))
    execution = await final(pair.owner, execution_id)

    assert execution.stages["only"].attempt == 2


async def test_a_stale_result_that_comes_through_another_replica_is_refused_and_changes_nothing(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    worker.say(completed(process.model_copy(update={"fence": process.fence + 1000}), {"value": 666}))
    refused = await worker.got(Ack)
    worker.say(completed(process, {"value": 1}))
    execution = await final(pair.owner, execution_id)

    assert refused.status == "stale"
    assert execution.result == {"only": {"value": 1}}


async def test_a_report_over_http_may_go_to_any_replica(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    third = await pair.another("replica_3")
    await pair.known(third, "w")

    rules = await third.reports.progress("w", Progress(**key_of(process), progress=10.0))
    client = await third.reports.client_of_attempt("w", process.execution_id, process.stage_id, process.fence)
    committed = await third.reports.result("w", completed(process, {"value": 5}))
    again = await third.reports.result("w", completed(process, {"value": 5}))
    other = await third.reports.result("w", completed(process, {"value": 6}))
    late = await third.reports.progress("w", Progress(**key_of(process), progress=99.0))
    execution = await final(third, execution_id)

    assert (rules, client, committed, again, other, late) == (True, CLIENT, True, True, False, False)
    assert execution.result == {"only": {"value": 5}}


async def test_a_home_makes_no_call_again_that_its_worker_has_no_slot_for(pair: Pair) -> None:
    worker = await pair.guest(accepting, slots=1)
    execution_id = await pair.run(replica=pair.home)
    process = await worker.got(Process)
    called = pair.home.fleet.get("w")
    assert called is not None
    called.url = "http://127.0.0.1:1"

    pair.home.relay.to_worker("replica_1", "w", process.model_copy(update={"fence": process.fence + 1}))
    worker.say(completed(process, {"value": 1}))
    await final(pair.home, execution_id)

    assert [packet.fence for packet in worker.received if isinstance(packet, Process)] == [process.fence]


async def test_a_better_placed_stage_of_another_owner_gets_the_next_slot(pair: Pair) -> None:
    worker = await pair.guest(accepting, slots=1)
    busy = await pair.run(replica=pair.home)
    process = await worker.got(Process)
    waiting = await pair.run(replica=pair.home)
    critical = await pair.run(priority=100)
    await until(lambda: bool(pair.home.dispatcher.rivals))
    worker._script = honest
    worker.say(completed(process, {"value": 1}))
    for execution_id in (busy, critical, waiting):
        await final(pair.owner, execution_id)

    assert worker.offered() == [f"{busy}.only", f"{critical}.only", f"{waiting}.only"]


async def test_a_home_serves_its_own_before_a_peers_that_is_no_better_placed(pair: Pair) -> None:
    worker = await pair.guest(accepting, slots=1)
    busy = await pair.run(replica=pair.home)
    process = await worker.got(Process)
    own = await pair.run(replica=pair.home)
    low = await pair.run(priority=0)
    await until(lambda: bool(pair.home.dispatcher.rivals))
    worker._script = honest
    worker.say(completed(process, {"value": 1}))
    for execution_id in (busy, own, low):
        await final(pair.owner, execution_id)

    assert worker.offered() == [f"{busy}.only", f"{own}.only", f"{low}.only"]


async def test_commands_and_watching_work_through_any_replica(pair: Pair) -> None:
    worker = await ScriptedWorker(pair.owner, accepting).join()
    execution_id = await pair.run()
    process = await worker.got(Process)
    watcher = pair.home.hub.watch(execution_id)

    assert await pair.home.commands.command(CLIENT, execution_id, PauseRequested()) is None
    await seen(pair.home, execution_id, ExecutionStatus.PAUSED)
    await watcher.next(20)
    explained = await pair.home.outlook.explain(CLIENT, execution_id)
    with pytest.raises(WrongState, match="the execution is paused"):
        await pair.home.commands.command(CLIENT, execution_id, PauseRequested())
    with pytest.raises(WrongState, match="no stage waits for the signal approval"):
        await pair.home.commands.command(CLIENT, execution_id, SignalReceived("approval", True))
    assert await pair.home.commands.command(CLIENT, execution_id, ResumeRequested()) is None
    await seen(pair.home, execution_id, ExecutionStatus.RUNNING)
    worker.say(completed(process, {"value": 2}))
    execution = await final(pair.home, execution_id)

    assert watcher.behind
    assert explained["reason"] == "it is paused; resume it to go on"
    assert execution.status is ExecutionStatus.COMPLETED


async def test_the_owner_explains_an_execution_to_whoever_asks_elsewhere(pair: Pair) -> None:
    execution_id = await pair.run()
    await pair.guest(silent, "other")
    here = await pair.owner.outlook.explain(CLIENT, execution_id)
    there = await pair.home.outlook.explain(CLIENT, execution_id)

    assert here["reason"] == "no worker here offers work"
    assert there == here


async def test_a_signal_through_another_replica_lets_the_execution_go_on(pair: Pair) -> None:
    execution_id = await pair.run(ASKS)
    await seen(pair.home, execution_id, ExecutionStatus.WAITING)
    await pair.home.commands.command(CLIENT, execution_id, SignalReceived("approval", {"by": "ann"}))
    execution = await final(pair.home, execution_id)

    assert execution.stages["ok"].result == {"by": "ann"}


async def test_a_replica_that_stops_hands_its_executions_over_at_once(database: Database, tmp_path: Path) -> None:
    slow = replace(PACE, lease=600.0, heartbeat=200.0)
    async with a_replica(database, tmp_path, "replica_2", slow) as other:
        async with a_replica(database, tmp_path, "replica_1", slow) as stopping:
            worker = await ScriptedWorker(stopping, accepting).join()
            template = await published(database, SINGLE)
            execution_id = (await stopping.commands.execute(a_request(template))).execution_id
            process = await worker.got(Process)
        moved = await ScriptedWorker(other, accepting).join(instance_id="life_1", running=(process,))
        await until(lambda: execution_id in other.dispatcher.engine.owned)
        moved.say(completed(process, {"value": 9}))
        execution = await final(other, execution_id)

    assert worker.closed == "the orchestrator stops"
    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})


async def test_what_was_told_is_not_forgotten_by_a_fault_of_the_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = replace(PACE, lease=600.0, heartbeat=200.0, poll=0.05)
    async with a_replica(database, tmp_path, "replica_2", slow) as other:
        renew, faults = other.ownership.renew, iter(range(10))

        async def away_for_a_while(lease: timedelta) -> int | None:
            if next(faults, None) is not None:
                raise DatabaseAway("it is away")
            return await renew(lease)

        monkeypatch.setattr(other.ownership, "renew", away_for_a_while)
        async with a_replica(database, tmp_path, "replica_1", slow) as stopping:
            worker = await ScriptedWorker(stopping, accepting).join()
            template = await published(database, SINGLE)
            execution_id = (await stopping.commands.execute(a_request(template))).execution_id
            await worker.got(Process)
        await until(lambda: execution_id in other.dispatcher.engine.owned)


async def test_unstarted_work_goes_back_for_others_when_a_replica_is_no_longer_alone(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path, "replica_1", PACE) as alone:
        await ScriptedWorker(alone, accepting, slots=1).join()
        template = await published(database, SINGLE)
        requests = [a_request(template) for _ in range(20)]
        await alone.commands.execute_all(requests)
        hoarded = len(alone.dispatcher.engine.owned)
        async with a_replica(database, tmp_path, "replica_2", PACE):
            await until(lambda: alone.fleet.is_shared)
            await until(lambda: len(alone.dispatcher.engine.owned) < hoarded)
            kept = len(alone.dispatcher.engine.owned)

    assert (hoarded, kept) == (20, 5)


async def seen(replica: Replica, execution_id: str, status: ExecutionStatus) -> Execution:
    """The execution once any replica has made this status durable."""
    async with asyncio.timeout(20):
        while True:
            snapshot = await replica.executions.find(CLIENT, execution_id)
            if snapshot is not None and snapshot.execution.status is status:
                return snapshot.execution


async def test_what_a_peer_passes_on_of_an_execution_that_is_not_driven_here_goes_no_further(pair: Pair) -> None:
    worker = await pair.guest(accepting)
    execution_id = await pair.run()
    process = await worker.got(Process)
    third = await pair.another("replica_3")
    await pair.known(third, "w")
    async with pair.exchange.dialler("replica_2")("", "replica_3") as socket:
        forged = FromWorker(worker_id="w", packet=completed(process, {"value": 666}))
        await socket.send(frame_of([forged.encoded(), Ask(question=1, client_id=CLIENT, execution_id="x").encoded()]))
        answers = [frame async for frame in first_of(socket)]
    worker.say(completed(process, {"value": 1}))
    execution = await final(pair.owner, execution_id)

    assert [decode_from_owner(frame) for frame in answers] == [[Answer(question=1, explanation=None)]]
    assert execution.result == {"only": {"value": 1}}


async def first_of(socket: PeerSocket) -> AsyncIterator[bytes]:
    async for frame in socket.frames():
        yield frame
        return


async def test_a_new_life_counts_what_its_workers_hold_of_the_life_before_that_somebody_else_took_over(
    pair: Pair,
) -> None:
    worker = await pair.guest(accepting, slots=1)
    taken_over = await pair.run(replica=pair.home)
    process = await worker.got(Process)
    at_home = pair.home.fleet.get("w")
    assert at_home is not None

    await deposed(pair.home, by=pair.owner)
    fresh = await pair.run(replica=pair.home)
    await until(lambda: pair.home.relay.lent(at_home, "replica_1") == 1)
    offered_meanwhile = worker.offered()
    worker._script = honest
    worker.say(completed(process, {"value": 9}))
    executions = [await final(pair.home, execution_id) for execution_id in (taken_over, fresh)]

    assert offered_meanwhile == [f"{taken_over}.only"]
    assert [execution.status for execution in executions] == [ExecutionStatus.COMPLETED] * 2
    assert (executions[0].stages["only"].attempt, executions[0].result) == (1, {"only": {"value": 9}})


async def test_a_home_that_finds_an_execution_to_be_anothers_goes_on_counting_its_attempt(pair: Pair) -> None:
    worker = await pair.guest(accepting, slots=1)
    execution_id = await pair.run(replica=pair.home)
    process = await worker.got(Process)
    await pair.home.journal.drain()
    at_home = pair.home.fleet.get("w")
    assert at_home is not None

    pair.home.dispatcher.abandon(execution_id)
    counted = at_home.facts.free
    pair.home.journal.epoch_lost.set()
    worker.say(completed(process, {"value": 9}))
    execution = await final(pair.home, execution_id)
    await until(lambda: at_home.facts.free == 1)

    assert counted == 0
    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})


async def test_a_result_that_its_home_may_not_commit_any_more_goes_to_who_may_without_being_said_again(
    pair: Pair,
) -> None:
    worker = await pair.guest(accepting, slots=1)
    execution_id = await pair.run(replica=pair.home)
    process = await worker.got(Process)
    await pair.home.journal.drain()
    async with pair.home._living:
        await pair.home.ownership.lapse()
        await pair.owner._live()
        worker.say(completed(process, {"value": 9}))
        await pair.home.journal.epoch_lost.wait()
    execution = await final(pair.owner, execution_id)
    ack = await worker.got(Ack)

    assert (execution.stages["only"].attempt, execution.result) == (1, {"only": {"value": 9}})
    assert (ack.fence, ack.status) == (process.fence, "committed")


async def test_a_guests_home_learns_from_the_new_owner_that_it_has_taken_an_execution_over(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_away(*_: object) -> None:
        raise ConnectionRefusedError("the database is away")

    monkeypatch.setattr(pair.home.executions, "whereabouts", is_away)
    third = await pair.another("replica_3")
    worker = await pair.guest(accepting, slots=1)
    await pair.known(third, "w")
    execution_id = await pair.run()
    await worker.got(Process)
    at_home = pair.home.fleet.get("w")
    assert at_home is not None
    before = pair.home.relay.lent(at_home, "replica_1")

    async with pair.home._living:
        # Or it might be the one that takes over.
        await deposed(pair.owner, by=third)
    await until(lambda: execution_id in third.dispatcher.engine.owned)
    await until(lambda: pair.home.relay.lent(at_home, "replica_3") == 1)

    assert before == 1
    assert pair.home.relay.lent(at_home, "replica_1") == 0


async def test_what_a_worker_that_started_anew_did_not_bring_along_is_offered_again_as_soon_as_it_is_taken_over(
    pair: Pair,
) -> None:
    worker = await pair.guest(accepting, slots=1)
    execution_id = await pair.run()
    process = await worker.got(Process)
    await pair.owner.journal.drain()
    pair.exchange.remove("replica_1")
    reborn = await ScriptedWorker(pair.home, honest, slots=1).join(instance_id="life_2")
    async with pair.owner._living:
        await pair.owner.ownership.lapse()
        await pair.home._live()
    execution = await final(pair.home, execution_id)

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)
    assert [packet.fence != process.fence for packet in reborn.received if isinstance(packet, Offer)] == [True]


async def test_an_answer_to_an_offer_that_came_another_way_begins_nothing(pair: Pair) -> None:
    worker = await pair.guest(silent, slots=1)
    await pair.run()
    offer = await worker.got(Offer)
    moved = ScriptedWorker(pair.home, silent, slots=1)
    await moved.join(instance_id="life_1")
    moved.say(accept(offer))
    stop = await moved.got(Cancel)
    again = await moved.got(Offer)

    assert (stop.fence, stop.reason) == (offer.fence, "stale")
    assert again.fence != offer.fence


async def deposed(replica: Replica, by: Replica) -> None:
    """Its lease is over before it can renew it; it notices, and begins anew when the other has taken over."""
    await replica.journal.drain()
    async with replica._living:
        await replica.ownership.lapse()
        await by._live()
    await replica._live()
