"""A worker as a process of its own: how it starts, drains, and ends."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import RefusalCode
from protocol.packets import Drain, Failure, Progress, Result
from tests.contract.orchestrator_double import (
    QUICK,
    SECRET,
    OrchestratorDouble,
    offer,
    process,
    serving,
    settings_for,
)
from workers.echo import worker as echo
from workers.kit import Worker
from workers.kit.service import Service

ROOT = Path(__file__).parents[2]
KIT = ("-P", "-m", "workers.kit")
BLOCKING = """
import threading
from workers.kit import Worker

worker = Worker("blocker")

@worker.action("block")
async def block(given: dict, context) -> None:
    await context.progress(1)
    threading.Event().wait()

@worker.action("read")
def read(given: dict, context) -> str:
    context.progress(1)
    with open(given["path"]) as pipe:
        return pipe.read()
"""


@contextlib.asynccontextmanager
async def python(*arguments: str, cwd: Path, secret: str | None = SECRET) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process in a folder of its own; killed if the test leaves it running."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("WORKER_SECRET", None)
    if secret is not None:
        environment["WORKER_SECRET"] = secret
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_a_signal_lets_what_runs_finish_refuses_what_is_new_and_exits_with_0(tmp_path: Path) -> None:
    (tmp_path / "blocker.py").write_text(BLOCKING)
    os.mkfifo(tmp_path / "pipe")
    async with OrchestratorDouble() as double:
        double.heartbeat_interval_ms = 20
        async with python(*KIT, "blocker.py", "--orchestrator", str(double.url), cwd=tmp_path) as worker:
            await double.linked()
            await double.started(offer(action="read", given={"path": "pipe"}))
            await double.next(Progress)

            worker.send_signal(signal.SIGTERM)
            await double.until(lambda: any(beat.draining for beat in double.heartbeats))
            reject = await double.rejected(offer("late"))
            await asyncio.to_thread((tmp_path / "pipe").write_text, "written in the end")
            result = await double.next(Result)
            _, log = await worker.communicate()

    assert reject.code is RefusalCode.DRAINING
    assert result.result == "written in the end"
    assert worker.returncode == 0
    assert b"worker.drained" in log
    assert SECRET.encode() not in log


async def test_a_second_signal_ends_a_worker_whose_event_loop_is_blocked(tmp_path: Path) -> None:
    (tmp_path / "blocker.py").write_text(BLOCKING)
    async with OrchestratorDouble() as double:
        double.heartbeat_interval_ms = 20
        async with python(*KIT, "blocker.py", "--orchestrator", str(double.url), cwd=tmp_path) as worker:
            await double.linked()
            await double.started(offer(action="block"))
            await double.next(Progress)
            await double.until(lambda: bool(double.heartbeats and double.heartbeats[-1].running))
            seen = len(double.heartbeats)

            worker.send_signal(signal.SIGTERM)
            await double.until(lambda: len(double.heartbeats) >= seen + 2)
            worker.send_signal(signal.SIGTERM)

            assert await worker.wait() == 128 + signal.SIGTERM


async def test_a_script_may_run_the_worker_that_it_declares(tmp_path: Path) -> None:
    (tmp_path / "blocker.py").write_text(f"{BLOCKING}\nworker.main()\n")
    async with (
        OrchestratorDouble() as double,
        python("blocker.py", "--orchestrator", str(double.url), cwd=tmp_path) as worker,
    ):
        await double.linked()
        worker.send_signal(signal.SIGINT)

        assert await worker.wait() == 0
    assert double.registrations[0].display_name == "blocker"


async def test_a_worker_that_cannot_reach_its_orchestrator_says_so_and_goes_on_trying(tmp_path: Path) -> None:
    async with OrchestratorDouble() as double:
        url = str(double.url)
    async with python(*KIT, "workers.echo", "--orchestrator", url, cwd=tmp_path) as worker:
        assert worker.stderr is not None
        assert b"worker.unlinked" in await worker.stderr.readline()
        async with double:
            await double.linked()


@pytest.mark.parametrize(
    ("arguments", "secret", "message"),
    [
        (["no_such_module"], SECRET, "error: there is no module no_such_module; a file is named by its path"),
        (["workers.kit"], SECRET, "error: workers.kit has no worker in it"),
        (["workers.echo"], None, "error: no worker secret: set WORKER_SECRET or WORKER_SECRET_FILE"),
        (["workers.echo"], "wrong", "error: the worker secret is not accepted by"),
        (["workers.echo", "--transport", "http"], SECRET, "error: --transport http needs --port"),
    ],
)
async def test_an_error_of_the_operators_is_one_line_and_a_failed_exit(
    tmp_path: Path, arguments: list[str], secret: str | None, message: str
) -> None:
    async with (
        OrchestratorDouble() as double,
        python(*KIT, *arguments, "--orchestrator", str(double.url), cwd=tmp_path, secret=secret) as worker,
    ):
        _, errors = await worker.communicate()

    assert worker.returncode == 1
    assert errors.decode().startswith(message)
    assert errors.count(b"\n") == 1


async def test_two_processes_cannot_be_the_same_worker_on_one_data_directory(tmp_path: Path) -> None:
    async with (
        OrchestratorDouble() as double,
        serving(double, echo, data_dir=tmp_path / ".baton"),
        python(*KIT, "workers.echo", "--orchestrator", str(double.url), "--worker-id=worker-1", cwd=tmp_path) as second,
    ):
        _, errors = await second.communicate()

    assert second.returncode == 1
    assert errors.startswith(b"error: another process runs as worker-1 on ")


async def test_a_drain_packet_drains_the_worker() -> None:
    async with OrchestratorDouble() as double, Service(echo, settings_for(double, echo)) as service:
        working = asyncio.create_task(service.run())
        await double.linked()
        given = offer(given={"still": "started"})
        await double.accepted(given)

        await double.send(Drain())
        reject = await double.rejected(offer("late"))
        await double.send(process(given))

        assert reject.code is RefusalCode.DRAINING
        assert (await double.next(Result)).result == {"still": "started"}
        await working


async def test_a_drain_directive_in_a_heartbeats_answer_drains_the_worker() -> None:
    async with OrchestratorDouble() as double, Service(echo, settings_for(double, echo)) as service:
        double.heartbeat_interval_ms = 5
        double.directives = [{"directive": "drain"}]

        await service.run()

    assert service.engine.is_draining


async def test_what_outlasts_the_drain_is_cancelled_and_fails_as_retryable() -> None:
    hasty = replace(QUICK, drain_s=0.05)
    async with OrchestratorDouble() as double, Service(echo, settings_for(double, echo, timing=hasty)) as service:
        working = asyncio.create_task(service.run())
        await double.linked()
        await double.accepted(offer("never-started", "sleep", {"ms": 60_000}))
        await double.started(offer("slow", "sleep", {"ms": 60_000}))
        await double.next(Progress)

        service.engine.drain()
        await working

        result = await double.next(Result)
        message = "the worker was shut down before the attempt had ended"
        assert result.error == Failure(code="worker_stopped", message=message, retryable=True)
        assert double.packets == []


async def test_a_draining_worker_does_not_wait_for_ever_for_an_ack() -> None:
    hasty = replace(QUICK, flush_s=0.05)
    async with OrchestratorDouble() as double, Service(echo, settings_for(double, echo, timing=hasty)) as service:
        working = asyncio.create_task(service.run())
        double.acks = False
        await double.linked()
        await double.result_of(offer())

        service.engine.drain()
        await working

        assert len(service.engine.outbox) == 1


async def test_a_thread_that_ignores_its_cancel_does_not_keep_the_worker_from_ending() -> None:
    entered, released = threading.Event(), threading.Event()
    stubborn = Worker("stubborn")

    @stubborn.action("ignore")
    def ignore(given: Any) -> None:
        entered.set()
        released.wait(10)

    hasty = replace(QUICK, drain_s=0.01, stop_s=0.01)
    async with (
        OrchestratorDouble() as double,
        Service(stubborn, settings_for(double, stubborn, timing=hasty)) as service,
    ):
        working = asyncio.create_task(service.run())
        await double.linked()
        await double.started(offer(action="ignore"))
        await asyncio.to_thread(entered.wait)

        service.engine.drain()
        await working

        assert [attempt.key.stage_id for attempt in service.engine.attempts.live()] == ["stage"]
        released.set()
        await service.engine.until_idle()
