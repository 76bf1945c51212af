"""Workers that die at every moment, are silent, come back again and again, or lie: what is theirs is done once, or said
to be poison, and nobody else is harmed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.core.placement import Refusal
from orchestrator.core.requests import Crowded
from orchestrator.core.standing import Dishonest
from orchestrator.dispatch import home
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import Database
from protocol.packets import Accept, Ack, Offer, OrchestratorPacket, Process, Progress, WorkerPacket
from tests.replicas import (
    BRISK,
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
    key_of,
    kinds,
    published,
    silent,
)

PATIENT = replace(BRISK, lease=60.0, offer_expires=60.0, heartbeat=20.0)
"""Nothing runs out of time by itself."""
STUBBORN = (
    "template: stubborn\nstages: {only: {action: work, with: {value: '${input.value}'},"
    " retry: {max: 10, backoff: 1ms..1ms}}}\n"
)


async def run(replica: Replica, database: Database, source: str = SINGLE, **fields: Any) -> str:
    template = await published(database, source)
    return (await replica.commands.execute(a_request(template, **fields))).execution_id


def dying_on(kind: type[OrchestratorPacket], *, saying: Callable[[Any], WorkerPacket] | None = None) -> Any:
    """A script of a worker that is killed by such a packet, after it has said a last word."""

    def script(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, kind):
            if saying is not None:
                worker.say(saying(packet))
            asyncio.get_running_loop().call_soon(worker.leave)
        else:
            accepting(worker, packet)

    return script


async def test_a_worker_killed_before_it_accepts_costs_no_attempt(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        first = await ScriptedWorker(replica, dying_on(Offer), "a").join()
        execution_id = await run(replica, database)
        await first.got(Offer)
        await ScriptedWorker(replica, honest, "b").join()
        execution = await final(replica, execution_id)
        packets = await replica.executions.packets(CLIENT, execution_id)

    stage = execution.stages["only"]
    assert (stage.worker_id, stage.attempt, stage.losses) == ("b", 1, ())
    assert kinds(packets) == ["offer", "offer", "accept", "process", "result", "ack"]


async def test_a_worker_killed_at_work_costs_an_attempt_and_is_told_of(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        first = await ScriptedWorker(replica, dying_on(Process), "a").join()
        execution_id = await run(replica, database)
        await first.got(Process)
        await ScriptedWorker(replica, honest, "b").join()
        execution = await final(replica, execution_id)

    stage = execution.stages["only"]
    assert (execution.status, stage.worker_id, stage.attempt) == (ExecutionStatus.COMPLETED, "b", 2)
    assert [loss.worker_id for loss in stage.losses] == ["a"]


async def test_a_worker_killed_after_its_result_has_it_committed_and_its_next_life_gets_the_same_ack(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        worker = ScriptedWorker(replica, dying_on(Process, saying=lambda packet: completed(packet, {"value": 7})))
        execution_id = await run(replica, database)
        await worker.join()
        execution = await final(replica, execution_id)
        process = await worker.got(Process)
        await worker.join(instance_id="life_2")
        worker.say(completed(process, {"value": 7}))
        ack = await worker.got(Ack)

    assert (execution.result, execution.stages["only"].attempt) == ({"only": {"value": 7}}, 1)
    assert (ack.fence, ack.status) == (process.fence, "committed")


async def test_behind_a_half_open_connection_the_lease_decides_and_the_late_result_changes_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path) as replica:
        zombie = await ScriptedWorker(replica, accepting, "a").join()
        execution_id = await run(replica, database)
        process = await zombie.got(Process)
        await ScriptedWorker(replica, honest, "b").join()
        execution = await final(replica, execution_id)
        zombie.say(completed(process, {"value": -1}))
        ack = await zombie.got(Ack)
        [document] = [each for each in await replica.workers.list() if each["workerId"] == "a"]

    assert (execution.result, execution.stages["only"].worker_id) == ({"only": {"value": 2}}, "b")
    assert ack.status == "stale"
    assert document["standing"] == {"demerit": 0, "offences": {}}


async def test_a_stage_that_kills_every_worker_is_given_up_as_poison_and_no_worker_is_blamed(
    database: Database, tmp_path: Path
) -> None:
    def killed_by_it(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        offers = {offer.fence: offer for offer in worker.received if isinstance(offer, Offer)}
        if isinstance(packet, Process) and offers[packet.fence].input_data == {"value": "poison"}:
            asyncio.get_running_loop().call_soon(worker.leave)
        else:
            honest(worker, packet)

    async with a_replica(database, tmp_path) as replica:
        workers = [await ScriptedWorker(replica, killed_by_it, name).join() for name in "abcd"]
        poisoned = await final(replica, await run(replica, database, STUBBORN, given={"value": "poison"}))
        [spared] = [worker for worker in workers if not worker.offered()]
        for worker in workers:
            await worker.join(instance_id="life_2")
        ended = [await final(replica, await run(replica, database)) for _ in range(4)]
        standings = [document["standing"] for document in await replica.workers.list()]

    stage = poisoned.stages["only"]
    assert (poisoned.status, stage.error and stage.error.code) == (ExecutionStatus.FAILED, "poison")
    assert {loss.worker_id for loss in stage.losses} == set("abcd") - {spared.worker_id}
    assert [execution.status for execution in ended] == [ExecutionStatus.COMPLETED] * 4
    assert standings == [{"demerit": 0, "offences": {}}] * 4


async def test_a_stage_that_is_lost_by_three_different_faults_is_no_poison(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path) as replica:
        cut_off, silent_one, killed = [ScriptedWorker(replica, accepting, name) for name in ("a", "b", "c")]
        execution_id = await run(replica, database, STUBBORN)
        await cut_off.join()
        await cut_off.got(Process)
        cut_off.leave()
        await silent_one.join()
        await silent_one.got(Process)
        await killed.join()
        await killed.got(Process)
        await cut_off.join()
        await killed.join(instance_id="life_2")
        await ScriptedWorker(replica, honest, "d").join()
        execution = await final(replica, execution_id)

    stage = execution.stages["only"]
    assert execution.status is ExecutionStatus.COMPLETED
    assert stage.worker_id == "d"
    assert {loss.worker_id for loss in stage.losses} >= set("abc")


async def test_a_worker_that_is_started_again_and_again_is_left_alone_for_a_while_and_then_asked(
    database: Database, tmp_path: Path
) -> None:
    pace = replace(PATIENT, refused_again=600.0, refused_longest=600.0)
    async with a_replica(database, tmp_path, pace=pace) as replica:
        worker = ScriptedWorker(replica, honest)
        for life in range(3):
            await worker.join(instance_id=f"life_{life}")
        execution_id = await run(replica, database)
        explained = await replica.outlook.explain(CLIENT, execution_id)
        known = replica.fleet.get("w")
        assert known is not None
        rest = known.facts.resting
        known.facts.resting = Refusal("restarting", "its time has come", replica.clock.monotonic())
        replica.dispatcher.unpark_all()
        execution = await final(replica, execution_id)

    [considered] = explained["stages"][0]["workers"]
    assert rest is not None
    assert (considered["code"], considered["reason"]) == (rest.code, rest.reason)
    assert rest.reason == "was started anew 2 times within a short while"
    assert execution.status is ExecutionStatus.COMPLETED


async def test_a_fleet_that_starts_at_once_gets_what_its_slots_hold_and_each_stage_once(
    database: Database, tmp_path: Path
) -> None:
    offers: dict[str, int] = {}

    def counting(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            offers[packet.stage_id] = offers.get(packet.stage_id, 0) + 1
        honest(worker, packet)

    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        waiting = [await run(replica, database) for _ in range(100)]
        fleet = [ScriptedWorker(replica, counting, f"w{number}", slots=1) for number in range(60)]
        await asyncio.gather(*(worker.join() for worker in fleet))
        ended = [await final(replica, execution_id) for execution_id in waiting]

    assert {execution.status for execution in ended} == {ExecutionStatus.COMPLETED}
    assert offers == {f"{execution_id}.only": 1 for execution_id in waiting}


async def test_who_finds_too_many_at_the_door_is_told_to_come_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "MOST_REGISTERING", 40)
    opened, at_once = asyncio.Event(), 0

    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        register = replica.registry.register

        async def slow(*arguments: Any) -> Any:
            nonlocal at_once
            at_once += 1
            await opened.wait()
            return await register(*arguments)

        monkeypatch.setattr(replica.registry, "register", slow)
        fleet = [ScriptedWorker(replica, silent, f"w{number}") for number in range(40)]
        joining = [asyncio.create_task(worker.join()) for worker in fleet]
        while at_once < home.REGISTERED_AT_ONCE:
            await asyncio.wait(joining, timeout=0)
        with pytest.raises(Crowded) as crowded:
            await ScriptedWorker(replica, silent, "late").join()
        let_in = at_once
        opened.set()
        await asyncio.gather(*joining)

    assert let_in == home.REGISTERED_AT_ONCE
    assert 1 <= crowded.value.retry_after <= 6


def under(fence: int, packet: Process) -> Process:
    return packet.model_copy(update={"fence": fence})


Lie = Callable[[Process, Process], WorkerPacket]
"""What a worker says that was told to begin the first attempt, while another works at the second."""

LIES: dict[str, tuple[str, Lie]] = {
    "another's result": ("anothers_attempt", lambda own, others: completed(others, {"value": -1})),
    "its fence for another's": (
        "anothers_attempt",
        lambda own, others: completed(under(own.fence, others), {"value": -1}),
    ),
    "another's accept": ("anothers_attempt", lambda own, others: Accept(**key_of(others))),
    "a fence that is none": (
        "unknown_fence",
        lambda own, others: completed(under(own.fence + 1_000, own), {"value": -1}),
    ),
    "progress that falls": ("progress_fell", lambda own, others: Progress(**key_of(own), progress=10)),
}


async def offended(replica: Replica, worker_id: str = "liar") -> dict[str, int]:
    """The worker's offences, once there is one."""
    async with asyncio.timeout(10):
        while True:
            [document] = [each for each in await replica.workers.list() if each["workerId"] == worker_id]
            standing = document["standing"]
            assert isinstance(standing, dict)
            if standing["offences"]:
                return dict(standing["offences"])


