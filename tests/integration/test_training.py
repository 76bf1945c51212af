"""The training worker in the whole system: what it learns, what can be seen of it, what a kill or a cancel costs."""

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import kill
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from orchestrator.event_stream import Event, EventParser
from tests.integration.system import API_KEY, Baton, until

# On a loaded machine the compiling of a model's kernels alone may take half a minute.
pytestmark = pytest.mark.timeout(240)
PATIENCE_S = 150

EXAMPLE = orjson.loads((Path(__file__).parents[2] / "templates/examples/train_digits.json").read_bytes())
HEADERS = {"X-API-Key": API_KEY}
# Many steps of a small model: long enough to be watched, with a checkpoint every few seconds.
LONG = {"epochs": 1_000, "batchSize": 16, "modelConfig": {"layers": 1, "neurons": 8}, "threshold": 0.5}
CSV = "a,b,kind\n" + "".join(f"{row % 2},{row},{'odd' if row % 2 else 'even'}\n" for row in range(60))


@asynccontextmanager
async def watched(baton: Baton, execution_id: str) -> AsyncIterator[asyncio.Queue[Event | None]]:
    """The events of the execution as they come, and None after the last."""
    events: asyncio.Queue[Event | None] = asyncio.Queue()

    async def listen() -> None:
        parser = EventParser()
        async with (
            aiohttp.ClientSession(headers=HEADERS) as session,
            session.get(f"{baton.url}/api/executions/{execution_id}/events") as stream,
        ):
            async for chunk in stream.content.iter_any():
                for event in parser.feed(chunk):
                    events.put_nowait(event)
        events.put_nowait(None)

    listening = asyncio.create_task(listen())
    try:
        yield events
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def next_event(events: asyncio.Queue[Event | None], name: str) -> Any:
    """The value of the next event of this name."""
    async with asyncio.timeout(PATIENCE_S):
        while (event := await events.get()) is not None:
            if event.name == name:
                return event.data
    raise AssertionError(f"the stream ended without a {name}")


def shown_step(execution: dict[str, Any]) -> int:
    """The step that the execution's document shows of its training, 0 before the first."""
    return int((execution["stages"][1]["metrics"] or {}).get("step", 0))


async def artifact(baton: Baton, sha256: str) -> bytes:
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(f"{baton.url}/api/artifacts/{sha256}") as response,
    ):
        assert response.status == 200
        return await response.read()


async def upload(baton: Baton, content: bytes, content_type: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(headers={**HEADERS, "Content-Type": content_type}) as session,
        session.post(f"{baton.url}/api/artifacts", data=content) as response,
    ):
        assert response.status == 201
        reference: dict[str, Any] = await response.json()
        return reference


async def test_the_shipped_template_reads_digits_and_keeps_the_weights(tmp_path: Path) -> None:
    async with Baton(tmp_path, workers="training") as baton:
        execution = await baton.finished(await baton.execute("train_digits", EXAMPLE), seconds=PATIENCE_S)
        weights = execution["result"]["weights"]
        content = await artifact(baton, weights["sha256"])

    assert (execution["status"], sorted(execution["result"])) == ("completed", ["accuracy", "loss", "weights"])
    assert execution["result"]["accuracy"] >= 0.95
    assert execution["result"]["loss"] < 0.5
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (weights["sha256"], weights["sizeBytes"])


async def test_a_model_below_the_threshold_fails_its_execution_with_a_sentence(tmp_path: Path) -> None:
    async with Baton(tmp_path, workers="training") as baton:
        reference = await upload(baton, CSV.encode(), "text/csv")
        wishes = {"dataset": reference, "labelColumn": "kind", "epochs": 1, "modelConfig": {"layers": 1, "neurons": 1}}
        execution = await baton.finished(
            await baton.execute("train_digits", {**wishes, "threshold": 1}), seconds=PATIENCE_S
        )

    assert [stage["status"] for stage in execution["stages"]] == ["completed", "completed", "completed", "failed"]
    assert execution["stages"][3]["error"]["code"] == "below_threshold"
    assert "100.00% is the least that is accepted" in execution["stages"][3]["error"]["message"]


async def test_steps_are_seen_while_they_happen_and_a_cancel_stops_between_two(tmp_path: Path) -> None:
    async with Baton(tmp_path, workers="training") as baton:
        execution_id = await baton.execute("train_digits", LONG)
        async with watched(baton, execution_id) as events:
            seen = [(await next_event(events, "metrics"))["metrics"] for _ in range(5)]
            running = await baton.reached(execution_id, lambda document: shown_step(document) >= seen[-1]["step"])
            status, _ = await baton.call("POST", f"/api/executions/{execution_id}/cancel")
            cancelled = await baton.finished(execution_id)
        # The slot is free again only when the step has ended.
        await baton.until_worker(running["stages"][1]["workerId"], lambda worker: worker["slots"]["free"] == 2)

    steps = [metrics["step"] for metrics in seen]
    assert steps == sorted(set(steps))
    assert all({"step", "epoch", "loss", "accuracy"} <= set(metrics) for metrics in seen)
    assert running["stages"][1]["status"] == "running"
    assert 0 < running["stages"][1]["progress"] < 100
    assert (status, cancelled["status"]) == (200, "cancelled")


@pytest.mark.parametrize(("number", "attempt"), [(signal.SIGKILL, 2), (signal.SIGTERM, 1)], ids=["killed", "drained"])
async def test_a_training_whose_worker_ends_goes_on_from_its_checkpoint_and_a_drain_is_not_charged(
    tmp_path: Path, number: signal.Signals, attempt: int
) -> None:
    async with Baton(tmp_path, workers="training", lease=2.0) as baton:
        execution_id = await baton.execute("train_digits", LONG)
        async with watched(baton, execution_id) as events:
            folder = tmp_path / "workers" / "training"
            await until(
                lambda: any(folder.rglob("checkpoint.safetensors")), "a checkpoint is written", seconds=PATIENCE_S
            )
            kill(orjson.loads((folder / "process.json").read_bytes())["pid"], number)
            log = await next_event(events, "log")
            first = (await next_event(events, "metrics"))["metrics"]
            await baton.call("POST", f"/api/executions/{execution_id}/cancel")
            ended = await baton.finished(execution_id)

    checkpoint = int(log["message"].removeprefix("training goes on from its checkpoint: step ").partition(" ")[0])
    assert checkpoint > 0
    assert first["step"] == checkpoint + 1
    assert ended["stages"][1]["attempt"] == attempt
