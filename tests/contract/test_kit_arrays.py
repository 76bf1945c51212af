"""A worker of the kit that is served by HTTP: arrays of packets both ways, and what becomes of those that go astray."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from protocol.codec import encode_frame
from protocol.packets import AttemptKey, Packet, Progress, Result
from tests.contract.gate import Gate
from tests.contract.orchestrator_double import Http, OrchestratorDouble, ack, cancel, offer, process, serving
from workers.kit import Context, Worker
from workers.kit.service import Service

OFFERED = {"executionId": "execution", "stageId": "stage", "fence": 1}


def worker_at(gate: Gate) -> Worker:
    worker = Worker("in-arrays", version="1", slots=3)

    @worker.action("echo")
    async def echo(given: Any) -> Any:
        return given

    @worker.action("wait")
    async def wait(given: Any, context: Context) -> int:
        gate.runs += 1
        await context.progress(30)
        gate.entered.set()
        await gate.opened.wait()
        return gate.runs

    return worker


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def double() -> AsyncIterator[OrchestratorDouble]:
    async with OrchestratorDouble() as double:
        yield double


@pytest.fixture
async def service(double: OrchestratorDouble, gate: Gate) -> AsyncIterator[Service]:
    async with serving(double, worker_at(gate), transport="http", port=0) as service:
        await double.until(lambda: len(double.registrations) == 1)
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession() as session:
        yield Http(session, service)


async def said(http: Http, *packets: Packet) -> list[dict[str, Any]]:
    """What the worker answers to an array."""
    status, answer = await http.post("/api/packets", encode_frame(packets))
    assert status == 200
    packets_of: list[dict[str, Any]] = answer
    return packets_of


def kinds(packets: Sequence[dict[str, Any]]) -> list[str]:
    return [packet["type"] for packet in packets]


async def test_a_worker_that_is_served_by_http_says_that_it_takes_arrays_and_one_that_dials_does_not(
    double: OrchestratorDouble, service: Service, gate: Gate
) -> None:
    async with serving(double, worker_at(gate), worker_id="worker-2", port=0):
        await double.until(lambda: len(double.registrations) == 2)

    assert [registration.packet_arrays for registration in double.registrations] == [True, False]


async def test_offers_are_answered_in_the_answer_and_so_are_attempts_that_end_at_once(
    double: OrchestratorDouble, http: Http
) -> None:
    first, second, unknown = offer(given="a"), offer("other", given="b"), offer("third", "shout")
    answered = await said(http, first, second, unknown)
    ended = await said(http, process(first), process(second))

    assert kinds(answered) == ["accept", "accept", "reject"]
    assert [(packet["stageId"], packet["result"]) for packet in ended] == [("stage", "a"), ("other", "b")]
    assert double.frames == []


async def test_what_ends_later_is_posted_and_forgotten_when_it_is_acked(
    double: OrchestratorDouble, service: Service, http: Http, gate: Gate
) -> None:
    given = offer(action="wait")
    await said(http, given)
    begun = await said(http, process(given))
    await gate.entered.wait()
    gate.opened.set()
    result = await double.next(Result)
    await service.engine.until_flushed()

    assert (result.status, result.result) == ("completed", 1)
    assert [Progress.model_validate(packet).progress for packet in begun] == [30]
    assert list(service.engine.attempts.held()) == []


async def test_a_result_without_an_ack_is_posted_again_until_one_comes(
    double: OrchestratorDouble, service: Service, http: Http
) -> None:
    double.acks = False
    given = offer()
    await said(http, given)
    [first] = await said(http, process(given))
    again = await double.next(Result)
    await said(http, ack(again))
    await service.engine.until_flushed()

    assert again.document() == first
    assert list(service.engine.attempts.held()) == []


@pytest.mark.parametrize("status", [404, 500])
async def test_an_orchestrator_that_takes_no_array_is_registered_with_again_and_hears_the_result(
    double: OrchestratorDouble, http: Http, gate: Gate, status: int
) -> None:
    double.array_status = status
    given = offer(action="wait")
    await said(http, given)
    await said(http, process(given))
    await gate.entered.wait()
    gate.opened.set()
    await double.until(lambda: len(double.registrations) >= 2)
    double.array_status = 200
    result = await double.next(Result)

    assert (result.result, gate.runs) == (1, 1)
    assert double.registrations[1].running == (AttemptKey.model_validate({**OFFERED, "attempt": 1}),)


async def test_a_repeated_array_is_answered_as_before_and_runs_nothing_twice(http: Http, gate: Gate) -> None:
    given = offer(action="wait")
    assert await said(http, given) == await said(http, given)
    await said(http, process(given))
    await gate.entered.wait()
    repeated = await said(http, process(given))

    assert (repeated, gate.runs) == ([], 1)


async def test_a_bad_packet_is_passed_over_and_the_others_are_answered(http: Http) -> None:
    good = encode_frame([offer()]).decode()[1:-1]
    status, answer = await http.post("/api/packets", f'[{{"type":"offer","fence":0}},{good}]'.encode())

    assert (status, kinds(answer)) == (200, ["accept"])


@pytest.mark.parametrize("body", [b"{}", b"[NaN]", b""])
async def test_what_is_no_array_of_packets_is_refused(http: Http, body: bytes) -> None:
    status, answer = await http.post("/api/packets", body)

    assert status == 400
    assert answer["error"]["code"] in ("malformed_json", "malformed_packet")


async def test_a_cancelled_attempt_says_that_it_has_stopped(double: OrchestratorDouble, http: Http, gate: Gate) -> None:
    given = offer(action="wait")
    await said(http, given)
    await said(http, process(given))
    await gate.entered.wait()
    answered = await said(http, cancel(given))
    status = answered[0]["status"] if answered else (await double.next(Result)).status

    assert status == "cancelled"


async def test_a_process_of_which_nothing_is_known_is_rejected(http: Http) -> None:
    [answer] = await said(http, process(offer()))

    assert (answer["type"], answer["code"]) == ("reject", "busy")


async def test_what_is_held_is_told_to_whoever_asks(http: Http, gate: Gate) -> None:
    given = offer(action="wait")
    await said(http, given)
    await said(http, process(given))
    await gate.entered.wait()
    status, answer = await http.get("/api/held")

    assert (status, [key_of(attempt) for attempt in answer["attempts"]]) == (200, [OFFERED])


def key_of(attempt: dict[str, Any]) -> dict[str, Any]:
    return {name: attempt[name] for name in OFFERED}


async def test_arrays_are_for_who_bears_the_secret_and_for_workers_that_are_called(
    double: OrchestratorDouble, http: Http, gate: Gate
) -> None:
    status, _ = await http.post("/api/packets", [], Authorization="Bearer wrong")
    async with (
        serving(double, worker_at(gate), worker_id="worker-2", port=0) as dialling,
        aiohttp.ClientSession() as session,
    ):
        there, _ = await Http(session, dialling).post("/api/packets", [])

    assert (status, there) == (401, 404)
