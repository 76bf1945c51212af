"""What a long attempt has of its worker: a folder that outlives it, its deadline, and word of a drain in time."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.packets import Failure, Progress, Reject, Result
from tests.contract.orchestrator_double import (
    QUICK,
    OrchestratorDouble,
    ack,
    cancel,
    offer,
    process,
    serving,
    settings_for,
)
from workers.kit import ActionError, Context, Worker, Yield
from workers.kit.service import Service

FORGETFUL = replace(QUICK, folder_kept_s=0)
FINAL, AGAIN = ActionError("broken", "for good"), ActionError("flaky", "for now", retryable=True)


def counter(end: Callable[[Context], None] = lambda context: None) -> Worker:
    """Counts the attempts of a stage in its folder, then ends as it is told."""
    worker = Worker("counter", slots=2)

    @worker.action("count")
    async def count(given: Any, context: Context) -> int:
        checkpoint = context.folder / "count"
        counted = int(checkpoint.read_text()) + 1 if checkpoint.exists() else 1
        checkpoint.write_text(str(counted))
        end(context)
        return counted

    return worker


def raises(error: Exception) -> Callable[[Context], None]:
    def end(context: Context) -> None:
        raise error

    return end


def folders(data_dir: Path) -> list[Path]:
    return list((data_dir / "workers/worker-1/stages").glob("*"))


async def left(data_dir: Path) -> list[Path]:
    """The folders that are there once a worker has ended and all that it was about to delete is deleted."""
    await asyncio.get_running_loop().shutdown_default_executor()
    return folders(data_dir)


async def test_the_next_attempt_finds_what_the_one_before_left_also_after_a_restart(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double:
        for fence in (1, 2):
            async with serving(double, counter(raises(AGAIN)), data_dir=tmp_path):
                await double.linked(fence)
                await double.result_of(offer(action="count", attempt=fence, fence=fence))
        async with serving(double, counter(), data_dir=tmp_path):
            await double.linked(3)

            assert (await double.result_of(offer(action="count", attempt=3, fence=3))).result == 3


async def test_stages_do_not_share_a_folder() -> None:
    async with OrchestratorDouble() as double, serving(double, counter()):
        await double.linked()
        results = [await double.result_of(offer(stage, "count")) for stage in ("one", "two")]

    assert [result.result for result in results] == [1, 1]


@pytest.mark.parametrize("end", [lambda context: None, raises(FINAL)], ids=["completed", "failed for good"])
async def test_the_folder_of_a_stage_that_is_over_is_deleted(tmp_path: Path, end: Callable[[Context], None]) -> None:
    async with OrchestratorDouble() as double, serving(double, counter(end), data_dir=tmp_path) as service:
        double.acks = False
        await double.linked()
        result = await double.result_of(offer(action="count"))
        assert len(folders(tmp_path)) == 1

        await double.send(ack(result))
        await service.engine.until_flushed()

    assert await left(tmp_path) == []


async def test_the_folder_of_a_stage_that_may_go_on_is_kept(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double, serving(double, counter(raises(AGAIN)), data_dir=tmp_path) as service:
        await double.linked()
        await double.result_of(offer("flaky", "count"))
        await service.engine.until_flushed()

    assert len(await left(tmp_path)) == 1


async def test_a_result_that_is_refused_as_stale_leaves_the_folder_to_the_attempt_that_rules(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double, serving(double, counter(), data_dir=tmp_path) as service:
        double.acks = False
        await double.linked()
        await double.send(ack(await double.result_of(offer(action="count")), "stale"))
        await service.engine.until_flushed()

    assert len(await left(tmp_path)) == 1


async def test_the_folder_of_a_cancelled_stage_is_deleted_and_that_of_one_that_timed_out_kept(tmp_path: Path) -> None:
    entered = asyncio.Semaphore(0)
    waiter = Worker("waiter", slots=2)

    @waiter.action("wait")
    async def wait(given: Any, context: Context) -> None:
        context.folder.joinpath("stage").write_text(context.stage_id)
        entered.release()
        await asyncio.Event().wait()

    async with OrchestratorDouble() as double, serving(double, waiter, data_dir=tmp_path) as service:
        double.acks = False
        await double.linked()
        offers = {stage: offer(stage, "wait") for stage in ("unwanted", "slow")}
        for given in offers.values():
            await double.started(given)
            await entered.acquire()
        await double.send(cancel(offers["unwanted"]), cancel(offers["slow"], "timeout"))
        await double.send(*[ack(await double.next(Result, stage), "stale") for stage in offers])
        await service.engine.until_flushed()

    assert [(folder / "stage").read_text() for folder in await left(tmp_path)] == ["slow"]


async def test_folders_that_nobody_came_back_for_are_deleted_at_the_start(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double:
        async with serving(double, counter(raises(AGAIN)), data_dir=tmp_path):
            await double.linked()
            await double.result_of(offer(action="count"))
        assert len(folders(tmp_path)) == 1
        async with serving(double, counter(), data_dir=tmp_path, timing=FORGETFUL) as service:
            await service.engine.forget_old_folders(FORGETFUL.folder_kept_s)

    assert folders(tmp_path) == []


async def test_the_time_that_the_stage_has_left_is_told_from_the_start_of_its_attempt() -> None:
    teller = Worker("teller")

    @teller.action("tell")
    async def tell(given: Any, context: Context) -> float | None:
        return context.deadline

    async with OrchestratorDouble() as double, serving(double, teller):
        await double.linked()
        unlimited = await double.result_of(offer("unlimited", "tell"))
        limited = await double.result_of(offer("limited", "tell", resource_requirements={"timeoutMs": 3_600_000}))
        ended = await double.result_of(offer("ended", "tell", resource_requirements={"timeoutMs": 0}))

    assert (unlimited.result, ended.result) == (None, 0.0)
    assert 3_500 < limited.result <= 3_600


@asynccontextmanager
async def draining(worker: Worker, double: OrchestratorDouble) -> Any:
    """A worker that `run`s to the end of its drain."""
    async with Service(worker, settings_for(double, worker)) as service:
        working = asyncio.create_task(service.run())
        await double.linked()
        yield service
        await working


async def test_a_long_attempt_hears_of_a_drain_and_gives_itself_back() -> None:
    patient = Worker("patient")

    @patient.action("wait")
    def wait(given: Any, context: Context) -> None:
        context.progress(10)
        if context.draining.wait(60):
            raise Yield("stopped after step 3")

    async with OrchestratorDouble() as double, draining(patient, double) as service:
        await double.started(offer(action="wait"))
        await double.next(Progress)
        service.engine.drain()
        result = await double.next(Result)

    assert result.status == "failed"
    assert result.error == Failure(code="worker_stopped", message="stopped after step 3", retryable=True)


async def test_to_yield_without_a_drain_is_a_failure_as_any_other_that_another_attempt_may_survive() -> None:
    async with OrchestratorDouble() as double, serving(double, counter(raises(Yield("no more memory")))):
        await double.linked()
        result = await double.result_of(offer(action="count"))

    assert result.error == Failure(code="yielded", message="no more memory", retryable=True)


async def test_an_attempt_that_blocks_the_event_loop_hears_of_a_drain_from_another_thread() -> None:
    blocker = Worker("blocker")
    entered = threading.Event()

    @blocker.action("block")
    async def block(given: Any, context: Context) -> bool:
        entered.set()
        return context.draining.wait(60)

    async def run_worker() -> None:
        async with Service(blocker, settings_for(double, blocker)) as service:
            engines.append(service.engine)
            await service.run()

    engines: list[Any] = []
    async with OrchestratorDouble() as double:
        # A loop of its own: the one that the handler blocks must not be this one.
        working = asyncio.create_task(asyncio.to_thread(asyncio.run, run_worker()))
        await double.linked()
        await double.started(offer(action="block"))
        await asyncio.to_thread(entered.wait)

        engines[0].drain_soon()

        assert (await double.next(Result)).result is True
        await working


async def test_a_stage_is_not_begun_again_here_while_a_thread_that_ignores_its_cancel_is_still_at_it() -> None:
    entered, released = threading.Semaphore(0), threading.Event()
    stubborn = Worker("stubborn", slots=2)

    @stubborn.action("ignore")
    def ignore(given: Any) -> None:
        entered.release()
        released.wait(60)

    async with OrchestratorDouble() as double, serving(double, stubborn) as service:
        await double.linked()
        first, second = offer(action="ignore"), offer(action="ignore", attempt=2, fence=2)
        await double.started(first)
        await asyncio.to_thread(entered.acquire)
        await double.send(cancel(first, "timeout"))
        refused = await double.rejected(second)
        elsewhere = await double.accepted(offer("another-stage", "ignore"))

        released.set()
        assert (await double.next(Result)).status == "cancelled"
        await double.accepted(offer(action="ignore", attempt=2, fence=3))

        assert isinstance(refused, Reject)
        assert (refused.code.value, refused.retry_after_ms) == ("policy", 1_000)
        assert refused.reason == "an earlier attempt of this stage has not ended here yet"
        assert elsewhere.stage_id == "another-stage"
        await double.send(process(offer("another-stage", "ignore")))
        await double.next(Result)
        assert service.engine.attempts.free(service.engine.now()) == 1