@pytest.mark.parametrize(("code", "lie"), LIES.values(), ids=LIES)
async def test_a_lie_is_noted_against_the_worker_and_harms_nobody(
    database: Database, tmp_path: Path, code: str, lie: Lie
) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        liar = await ScriptedWorker(replica, accepting, "liar", slots=1).join()
        first = await run(replica, database)
        own = await liar.got(Process)
        other = await ScriptedWorker(replica, accepting, "other", slots=1).join()
        second = await run(replica, database)
        others = await other.got(Process)
        liar.say(Progress(**key_of(own), progress=50))
        liar.say(lie(own, others))
        offences = await offended(replica)
        record = replica.dispatcher.engine.owned.get(first)
        assert record is not None
        shown = record.execution.stages["only"].progress
        other.say(completed(others, {"value": 2}))
        liar.say(completed(own, {"value": 2}))
        ended = [await final(replica, execution_id) for execution_id in (first, second)]

    assert offences == {code: 1}
    assert shown == 50
    assert [outcome_of(execution) for execution in ended] == [("liar", 1), ("other", 1)]


def outcome_of(execution: Execution) -> tuple[str | None, int]:
    stage = execution.stages["only"]
    assert execution.result == {"only": {"value": 2}}
    return stage.worker_id, stage.attempt


