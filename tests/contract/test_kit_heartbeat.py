"""Heartbeats: they go on while the event loop cannot, they tell the truth, and their answers are obeyed."""

import asyncio
import threading
from typing import Any

from protocol.packets import Heartbeat, Result
from tests.contract.orchestrator_double import OrchestratorDouble, ack, key_of, offer, serving, settings_for
from workers.kit import Context, Worker
from workers.kit.service import Service


def waiter(entered: asyncio.Event, opened: asyncio.Event) -> Worker:
    worker = Worker("waiter", slots=4)

    @worker.action("wait")
    async def wait(given: Any) -> None:
        entered.set()
        await opened.wait()

    return worker


async def test_a_handler_that_blocks_the_event_loop_does_not_silence_the_worker() -> None:
    release = threading.Event()
    blocker = Worker("blocker", slots=2)

    @blocker.action("block")
    async def block(given: Any) -> str:
        return "released" if release.wait(10) else "timed out"

    async def run_worker() -> None:
        async with Service(blocker, settings_for(double, blocker)) as service:
            stop.append(service.engine.drain)
            loops.append(asyncio.get_running_loop())
            await service.run()

    stop: list[Any] = []
    loops: list[asyncio.AbstractEventLoop] = []
    async with OrchestratorDouble() as double:
        double.heartbeat_interval_ms = 5
        # A loop of its own: the one that the handler blocks must not be this one.
        working = asyncio.create_task(asyncio.to_thread(asyncio.run, run_worker()))
        await double.linked()
        given = offer(action="block")
        await double.started(given)

        await double.until(lambda: sum(beat.running == (key_of(given),) for beat in double.heartbeats) >= 3)
        release.set()

        assert (await double.next(Result)).result == "released"
        loops[0].call_soon_threadsafe(stop[0])
        await working


async def test_a_heartbeat_lists_an_attempt_from_its_start_until_its_result_is_acked() -> None:
    entered, opened = asyncio.Event(), asyncio.Event()
    async with OrchestratorDouble() as double, serving(double, waiter(entered, opened)):
        double.heartbeat_interval_ms = 5
        double.acks = False
        await double.linked()
        given = offer(action="wait")
        await double.accepted(offer("reserved", "wait"))
        await double.started(given)
        await entered.wait()

        busy = Heartbeat(load=0.5, free_slots=2, running=(key_of(given),))
        ended = Heartbeat(load=0.25, free_slots=3, running=(key_of(given),))
        idle = Heartbeat(load=0.25, free_slots=3, running=())
        await double.until(lambda: busy in double.heartbeats)
        opened.set()
        result = await double.next(Result)
        await double.until(lambda: double.heartbeats[-1] == ended)
        await double.send(ack(result))
        await double.until(lambda: double.heartbeats[-1] == idle)


async def test_an_attempt_that_its_heartbeat_is_told_to_stop_is_stopped_without_a_result() -> None:
    entered = asyncio.Event()
    async with OrchestratorDouble() as double, serving(double, waiter(entered, asyncio.Event())) as service:
        await double.linked()
        given = offer(action="wait")
        await double.started(given)
        await entered.wait()

        stop = {"directive": "stop", "executionId": "execution", "stageId": "stage", "fence": 1}
        double.directives = [{**stop, "fence": 2}, stop]
        double.heartbeat_interval_ms = 5
        await double.drop_link()
        await service.engine.until_idle()

        assert list(service.engine.attempts.held()) == []


async def test_an_orchestrator_that_does_not_know_the_worker_is_registered_with_again() -> None:
    async with OrchestratorDouble() as double:
        double.heartbeat_interval_ms = 5
        double.heartbeat_status = 404
        async with serving(double, waiter(asyncio.Event(), asyncio.Event())):
            await double.linked(times=2)

    first, again = double.registrations[:2]
    assert first == again


async def test_a_heartbeat_that_fails_is_followed_by_the_next() -> None:
    async with OrchestratorDouble() as double:
        double.heartbeat_interval_ms = 5
        double.heartbeat_status = 500
        async with serving(double, waiter(asyncio.Event(), asyncio.Event())):
            await double.until(lambda: len(double.heartbeats) >= 3)
            assert double.links == 1


async def test_a_worker_that_is_called_over_http_registers_its_url_beats_and_dials_nothing() -> None:
    async with OrchestratorDouble() as double:
        double.heartbeat_interval_ms = 5
        worker = waiter(asyncio.Event(), asyncio.Event())
        async with serving(double, worker, transport="http", port=0) as service:
            await double.until(lambda: len(double.heartbeats) >= 1)

            assert double.registrations[0].url == f"http://127.0.0.1:{service.port}"
            assert double.links == 0


async def test_a_slot_whose_offer_expired_unseen_is_reported_as_free() -> None:
    quick = Worker("quick", slots=1)

    @quick.action("work")
    def work(given: Any, context: Context) -> None: ...

    async with OrchestratorDouble() as double, serving(double, quick) as service:
        double.heartbeat_interval_ms = 5
        await double.linked()
        await double.accepted(offer(action="work", offer_expires_ms=0))

        later = service.engine.now() + 1.5
        assert service.engine.attempts.heartbeat(later, draining=False).free_slots == 1
