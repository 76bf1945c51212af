"""Arrays of packets over plain HTTP, with a worker of which nothing is Baton's: the handshake, and everything that may
go wrong with an array on its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from orchestrator.core.events import CancelRequested
from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import Database
from protocol.packets import Registration
from tests.integration.array_worker import ArrayWorker, Packet, Says, accept, accepting, at_once, completed, key_of
from tests.integration.http_api import WORKER, Api, serving
from tests.integration.system import until
from tests.integration.test_http_on_replica import services_of
from tests.replicas import BRISK, CLIENT, SINGLE, a_replica, a_request, final, kinds, published

PACE = replace(BRISK, lease=15, offer_expires=10, cancel_grace=60)
CHAIN = "template: pair\nstages: {one: {action: work}, two: {needs: [one], action: work}}\n"
FAN = "template: fan\nstages: {a: {action: work}, b: {action: work}, c: {needs: [a, b], action: work}}\n"


def registration_at(url: str, slots: int = 4) -> Registration:
    return Registration(
        worker_id="arrays",
        url=url,
        packet_arrays=True,
        capabilities=("work",),
        max_concurrent_executions=slots,
        instance_id="life_1",
    )


@asynccontextmanager
async def at_work(
    database: Database, folder: Path, worker: ArrayWorker, slots: int = 4
) -> AsyncIterator[tuple[Replica, Api]]:
    """A replica with its HTTP API, and with this worker registered."""
    async with (
        TestServer(worker.application()) as server,
        a_replica(database, folder, pace=PACE) as replica,
        serving(services_of(replica, database)) as api,
    ):
        await replica.home.register(registration_at(str(server.make_url("/")), slots))
        try:
            yield replica, api
        finally:
            worker.open.set()


async def submitted(replica: Replica, database: Database, source: str = SINGLE) -> str:
    return (await replica.commands.execute(a_request(await published(database, source)))).execution_id


def all_slots_are_taken(replica: Replica) -> bool:
    known = replica.fleet.get("arrays")
    return known is not None and known.facts.free == 0


def attempts_of(execution: Execution) -> dict[str, int]:
    return {name: stage.attempt for name, stage in execution.stages.items()}


async def test_a_chain_runs_by_the_answers_to_arrays_alone(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker()
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await submitted(replica, database, CHAIN))
        packets = await replica.executions.packets(CLIENT, execution.execution_id)
        await worker.got("ack", 2)

    assert (execution.status, execution.result) == (ExecutionStatus.COMPLETED, {"two": {"done": True, "value": 1}})
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"] * 2
    assert {ack["status"] for ack in worker.sent("ack")} == {"committed"}


async def test_what_takes_longer_is_posted_and_acked(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database)
        process = await worker.got("process")
        progress = {"type": "progress", **key_of(process), "progress": 40}
        assert await worker.post(api.url, [progress]) == (200, [])
        status, acked = await worker.post(api.url, [completed(process)])
        execution = await final(replica, execution_id)
        if not acked:
            acked = [await worker.got("ack")]

    assert (status, execution.status, execution.stages["only"].progress) == (200, ExecutionStatus.COMPLETED, 100)
    assert acked == [{"type": "ack", **key_of(process), "status": "committed"}]


async def test_stages_of_one_execution_go_side_by_side(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database, FAN)
        await worker.got("process", 2)
        worker.says = at_once
        await worker.post(api.url, [completed(process) for process in worker.sent("process")])
        execution = await final(replica, execution_id)

    assert execution.status is ExecutionStatus.COMPLETED


async def test_what_gathers_while_an_array_is_on_its_way_goes_with_the_next(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker()
    worker.open.clear()
    async with at_work(database, tmp_path, worker) as (replica, _):
        first = await submitted(replica, database)
        await worker.got("offer")
        others = [await submitted(replica, database) for _ in range(3)]
        await until(lambda: all_slots_are_taken(replica), "all four have been offered")
        worker.open.set()
        executions = [await final(replica, execution_id) for execution_id in (first, *others)]

    assert [execution.status for execution in executions] == [ExecutionStatus.COMPLETED] * 4
    assert [[packet["type"] for packet in array] for array in worker.arrays[:1]] == [["offer"]]
    assert sum(packet["type"] == "offer" for packet in worker.arrays[1]) >= 2


class Cut:
    """Cuts the answer to the first array with a packet of the kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._is_done = False

    def __call__(self, packets: list[Packet]) -> bool:
        if self._is_done or all(packet["type"] != self._kind for packet in packets):
            return False
        self._is_done = True
        return True


