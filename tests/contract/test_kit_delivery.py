"""Results reach the orchestrator: again and again until it has acked them, over broken links and dead processes."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from protocol.packets import Accept, AttemptKey, Result
from tests.contract.orchestrator_double import (
    PATIENT,
    QUICK,
    SECRET,
    OrchestratorDouble,
    ack,
    cancel,
    key_of,
    offer,
    process,
    result_files,
    serving,
)
from workers.kit import Worker
from workers.kit.service import Settings

FILING = replace(QUICK, file_after_s=0)

worker = Worker("tester", slots=4)


@worker.action("echo")
async def echo(given: Any) -> Any:
    return given


async def test_a_result_is_sent_again_until_it_is_acked_and_then_no_more() -> None:
    async with OrchestratorDouble() as double, serving(double, worker) as service:
        double.acks = False
        await double.linked()
        result = await double.result_of(offer(given="dear"))

        assert [await double.next(Result) for _ in range(3)] == [result] * 3
        await double.send(ack(result))
        await service.engine.until_flushed()

        await double.accepted(offer("after"))
        double.packets.clear()
        service.engine.resend_due()
        await double.accepted(offer("long-after"))
        assert double.packets == []


async def test_an_ack_that_calls_the_result_stale_settles_it_too() -> None:
    async with OrchestratorDouble() as double, serving(double, worker) as service:
        double.acks = False
        await double.linked()
        await double.send(ack(await double.result_of(offer()), "stale"))

        await service.engine.until_flushed()

        assert list(service.engine.attempts.held()) == []


async def test_a_result_that_ends_while_the_link_is_down_is_sent_once_when_it_is_up_again() -> None:
    entered, opened = asyncio.Event(), asyncio.Event()
    waiter = Worker("waiter")

    @waiter.action("wait")
    async def wait(given: Any) -> str:
        entered.set()
        await opened.wait()
        return "ended alone"

    async with OrchestratorDouble() as double, serving(double, waiter, timing=PATIENT) as service:
        await double.linked()
        given = offer(action="wait")
        await double.started(given)
        await entered.wait()
        double.refuse_registration = 503
        await double.drop_link()
        await double.until(lambda: double.refusals > 0)
        opened.set()
        await service.engine.until_idle()
        double.refuse_registration = None

        assert (await double.next(Result)).result == "ended alone"
        assert double.registrations[-1].running == (key_of(given),)
        await double.accepted(offer("after", "wait"))
        assert double.packets == []


async def test_a_result_waits_on_disk_until_it_is_acked(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double, serving(double, worker, data_dir=tmp_path, timing=FILING) as service:
        double.acks = False
        await double.linked()
        result = await double.result_of(offer(given="dear"))
        assert len(result_files(tmp_path)) == 1

        await double.send(ack(result))
        await service.engine.until_flushed()

    await asyncio.get_running_loop().shutdown_default_executor()
    assert result_files(tmp_path) == []


async def test_a_result_that_was_cheap_to_make_is_not_written_to_disk(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double, serving(double, worker, data_dir=tmp_path):
        double.acks = False
        await double.linked()
        await double.result_of(offer())

    assert result_files(tmp_path) == []


async def test_a_cancelled_result_is_not_written_to_disk(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double, serving(double, worker, data_dir=tmp_path, timing=FILING):
        double.acks = False
        await double.linked()
        given = offer()
        await double.send(given, process(given), cancel(given))

        assert (await double.next(Result)).status == "cancelled"

    assert result_files(tmp_path) == []


async def test_a_disk_that_cannot_be_written_to_delays_no_result(tmp_path: Path) -> None:
    (tmp_path / "workers/worker-1").mkdir(parents=True)
    (tmp_path / "workers/worker-1/results").write_text("a file where the folder should be")
    async with OrchestratorDouble() as double, serving(double, worker, data_dir=tmp_path, timing=FILING):
        await double.linked()

        assert (await double.result_of(offer(given="dear"))).result == "dear"


CHILD = """
import asyncio, sys
from pathlib import Path
from yarl import URL
from tests.contract.orchestrator_double import SECRET
from tests.contract.test_kit_delivery import FILING, worker
from workers.kit.service import Service, Settings

async def main():
    settings = Settings(
        URL(sys.argv[1]), SECRET, "worker-1", slots=4, data_dir=Path(sys.argv[2]), timing=FILING
    )
    async with Service(worker, settings) as service:
        await service.run()

asyncio.run(main())
"""


async def test_a_result_of_a_killed_worker_is_delivered_by_its_next_life(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double:
        double.acks = False
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, str(double.url), str(tmp_path), stderr=subprocess.DEVNULL
        )
        await double.linked()
        given = offer(given={"cost": "an hour of work"}, attempt=3, fence=8)
        result = await double.result_of(given)
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()
        double.packets.clear()

        async with serving(double, worker, data_dir=tmp_path) as service:
            assert await double.next(Result) == result
            await double.send(given, process(given))
            await double.next(Accept)
            assert await double.next(Result) == result
            await double.send(ack(result))
            await service.engine.until_flushed()

        first, second = double.registrations
        assert first.instance_id != second.instance_id
        assert second.running == (AttemptKey(execution_id="execution", stage_id="stage", attempt=3, fence=8),)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert result_files(tmp_path) == []


@pytest.mark.parametrize("content", [b"{", b"[]"])
async def test_a_corrupt_file_is_set_aside_and_the_worker_starts(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "workers/worker-1/results"
    folder.mkdir(parents=True)
    (folder / "spoilt.json").write_bytes(content)

    async with OrchestratorDouble() as double, serving(double, worker, data_dir=tmp_path):
        await double.linked()

        assert double.registrations[0].running == ()
    assert result_files(tmp_path) == ["spoilt.json.corrupt"]


def test_the_secret_is_in_no_representation_of_the_settings() -> None:
    assert SECRET not in repr(Settings(URL("http://x"), SECRET, "w", 1))