async def test_a_result_before_the_accept_is_refused_and_the_offer_stands(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        liar = await ScriptedWorker(replica, silent, "liar").join()
        execution_id = await run(replica, database)
        offer = await liar.got(Offer)
        liar.say(completed(offer, {"value": -1}))
        ack = await liar.got(Ack)
        liar.say(accept(offer))
        await liar.got(Process)
        liar.say(completed(offer, {"value": 2}))
        execution = await final(replica, execution_id)

        assert await offended(replica) == {"not_accepted": 1}
    assert ack.status == "stale"
    assert outcome_of(execution) == ("liar", 1)


async def test_a_second_result_that_differs_is_refused_and_the_first_one_stays(
    database: Database, tmp_path: Path
) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        liar = await ScriptedWorker(replica, accepting, "liar").join()
        execution_id = await run(replica, database, two_stages())
        process = await liar.got(Process)
        liar.say(completed(process, {"value": 2}), completed(process, {"value": -1}))
        offences = await offended(replica)
        liar.say(completed(await liar.got(Process, 2), {"value": 3}))
        execution = await final(replica, execution_id)

    assert offences == {"second_result": 1}
    assert execution.stages["one"].result == {"value": 2}


def two_stages() -> str:
    return "template: two\nstages: {one: {action: work}, two: {needs: [one], action: work}}\n"


async def test_a_report_that_is_a_lie_is_refused_with_its_code(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        liar = await ScriptedWorker(replica, accepting, "liar").join()
        execution_id = await run(replica, database)
        own = key_of(await liar.got(Process))
        await replica.reports.progress("liar", Progress(**own, progress=50))

        with pytest.raises(Dishonest, match="progress never falls"):
            await replica.reports.progress("liar", Progress(**own, progress=10))
        with pytest.raises(Dishonest, match="no offer was ever made under this fence"):
            await replica.reports.progress("liar", Progress(**own | {"fence": own["fence"] + 1}, progress=60))
        assert await replica.reports.progress("liar", Progress(**own, progress=60))
        assert await replica.reports.result("liar", completed(Process(**own, attempt=1), {"value": 2}))
        assert outcome_of(await final(replica, execution_id)) == ("liar", 1)


async def test_whoever_lied_is_asked_only_while_the_others_are_busy(database: Database, tmp_path: Path) -> None:
    async with a_replica(database, tmp_path, pace=PATIENT) as replica:
        liar = await ScriptedWorker(replica, accepting, "a-liar", slots=4).join()
        execution_id = await run(replica, database)
        own = await liar.got(Process)
        liar.say(completed(under(own.fence + 1_000, own), {"value": -1}), completed(own, {"value": 2}))
        await offended(replica, "a-liar")
        await final(replica, execution_id)
        upright = await ScriptedWorker(replica, accepting, "b-upright", slots=1).join()
        known = replica.fleet.get("b-upright")
        assert known is not None
        # As fast as the other one, and as empty.
        known.expect("work", 10)
        await run(replica, database)
        await upright.got(Offer)
        await run(replica, database)
        await liar.got(Offer, 2)

    assert (len(upright.offered()), len(liar.offered())) == (1, 2)