async def test_an_offer_whose_answer_is_cut_is_withdrawn_and_made_anew_uncharged(
    database: Database, tmp_path: Path
) -> None:
    worker = ArrayWorker()
    worker.is_cut = Cut("offer")
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await submitted(replica, database))

    first, second = worker.sent("offer")
    assert (execution.status, attempts_of(execution)) == (ExecutionStatus.COMPLETED, {"only": 1})
    assert first["fence"] != second["fence"]
    assert worker.sent("cancel") == [{"type": "cancel", **key_of(first), "reason": "stale"}]


async def test_a_process_whose_answer_is_cut_is_sent_again_and_its_result_is_committed_once(
    database: Database, tmp_path: Path
) -> None:
    worker = ArrayWorker()
    worker.is_cut = Cut("process")
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await submitted(replica, database))
        packets = await replica.executions.packets(CLIENT, execution.execution_id)

    first, second = worker.sent("process")
    assert (execution.status, first) == (ExecutionStatus.COMPLETED, second)
    assert kinds(packets) == ["offer", "accept", "process", "result", "ack"]


async def test_an_array_that_comes_twice_is_answered_twice_and_counts_once(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database, FAN)
        await worker.got("process", 2)
        worker.says = at_once
        results = [completed(process) for process in worker.sent("process")]
        twice = await asyncio.gather(worker.post(api.url, results), worker.post(api.url, results))
        execution = await final(replica, execution_id)
        packets = await replica.executions.packets(CLIENT, execution_id)
        later = await worker.post(api.url, results)
        acks = [ack for _, answer in (*twice, later) for ack in answer]
        await worker.until(lambda: len(worker.sent("ack")) + len(acks) >= 7)

    assert execution.status is ExecutionStatus.COMPLETED
    assert kinds(packets).count("ack") == 3
    assert {ack["status"] for ack in (*acks, *worker.sent("ack"))} == {"committed"}


async def test_one_bad_packet_is_refused_by_its_place_and_the_others_count(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database)
        process = await worker.got("process")
        bad = {"type": "progress", **key_of(process), "progress": 400}
        status, answer = await worker.post(api.url, [bad, completed(process)])
        execution = await final(replica, execution_id)
        known = replica.fleet.get("arrays")

    assert (status, answer["error"]["code"], answer["packets"]) == (422, "malformed_packet", [])
    assert [detail["path"] for detail in answer["error"]["details"]] == ["0.progress.progress"]
    assert execution.status is ExecutionStatus.COMPLETED
    assert known is not None
    assert known.facts.standing.offences == {"malformed": 1}


async def test_a_bad_packet_in_a_workers_answer_spoils_no_other(database: Database, tmp_path: Path) -> None:
    def with_noise(worker: ArrayWorker, packets: list[Packet]) -> list[Packet]:
        return [{"type": "shout"}, *at_once(worker, packets)]

    worker = ArrayWorker(with_noise)
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution = await final(replica, await submitted(replica, database))
        known = replica.fleet.get("arrays")

    assert execution.status is ExecutionStatus.COMPLETED
    assert known is not None
    assert known.facts.standing.offences.keys() == {"malformed"}


@pytest.mark.parametrize(
    "body", [b"{}", b"[NaN]", b"", b"[" + b"{}," * 20 + b"{}]"], ids=["object", "NaN", "", "21 bad"]
)
async def test_what_is_no_array_of_packets_is_refused_whole(database: Database, tmp_path: Path, body: bytes) -> None:
    async with at_work(database, tmp_path, ArrayWorker()) as (_, api):
        answer = await api.post("/api/workers/arrays/packets", body, by=WORKER | {"X-Worker-ID": "arrays"})

    assert answer.status == 400
    assert answer.code in ("malformed_json", "malformed_packet")


async def test_a_stale_packet_is_answered_for_itself_and_the_others_count(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database)
        process = await worker.got("process")
        stale = {"type": "progress", **key_of(process), "fence": 1, "progress": 5}
        status, answer = await worker.post(api.url, [stale, completed(process)])
        execution = await final(replica, execution_id)

    assert (status, execution.status) == (200, ExecutionStatus.COMPLETED)
    assert answer == [{"type": "cancel", **key_of(stale), "reason": "stale"}]


