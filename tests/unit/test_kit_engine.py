"""The engine alone: packets in, packets out, and no link between."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from protocol.packets import Result
from tests.contract.orchestrator_double import ack, offer, process
from workers.kit import ActionError, Context, Worker
from workers.kit.engine import Engine
from workers.kit.seams import Seams
from workers.kit.stage_folders import StageFolders
from workers.kit.timing import Timing

worker = Worker("tester", slots=100)
contexts: list["weakref.ref[Context]"] = []


@worker.action("echo")
async def echo(given: Any, context: Context) -> Any:
    contexts.append(weakref.ref(context))
    return given


@worker.action("plain")
def plain(given: Any, context: Context) -> Any:
    contexts.append(weakref.ref(context))
    return given


@worker.action("fail")
async def fail(given: Any, context: Context) -> None:
    contexts.append(weakref.ref(context))
    raise ActionError("told_to", "as it was told")


@worker.action("crash")
async def crash(given: Any, context: Context) -> None:
    contexts.append(weakref.ref(context))
    raise ValueError("a mistake of the author's")


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def an_engine(folder: Path) -> Engine:
    engine = Engine(
        "worker-1", worker.slots, worker.actions, seams=Seams(), timing=Timing(), folders=StageFolders(folder)
    )
    engine.link_up()
    return engine


async def said(engine: Engine) -> list[dict[str, Any]]:
    """The packets of the next frame."""
    async with asyncio.timeout(10):
        packets: list[dict[str, Any]] = orjson.loads(await engine.outgoing.frame())
    return packets


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("action", ["echo", "plain", "fail", "crash"])
async def test_an_attempt_that_is_over_leaves_nothing_to_the_cyclic_collector(tmp_path: Path, action: str) -> None:
    contexts.clear()
    engine = an_engine(tmp_path)
    given = offer(action=action)

    with structlog.testing.capture_logs():
        for packet in (given, process(given)):
            engine.receive(packet)
            answered = await said(engine)
    engine.receive(ack(Result.model_validate(answered[0])))
    await engine.until_idle()

    assert [context() for context in contexts] == [None]


async def test_a_hundred_starts_of_one_frame_are_answered_with_a_hundred_results_in_one(tmp_path: Path) -> None:
    engine = an_engine(tmp_path)
    offers = [offer(f"stage-{number}", given=number) for number in range(100)]

    for given in offers:
        engine.receive(given)
    accepts = await said(engine)
    for given in offers:
        engine.receive(process(given))
    results = await said(engine)

    assert [(packet["type"], packet["stageId"]) for packet in accepts] == [
        ("accept", given.stage_id) for given in offers
    ]
    assert [packet["result"] for packet in results] == list(range(100))
