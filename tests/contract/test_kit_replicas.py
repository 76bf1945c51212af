"""A worker and several replicas of the orchestrator: it turns to another one when its own is gone, and goes on."""

import asyncio
from dataclasses import replace
from typing import Any

from protocol.packets import Result
from tests.contract.orchestrator_double import PATIENT, OrchestratorDouble, key_of, offer, serving
from workers.kit import Worker
from workers.kit.backoff import Backoff

TIMING = replace(PATIENT, reconnect=Backoff(0.01, 0.02))


def waiting(opened: asyncio.Event) -> Worker:
    worker = Worker("echo", slots=1)

    @worker.action("echo")
    async def echo(given: Any) -> Any:
        await opened.wait()
        return given

    return worker


async def test_what_runs_goes_on_when_the_orchestrator_is_gone_and_another_replica_is_told_of_it() -> None:
    opened, given = asyncio.Event(), offer(given={"n": 1})
    async with (
        OrchestratorDouble() as first,
        OrchestratorDouble() as second,
        serving(first, waiting(opened), others=(second.url,), timing=TIMING),
    ):
        await first.linked()
        await first.started(given)
        first.refuse_registration = 503
        await first.drop_link()
        await second.linked()
        opened.set()
        result = await second.next(Result)

    assert second.registrations[0].instance_id == first.registrations[0].instance_id
    assert second.registrations[0].running == (key_of(given),)
    assert (result.fence, result.result) == (given.fence, {"n": 1})


async def test_a_replica_that_the_orchestrator_tells_of_is_turned_to_as_well() -> None:
    async with OrchestratorDouble() as first, OrchestratorDouble() as second:
        first.orchestrators = [str(first.url), str(second.url)]
        async with serving(first, waiting(asyncio.Event()), timing=TIMING):
            await first.linked()
            first.refuse_registration = 503
            await first.drop_link()
            await second.linked()

    assert len(second.registrations) == 1


async def test_an_orchestrator_that_answers_no_heartbeat_is_left_for_another() -> None:
    async with OrchestratorDouble() as first, OrchestratorDouble() as second:
        first.heartbeat_interval_ms = 10
        first.heartbeat_status = 500
        async with serving(first, waiting(asyncio.Event()), others=(second.url,), timing=TIMING):
            await second.linked()

    assert len(second.registrations) >= 1


async def test_the_only_orchestrator_is_not_left_for_being_silent() -> None:
    async with OrchestratorDouble() as only:
        only.heartbeat_interval_ms = 10
        only.heartbeat_status = 500
        async with serving(only, waiting(asyncio.Event()), timing=TIMING):
            await only.until(lambda: len(only.heartbeats) >= 5)

    assert len(only.registrations) == 1