async def test_a_cancel_reaches_the_worker_and_its_answer_settles_the_attempt(
    database: Database, tmp_path: Path
) -> None:
    def stopping(worker: ArrayWorker, packets: list[Packet]) -> list[Packet]:
        stopped = [packet for packet in packets if packet["type"] == "cancel"]
        return accepting(worker, packets) + [
            {"type": "result", **key_of(packet), "status": "cancelled"} for packet in stopped
        ]

    worker = ArrayWorker(stopping)
    async with at_work(database, tmp_path, worker) as (replica, _):
        execution_id = await submitted(replica, database)
        process = await worker.got("process")
        await replica.commands.command(CLIENT, execution_id, CancelRequested())
        execution = await final(replica, execution_id)

    assert execution.status is ExecutionStatus.CANCELLED
    assert worker.sent("cancel") == [{"type": "cancel", **key_of(process), "reason": "cancelled"}]


async def test_a_heartbeat_in_an_array_is_told_what_to_stop(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        await submitted(replica, database)
        process = await worker.got("process")
        unknown = {**key_of(process), "attempt": 1, "fence": 1}
        beat = {"type": "heartbeat", "running": [{**key_of(process), "attempt": 1}, unknown]}
        answer = await worker.post(api.url, [beat])

    assert answer == (200, [{"type": "cancel", **key_of(unknown), "reason": "stale"}])


async def test_a_worker_that_speaks_of_other_things_is_asked_about_its_attempts(
    database: Database, tmp_path: Path
) -> None:
    worker = ArrayWorker(accepting)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database)
        process = await worker.got("process")
        asked = worker.asked
        async with asyncio.timeout(20):
            while worker.asked < asked + 2:
                await worker.post(api.url, [])
        await worker.post(api.url, [completed(process)])
        execution = await final(replica, execution_id)

    assert (execution.status, attempts_of(execution)) == (ExecutionStatus.COMPLETED, {"only": 1})


async def test_who_does_not_take_arrays_here_is_sent_to_register(database: Database, tmp_path: Path) -> None:
    worker = ArrayWorker()
    async with a_replica(database, tmp_path, pace=PACE) as replica, serving(services_of(replica, database)) as api:
        unknown = await worker.post(api.url, [])
        dials = Registration(worker_id="arrays", capabilities=("work",), instance_id="life_1")
        await replica.home.register(dials)
        dialling = await worker.post(api.url, [])

    assert [(status, answer["error"]["code"]) for status, answer in (unknown, dialling)] == [
        (404, "unknown_worker")
    ] * 2


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "forgotten"])
async def test_a_successor_asks_what_is_held_and_offers_only_the_rest_again(
    database: Database, tmp_path: Path, is_held: bool
) -> None:
    worker = ArrayWorker(accepting)
    async with TestServer(worker.application()) as server:
        async with a_replica(database, tmp_path, pace=PACE) as first:
            await first.home.register(registration_at(str(server.make_url("/"))))
            execution_id = await submitted(first, database)
            process = await worker.got("process")
        worker.held = [{name: process[name] for name in ("executionId", "stageId", "attempt", "fence")}] * is_held
        worker.says = remembering if is_held else forgetful(process["fence"])
        async with a_replica(database, tmp_path, pace=PACE) as second, serving(services_of(second, database)):
            execution = await final(second, execution_id)

    assert (execution.status, attempts_of(execution)) == (ExecutionStatus.COMPLETED, {"only": 1})
    assert len(worker.sent("offer")) == (1 if is_held else 2)


def remembering(worker: ArrayWorker, packets: list[Packet]) -> list[Packet]:
    """Answers the repeated process of an attempt that has ended with its result."""
    return at_once(worker, packets)


def forgetful(fence: int) -> Says:
    """Knows nothing of the attempt with this fence."""

    def says(worker: ArrayWorker, packets: list[Packet]) -> list[Packet]:
        known = [packet for packet in packets if packet.get("fence") != fence]
        lost = [packet for packet in packets if packet["type"] == "process" and packet["fence"] == fence]
        return at_once(worker, known) + [{"type": "reject", **key_of(packet), "code": "busy"} for packet in lost]

    return says


async def test_a_late_accept_by_an_array_of_the_workers_own_is_as_good(database: Database, tmp_path: Path) -> None:
    def slow(worker: ArrayWorker, packets: list[Packet]) -> list[Packet]:
        return [answer for answer in at_once(worker, packets) if answer["type"] != "accept"]

    worker = ArrayWorker(slow)
    async with at_work(database, tmp_path, worker) as (replica, api):
        execution_id = await submitted(replica, database)
        await worker.post(api.url, [accept(await worker.got("offer"))])
        execution = await final(replica, execution_id)

    assert execution.status is ExecutionStatus.COMPLETED
