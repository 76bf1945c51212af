"""Commands that race with what workers say: whichever is first, in one turn of the loop, and what follows from it."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested
from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.core.requests import WrongState
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import Database
from protocol.packets import Ack, Cancel, Offer, OrchestratorPacket, Process
from tests.replicas import (
    CHAIN,
    CLIENT,
    SINGLE,
    ScriptedWorker,
    a_replica,
    a_request,
    accept,
    accepting,
    completed,
    final,
    honest,
    published,
    reject,
    silent,
)


async def running(replica: Replica, database: Database, source: str = SINGLE, **fields: Any) -> str:
    template = await published(database, source)
    return (await replica.commands.execute(a_request(template, **fields))).execution_id


def stubborn(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
    """Accepts, and hears nothing after that."""
    if isinstance(packet, Offer):
        worker.say(accept(packet))


async def test_a_result_that_comes_just_before_a_cancel_is_taken_and_the_cancel_is_refused(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, stubborn).join()
        execution_id = await running(replica, database)
        process = await worker.got(Process)
        replica.reception.receive("w", (completed(process, {"value": 1}),))
        with pytest.raises(WrongState, match="the execution is completed"):
            await replica.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(replica, execution_id)
        ack = await worker.got(Ack)

    assert (execution.status, ack.status) == (ExecutionStatus.COMPLETED, "committed")


async def test_a_result_that_comes_just_after_a_cancel_is_refused(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, stubborn).join()
        execution_id = await running(replica, database)
        process = await worker.got(Process)
        record = replica.dispatcher.engine.owned.get(execution_id)
        assert record is not None
        replica.dispatcher.engine.apply(record, CancelRequested())
        replica.reception.receive("w", (completed(process, {"value": 1}),))
        execution = await final(replica, execution_id)
        ack = await worker.got(Ack)

    assert (execution.status, execution.stages["only"].status) == (ExecutionStatus.CANCELLED, StageStatus.CANCELLED)
    assert (ack.status, execution.result) == ("stale", None)


async def test_an_offer_that_is_open_when_a_cancel_comes_is_called_back(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, silent).join()
        execution_id = await running(replica, database)
        offer = await worker.got(Offer)
        await replica.commands.command(CLIENT, execution_id, CancelRequested())
        cancel = await worker.got(Cancel)
        worker.say(accept(offer))
        execution = await final(replica, execution_id)

    assert (cancel.fence, cancel.reason) == (offer.fence, "cancelled")
    assert execution.status is ExecutionStatus.CANCELLED
    assert [packet for packet in worker.received if isinstance(packet, Process)] == []


async def test_an_acknowledged_cancel_is_final_also_for_a_successor(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, stubborn).join()
        execution_id = await running(replica, database, CHAIN)
        process = await worker.got(Process)
        await replica.commands.command(CLIENT, execution_id, CancelRequested())

    async with a_replica(database, tmp_path) as successor:
        back = ScriptedWorker(successor, stubborn)
        await back.join(running=(process,))
        back.say(completed(process, {"value": 1}))
        execution = await final(successor, execution_id)
        with pytest.raises(WrongState, match="the execution is cancelled"):
            await successor.commands.command(CLIENT, execution_id, ResumeRequested())

    assert execution.status is ExecutionStatus.CANCELLED
    assert {stage.status for stage in execution.stages.values()} == {StageStatus.CANCELLED}


async def test_an_offer_that_is_accepted_during_a_pause_goes_on_and_nothing_follows_it(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, silent).join()
        execution_id = await running(replica, database, CHAIN)
        offer = await worker.got(Offer)
        await replica.commands.command(CLIENT, execution_id, PauseRequested())
        worker.say(accept(offer))
        process = await worker.got(Process)
        worker.say(completed(process, {"value": 2}))
        await worker.got(Ack)
        offered = worker.offered()
        worker._script = honest
        await replica.commands.command(CLIENT, execution_id, ResumeRequested())
        execution = await final(replica, execution_id)

    assert offered == [f"{execution_id}.one"]
    assert (execution.status, execution.result) == (ExecutionStatus.COMPLETED, {"value": 3})


async def test_an_offer_that_is_refused_during_a_pause_is_made_again_when_it_is_lifted(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, silent).join()
        execution_id = await running(replica, database)
        offer = await worker.got(Offer)
        await replica.commands.command(CLIENT, execution_id, PauseRequested())
        replica.reception.receive("w", (reject(offer, "busy", retry_after_ms=0),))
        paused = await stored(replica, execution_id)
        worker._script = honest
        await replica.commands.command(CLIENT, execution_id, ResumeRequested())
        execution = await final(replica, execution_id)

    assert paused.status is ExecutionStatus.PAUSED
    assert (execution.status, execution.stages["only"].attempt) == (ExecutionStatus.COMPLETED, 1)
    assert len(worker.offered()) == 2


async def test_a_retry_that_is_asked_for_twice_under_one_key_is_one_execution_which_keeps_what_was_completed(
    database: Database, tmp_path: Path
) -> None:
    def first_only(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        stage = getattr(packet, "stage_id", "")
        (honest if stage.endswith(".one") else accepting)(worker, packet)

    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, first_only).join()
        old_id = await running(replica, database, CHAIN)
        await worker.got(Process, 2)
        await replica.commands.command(CLIENT, old_id, CancelRequested())
        await final(replica, old_id)
        worker._script = honest
        once = await replica.commands.retry(CLIENT, old_id, "again", b"body")
        twice = await replica.commands.retry(CLIENT, old_id, "again", b"body")
        execution = await final(replica, once.execution_id)

    assert (twice.execution_id, twice.repeated) == (once.execution_id, True)
    assert (execution.status, execution.retry_of) == (ExecutionStatus.COMPLETED, old_id)
    assert worker.offered()[2:] == [f"{once.execution_id}.two"]


async def test_a_second_result_under_a_settled_fence_is_refused_if_it_is_another_one(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        worker = await ScriptedWorker(replica, honest).join()
        execution_id = await running(replica, database)
        execution = await final(replica, execution_id)
        process = await worker.got(Process)
        worker.say(completed(process, {"value": 666}))
        other = await worker.got(Ack, 2)
        worker.say(completed(process, {"value": 2}))
        same = await worker.got(Ack, 3)
        after = await stored(replica, execution_id)

    assert (other.status, same.status) == ("stale", "committed")
    assert after.result == execution.result == {"only": {"value": 2}}


async def stored(replica: Replica, execution_id: str) -> Execution:
    """The execution as it is durable."""
    await replica.journal.drain()
    snapshot = await replica.executions.find(CLIENT, execution_id, whole=True)
    assert snapshot is not None
    return snapshot.execution
