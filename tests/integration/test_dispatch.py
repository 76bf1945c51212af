"""What a replica does with workers of every temper, on a real database, packet by packet."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.core.requests import UnknownExecution, WrongState
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import Database
from protocol.packets import Ack, Cancel, Failure, Offer, OrchestratorPacket, Process, Progress
from tests.replicas import (
    BRISK,
    CHAIN,
    CLIENT,
    SINGLE,
    ScriptedWorker,
    a_replica,
    a_request,
    accept,
    accepting,
    completed,
    failed,
    final,
    honest,
    key_of,
    kinds,
    published,
    reject,
    silent,
)

TIGHT = "template: tight\nstages: {only: {action: work, timeout: 100ms, retry: {max: 2, backoff: 1ms..1ms}}}\n"
TWICE = "template: twice\nstages: {only: {action: work, retry: {max: 2, backoff: 1ms..1ms}}}\n"
WIDE = "template: wide\nstages: {a: {action: work}, b: {action: work}, c: {needs: [a, b], action: work}}\n"
ASKS = (
    "template: asks\nstages:\n  ok: {wait: {signal: approval}}\n  go: {needs: [ok], action: work, with: {value: 1}}\n"
)


async def run(replica: Replica, database: Database, source: str = CHAIN, given: Any = None, **fields: Any) -> str:
    template = await published(database, source)
    return (await replica.commands.execute(a_request(template, given, **fields))).execution_id


async def reached(replica: Replica, execution_id: str, status: ExecutionStatus) -> Execution:
    """The execution once this status is durable."""
    watcher = replica.hub.watch(execution_id)
    try:
        async with asyncio.timeout(20):
            while True:
                snapshot = await replica.executions.find(CLIENT, execution_id)
                if snapshot is not None and snapshot.execution.status is status:
                    return snapshot.execution
                await watcher.next(0.5)
    finally:
        replica.hub.leave(watcher)


async def test_a_chain_goes_from_worker_to_worker_and_its_handshakes_are_kept(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, honest).join()
        execution_id = await run(replica, database, given={"value": 3})

        execution = await final(replica, execution_id)
        packets = await replica.executions.packets(CLIENT, execution_id)
        await worker.got(Ack, 2)

    assert (execution.status, execution.result, execution.progress) == (ExecutionStatus.COMPLETED, {"value": 5}, 100)
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"] * 2
    assert [packet["direction"] for packet in packets] == ["out", "in", "out", "in", "out"] * 2
    assert [packet["stage"] for packet in packets] == ["one"] * 5 + ["two"] * 5
    sequences = [packet["seq"] for packet in packets]
    assert sequences == sorted(set(sequences))


async def test_a_stage_is_offered_only_when_what_it_needs_is_durable(database: Database, tmp_path: Path) -> None:
    seen: list[StageStatus] = []

    async with a_replica(database, tmp_path) as replica:

        async def look(packet: Offer) -> None:
            snapshot = await replica.executions.find(CLIENT, packet.execution_id)
            assert snapshot is not None
            seen.append(snapshot.execution.stages["one"].status)

        looks: list[asyncio.Task[None]] = []

        def script(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
            if isinstance(packet, Offer) and packet.stage_id.endswith(".two"):
                looks.append(asyncio.create_task(look(packet)))
            honest(worker, packet)

        await ScriptedWorker(replica, script).join()
        await final(replica, await run(replica, database))
        await asyncio.gather(*looks)

    assert seen == [StageStatus.COMPLETED]


async def test_slots_are_never_exceeded(database: Database, tmp_path: Path) -> None:
    held = most = 0

    def script(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        nonlocal held, most
        if isinstance(packet, Offer):
            held += 1
            most = max(most, held)
        elif isinstance(packet, Process):
            held -= 1
        honest(worker, packet)

    async with a_replica(database, tmp_path) as replica:
        await ScriptedWorker(replica, script, slots=3).join()
        ids = [await run(replica, database) for _ in range(20)]
        ended = [await final(replica, execution_id) for execution_id in ids]

    assert {execution.status for execution in ended} == {ExecutionStatus.COMPLETED}
    assert 1 <= most <= 3


async def test_with_one_slot_a_critical_execution_posted_last_is_served_next_and_started_work_before_fresh(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting, slots=1).join()
        first = await run(replica, database)
        process = await worker.got(Process)
        fresh = [await run(replica, database) for _ in range(3)]
        critical = await run(replica, database, SINGLE, priority=100)
        worker._script = honest
        worker.say(completed(process, {"value": 1}))

        for execution_id in (first, critical, *fresh):
            await final(replica, execution_id)

    assert worker.offered() == [
        f"{first}.one",
        f"{critical}.only",
        f"{first}.two",
        *(f"{execution_id}.{stage}" for execution_id in fresh for stage in ("one", "two")),
    ]


async def test_what_waits_before_there_is_a_worker_is_served_in_order_when_one_comes(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        low = await run(replica, database, SINGLE, priority=25)
        high = await run(replica, database, SINGLE, priority=75)
        worker = await ScriptedWorker(replica, honest, slots=1).join()
        await final(replica, low)

    assert worker.offered() == [f"{high}.only", f"{low}.only"]


async def test_a_refusal_is_kept_and_another_worker_is_asked_without_charging_an_attempt(
    database: Database, tmp_path: Path
) -> None:
    def refusing(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(reject(packet, "too_large", retry_after_ms=60_000))

    async with a_replica(database, tmp_path) as replica:
        small = await ScriptedWorker(replica, refusing, "a-small").join()
        execution_id = await run(replica, database, SINGLE)
        await small.got(Offer)
        explained = await replica.outlook.explain(CLIENT, execution_id)
        await ScriptedWorker(replica, honest, "b-large").join()

        execution = await final(replica, execution_id)
        packets = await replica.executions.packets(CLIENT, execution_id)

    [considered] = explained["stages"][0]["workers"]
    assert (considered["workerId"], considered["code"], considered["reason"]) == ("a-small", "too_large", "not now")
    assert kinds(packets) == ["offer", "reject", "offer", "accept", "process", "result", "ack"]
    assert (execution.stages["only"].attempt, execution.stages["only"].worker_id) == (1, "b-large")


async def test_a_stage_fails_with_the_reasons_once_every_worker_has_refused_it_for_what_it_is_for_long_enough(
    database: Database, tmp_path: Path
) -> None:
    def refusing(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(reject(packet, "too_large"))

    async with a_replica(database, tmp_path, pace=replace(BRISK, refused_again=0.02, refused_longest=0.1)) as replica:
        await ScriptedWorker(replica, refusing, "a").join()
        await ScriptedWorker(replica, refusing, "b").join()
        execution = await final(replica, await run(replica, database, SINGLE))

    message = "every worker refuses it: a: not now; b: not now"
    assert execution.stages["only"].error == Failure(code="refused", message=message)
    assert execution.error == Failure(code="refused", message=f"stage only: {message}")


async def test_an_invalid_input_fails_its_stage_at_once_with_the_workers_reason(
    database: Database, tmp_path: Path
) -> None:
    def refusing(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(reject(packet, "invalid_input"))

    async with a_replica(database, tmp_path) as replica:
        await ScriptedWorker(replica, refusing).join()
        execution_id = await run(replica, database, SINGLE)
        execution = await final(replica, execution_id)
        packets = await replica.executions.packets(CLIENT, execution_id)

    assert execution.stages["only"].error == Failure(code="invalid_input", message="not now")
    assert kinds(packets) == ["offer", "reject"]


async def test_an_action_that_nobody_offers_is_said_to_be_what_it_waits_for(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        execution_id = await run(replica, database, SINGLE)
        explained = await replica.outlook.explain(CLIENT, execution_id)
        queue = await replica.outlook.queue(CLIENT)

    assert explained["reason"] == "no worker here offers work"
    assert [(entry["position"], entry["reason"]) for entry in queue["queue"]] == [(1, "no worker here offers work")]
    assert queue["stats"] == {"queued": 1, "running": 0, "highPriority": 0, "blocked": 1}


async def test_a_busy_worker_is_asked_again_when_it_said_it_would_be_free(database: Database, tmp_path: Path) -> None:
    def busy_at_first(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer) and len(worker.offered()) == 1:
            worker.say(reject(packet, "busy", retry_after_ms=30))
        else:
            honest(worker, packet)

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, busy_at_first).join()
        execution = await final(replica, await run(replica, database, SINGLE))

    assert execution.status is ExecutionStatus.COMPLETED
    assert len(worker.offered()) == 2


async def test_a_worker_that_never_answers_loses_the_offer_and_the_late_accept_is_told_to_stop(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        mute = await ScriptedWorker(replica, silent, "a-mute").join()
        execution_id = await run(replica, database, SINGLE)
        offer = await mute.got(Offer)
        await ScriptedWorker(replica, honest, "b-honest").join()
        execution = await final(replica, execution_id)
        await mute.got(Cancel)
        mute.say(accept(offer))
        stop = await mute.got(Cancel, 2)

    assert execution.stages["only"].worker_id == "b-honest"
    assert execution.stages["only"].attempt == 1
    assert (stop.fence, stop.reason) == (offer.fence, "stale")


async def test_a_worker_that_vanishes_is_noticed_and_its_attempt_is_made_again_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        doomed = await ScriptedWorker(replica, accepting, "a-doomed").join()
        execution_id = await run(replica, database, SINGLE)
        process = await doomed.got(Process)
        doomed.leave()
        await ScriptedWorker(replica, honest, "b-honest").join()
        execution = await final(replica, execution_id)

        late = await replica.reports.result("a-doomed", completed(process, {"value": 666}))

    assert execution.result == {"only": {"value": 2}}
    assert (execution.stages["only"].attempt, execution.stages["only"].worker_id) == (2, "b-honest")
    assert late is False


async def test_a_worker_started_anew_does_not_hold_what_its_earlier_life_held(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join(instance_id="life_1")
        execution_id = await run(replica, database, TWICE)
        await worker.got(Process)
        reborn = await ScriptedWorker(replica, accepting).join(instance_id="life_2")
        process = await reborn.got(Process)
        reborn.say(completed(process, {}))
        execution = await final(replica, execution_id)

    assert worker.closed is not None
    assert execution.stages["only"].attempt == 2


async def test_a_link_that_breaks_for_a_moment_costs_nothing(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution_id = await run(replica, database, SINGLE)
        process = await worker.got(Process)
        worker.leave()
        replica.home.connected("w", worker)
        worker.say(completed(process, {"value": 9}))
        execution = await final(replica, execution_id)

    assert execution.stages["only"].attempt == 1
    assert execution.result == {"only": {"value": 9}}


async def test_a_result_sent_again_gets_the_same_ack_and_another_fence_gets_none(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, honest).join()
        execution = await final(replica, await run(replica, database, SINGLE))
        process = await worker.got(Process)
        result = completed(process, {"value": 2})
        worker.say(result)
        again = await worker.got(Ack, 2)
        worker.say(result.model_copy(update={"fence": result.fence + 1000}))
        forged = await worker.got(Ack, 3)

    assert (again.fence, again.status) == (process.fence, "committed")
    assert forged.status == "stale"
    assert execution.result == {"only": {"value": 2}}


@pytest.mark.parametrize(("retryable", "attempts"), [(True, 2), (False, 1)])
async def test_a_failure_is_tried_again_only_if_it_says_so_and_only_as_often_as_allowed(
    database: Database, tmp_path: Path, retryable: bool, attempts: int
) -> None:
    def failing(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(accept(packet))
        elif isinstance(packet, Process):
            worker.say(failed(packet, retryable=retryable))

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, failing).join()
        execution = await final(replica, await run(replica, database, TWICE))

    assert execution.status is ExecutionStatus.FAILED
    assert execution.error is not None
    assert (execution.error.code, execution.error.message) == ("broken", "stage only: no")
    assert len(worker.offered()) == attempts


async def test_a_stage_that_takes_too_long_is_stopped_and_tried_again(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution = await final(replica, await run(replica, database, TIGHT))
        stops = [packet.reason for packet in worker.received if isinstance(packet, Cancel)]

    assert execution.error is not None
    assert (execution.error.code, execution.error.message) == ("timeout", "stage only: took longer than 0.1 s")
    assert execution.stages["only"].attempt == 2
    assert stops == ["timeout", "timeout"]


async def test_a_cancel_stops_the_worker_and_a_result_that_comes_after_it_is_refused(
    database: Database, tmp_path: Path
) -> None:
    def deaf(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(accept(packet))
        elif isinstance(packet, Cancel):
            worker.say(completed(packet, {"value": 1}))

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, deaf).join()
        execution_id = await run(replica, database)
        await worker.got(Process)
        await replica.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(replica, execution_id)
        ack = await worker.got(Ack)
        document = await replica.workers.find("w")

    assert execution.status is ExecutionStatus.CANCELLED
    assert {stage.status for stage in execution.stages.values()} == {StageStatus.CANCELLED}
    assert (ack.status, document and document["staleResults"]) == ("stale", 1)


async def test_a_worker_that_ignores_a_cancel_does_not_hold_it_up(database: Database, tmp_path: Path) -> None:
    def stubborn(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(accept(packet))

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, stubborn, slots=1).join()
        execution_id = await run(replica, database, SINGLE)
        await worker.got(Process)
        await replica.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(replica, execution_id)

        facts = replica.fleet.get("w")

    assert execution.status is ExecutionStatus.CANCELLED
    assert facts is not None
    assert facts.facts.free == 1


async def test_a_queued_execution_that_nobody_drives_is_cancelled_at_once(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        execution_id = await run(replica, database)

        status = await replica.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(replica, execution_id)
        with pytest.raises(WrongState, match="the execution is cancelled"):
            await replica.commands.command(CLIENT, execution_id, CancelRequested())

    assert status is ExecutionStatus.CANCELLED
    assert execution.status is ExecutionStatus.CANCELLED


async def test_a_paused_execution_offers_nothing_until_it_is_resumed(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution_id = await run(replica, database)
        process = await worker.got(Process)
        paused = await replica.commands.command(CLIENT, execution_id, PauseRequested())
        worker.say(completed(process, {"value": 2}))
        await worker.got(Ack)
        offered = worker.offered()
        worker._script = honest
        resumed = await replica.commands.command(CLIENT, execution_id, ResumeRequested())
        execution = await final(replica, execution_id)

    assert (paused, resumed) == (ExecutionStatus.PAUSED, ExecutionStatus.RUNNING)
    assert offered == [f"{execution_id}.one"]
    assert execution.result == {"value": 3}


async def test_a_retry_is_a_new_execution_that_keeps_what_was_completed(database: Database, tmp_path: Path) -> None:
    def failing_second(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Process) and packet.stage_id.endswith(".two"):
            worker.say(failed(packet, retryable=False))
        else:
            honest(worker, packet)

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, failing_second).join()
        old = await final(replica, await run(replica, database, given={"value": 1}))
        worker._script = honest
        again = await replica.commands.retry(CLIENT, old.execution_id, None, b"")
        new = await final(replica, again.execution_id)
        with pytest.raises(WrongState):
            await replica.commands.retry(CLIENT, new.execution_id, None, b"")

    assert old.status is ExecutionStatus.FAILED
    assert (new.status, new.result, new.retry_of) == (ExecutionStatus.COMPLETED, {"value": 3}, old.execution_id)
    assert worker.offered()[2:] == [f"{new.execution_id}.two"]


async def test_a_signal_lets_a_waiting_execution_go_on(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        await ScriptedWorker(replica, honest).join()
        execution_id = await run(replica, database, ASKS)
        waiting = await reached(replica, execution_id, ExecutionStatus.WAITING)
        await replica.commands.command(CLIENT, execution_id, SignalReceived("approval", {"by": "ann"}))
        execution = await final(replica, execution_id)

    assert waiting.stages["ok"].status is StageStatus.WAITING
    assert execution.stages["ok"].result == {"by": "ann"}
    assert execution.status is ExecutionStatus.COMPLETED


async def test_another_clients_execution_is_unknown(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        await ScriptedWorker(replica, accepting).join()
        execution_id = await run(replica, database)

        with pytest.raises(UnknownExecution):
            await replica.commands.command("client_2", execution_id, CancelRequested())
        assert await replica.executions.find("client_2", execution_id) is None


async def test_what_a_worker_says_of_attempts_it_does_not_hold_changes_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting, "holder").join()
        execution_id = await run(replica, database, SINGLE)
        process = await worker.got(Process)
        liar = await ScriptedWorker(replica, silent, "liar").join("other")
        liar.say(completed(process, {"value": 666}))
        refused = await liar.got(Ack)
        liar.say(Progress(**key_of(process), progress=99.0))
        stop = await liar.got(Cancel)
        worker.say(completed(process, {"value": 1}))
        execution = await final(replica, execution_id)

    assert (refused.status, stop.reason) == ("stale", "stale")
    assert execution.result == {"only": {"value": 1}}


async def test_a_result_before_the_accept_is_refused_and_the_handshake_goes_on(
    database: Database, tmp_path: Path
) -> None:
    def hasty(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            worker.say(completed(packet, {"value": 666}), accept(packet))
        elif isinstance(packet, Process):
            worker.say(completed(packet, {"value": 1}))

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, hasty).join()
        execution = await final(replica, await run(replica, database, SINGLE))
        acks = [(await worker.got(Ack, number)).status for number in (1, 2)]

    assert acks == ["stale", "committed"]
    assert execution.result == {"only": {"value": 1}}


async def test_progress_is_shown_while_the_stage_is_at_work(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution_id = await run(replica, database)
        process = await worker.got(Process)
        watcher = replica.hub.watch(execution_id)
        worker.say(Progress(**key_of(process), progress=40.0, message="reading"))
        seen: dict[str, Any] = {}
        async with asyncio.timeout(10):
            while "progress" not in seen or "stage" not in seen:
                seen |= {notice.kind: notice.data for notice in await watcher.next(1.0)}
        stored = await replica.executions.find(CLIENT, execution_id)

    assert (seen["progress"]["progress"], seen["progress"]["message"]) == (40.0, "reading")
    assert seen["stage"]["stage"]["progress"] == 40.0
    assert stored is not None
    assert (stored.execution.progress, stored.execution.stages["one"].progress) == (20, 40.0)


async def test_who_watches_what_is_taken_up_here_reads_what_its_owner_did_since_the_last_look(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution_id = await run(replica, database)
        await worker.got(Process)
        record = replica.dispatcher.engine.owned.get(execution_id)
        assert record is not None
        replica.dispatcher.engine.drop(execution_id)
        watcher = replica.hub.watch(execution_id)
        replica.hub.stands_at(execution_id, record.sequence - 1)
        watcher.behind = False
        replica.dispatcher.engine.take_up(record)

        assert watcher.behind


async def test_the_progress_that_watchers_are_told_never_falls(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, accepting).join()
        execution_id = await run(replica, database)
        process = await worker.got(Process)
        watcher = replica.hub.watch(execution_id)
        worker.say(*(Progress(**key_of(process), progress=percent) for percent in (10.0, 40.0)))
        told: list[float] = []
        stages = 0
        async with asyncio.timeout(10):
            while stages < 2:
                for notice in await watcher.next(1.0):
                    stages += notice.kind == "stage"
                    said = notice.data["stage"] if notice.kind == "stage" else notice.data
                    told.append(said["progress"])

    assert told == sorted(told)
    assert set(told) == {10.0, 40.0}


async def test_a_workers_doubled_estimate_moves_what_is_said_of_the_queue(database: Database, tmp_path: Path) -> None:
    async def delay_after(estimate_ms: int) -> float:
        def estimating(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
            if isinstance(packet, Offer):
                worker.say(accept(packet, estimate_ms))

        worker = await ScriptedWorker(replica, estimating, f"w{estimate_ms}", slots=1).join(f"act{estimate_ms}")
        template = await published(database, f"template: t{estimate_ms}\nstages: {{a: {{action: act{estimate_ms}}}}}\n")
        await replica.commands.execute(a_request(template))
        await worker.got(Process)
        asked = replica.clock.now()
        queued = await replica.commands.execute(a_request(template))
        assert queued.estimated_completion_at is not None
        return (queued.estimated_completion_at - asked).total_seconds()

    async with a_replica(database, tmp_path) as replica:
        single, double = await delay_after(60_000), await delay_after(120_000)

    assert double == pytest.approx(2 * single, rel=0.01)


async def test_an_estimate_that_nothing_speaks_for_is_not_given(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        template = await published(database)
        queued = await replica.commands.execute(a_request(template))

    assert (queued.position, queued.estimated_completion_at) == (1, None)


async def test_a_successor_takes_running_attempts_up_and_their_results_are_committed_once(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path, "replica_1") as first:
        worker = await ScriptedWorker(first, accepting).join()
        execution_id = await run(first, database)
        process = await worker.got(Process)

    async with a_replica(database, tmp_path, "replica_1") as second:
        back = ScriptedWorker(second, honest)
        await back.join(instance_id="life_1")
        back.say(completed(process, {"value": 5}))
        execution = await final(second, execution_id)
        packets = await second.executions.packets(CLIENT, execution_id)

    assert (execution.status, execution.result) == (ExecutionStatus.COMPLETED, {"value": 6})
    assert execution.stages["one"].attempt == 1
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"] * 2


async def test_a_cleanly_stopped_replica_hands_its_executions_over(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, "replica_2") as other:
        async with a_replica(database, tmp_path, "replica_1") as stopping:
            doomed = await ScriptedWorker(stopping, accepting, "at-home-there").join()
            execution_id = await run(stopping, database, TWICE)
            await doomed.got(Process)
        await ScriptedWorker(other, honest, "at-home-here").join()
        execution = await final(other, execution_id)

    assert execution.stages["only"].worker_id == "at-home-here"


async def test_a_command_through_another_replica_reaches_the_owner(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, "replica_1") as owner, a_replica(database, tmp_path, "replica_2") as other:
        worker = await ScriptedWorker(owner, accepting).join()
        execution_id = await run(owner, database)
        await worker.got(Process)

        answer = await other.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(owner, execution_id)

    assert answer is None
    assert execution.status is ExecutionStatus.CANCELLED


async def test_an_input_that_no_workers_gate_would_pass_fails_its_stage_and_nothing_else(
    database: Database, tmp_path: Path
) -> None:
    deep: Any = "bottom"
    for _ in range(62):
        deep = [deep]
    source = "template: deep\nstages: {only: {action: work, with: {value: {a: {b: {c: '${input.value}'}}}}}}\n"
    async with a_replica(database, tmp_path) as replica:
        await ScriptedWorker(replica, honest).join()
        execution = await final(replica, await run(replica, database, source, given={"value": deep}))
        other = await final(replica, await run(replica, database, SINGLE))

    assert execution.status is ExecutionStatus.FAILED
    assert execution.error is not None
    assert "nested deeper than 64 levels" in execution.error.message
    assert other.status is ExecutionStatus.COMPLETED


async def test_a_refusal_of_what_was_accepted_is_not_charged(database: Database, tmp_path: Path) -> None:
    def forgetful(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Process) and len(worker.offered()) == 1:
            worker.say(reject(packet, "busy", retry_after_ms=10))  # type: ignore[arg-type]
        else:
            honest(worker, packet)

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, forgetful).join()
        execution = await final(replica, await run(replica, database, SINGLE))

    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)
    assert len(worker.offered()) == 2


async def test_the_built_in_check_goes_through_the_real_queue(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        source = "template: check\nstages: {echo: {action: baton.check, with: {sent: '${input}'}}}\n"
        execution = await final(replica, await run(replica, database, source, given={"n": 1}))
        packets = await replica.executions.packets(CLIENT, execution.execution_id)

    assert execution.result == {"echo": {"sent": {"n": 1}}}
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"]
