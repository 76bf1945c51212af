"""A stage that is at work while the orchestrator is killed goes on, and is not made again."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.system import Baton, free_port, until

GATED = Path(__file__).with_name("gated_worker.py")
TEMPLATE = "template: gated\nstages: {gate: {action: gate, with: {folder: '${input.folder}'}}}\n"
TRANSPORTS = {"websocket": (), "http": ("--transport", "http")}


async def gated(baton: Baton, transport: str, folder: Path) -> str:
    """An execution whose stage waits at the gate."""
    arguments = TRANSPORTS[transport]
    if arguments:
        arguments = (*arguments, "--port", str(free_port()))
    await baton.publish(TEMPLATE)
    await baton.worker(str(GATED), "--worker-id", "gated", *arguments)
    await baton.until_worker("gated")
    os.mkfifo(folder / "gate")
    execution_id = await baton.execute("gated", {"folder": str(folder)})
    await baton.reached(execution_id, lambda document: document["stages"][0]["status"] == "running")
    await until((folder / "log").exists, "the stage is at the gate")
    return execution_id


def open_gate(folder: Path) -> None:
    """Let through who waits; raises OSError if nobody does."""
    os.close(os.open(folder / "gate", os.O_WRONLY | os.O_NONBLOCK))


def was_made_once(folder: Path, execution: dict[str, Any]) -> bool:
    [stage] = execution["stages"]
    log = (folder / "log").read_text().split()
    return (execution["status"], stage["attempt"], log) == ("completed", 1, ["began", "ended"])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stage_goes_on_across_a_kill_of_the_orchestrator(tmp_path: Path, transport: str) -> None:
    async with Baton(tmp_path) as baton:
        execution_id = await gated(baton, transport, tmp_path)
        assert baton.process is not None
        await baton.process.kill()
        await baton.start()
        await baton.until_worker("gated", lambda document: document["slots"]["free"] == 1)
        open_gate(tmp_path)
        execution = await baton.finished(execution_id)

    assert was_made_once(tmp_path, execution)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_result_that_was_made_while_the_orchestrator_was_away_is_collected(
    tmp_path: Path, transport: str
) -> None:
    async with Baton(tmp_path) as baton:
        execution_id = await gated(baton, transport, tmp_path)
        assert baton.process is not None
        await baton.process.kill()
        open_gate(tmp_path)
        await until(lambda: "ended" in (tmp_path / "log").read_text(), "the stage has ended")
        await baton.start()
        execution = await baton.finished(execution_id)

    assert was_made_once(tmp_path, execution)


async def test_a_stage_goes_on_at_the_other_replica_when_its_own_is_killed(tmp_path: Path, dsn: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    arguments = ("--database-url", dsn, "--artifacts-url", (tmp_path / "artifacts").as_uri())
    async with (
        Baton(tmp_path / "a", *arguments, lease=3.0) as one,
        Baton(tmp_path / "b", *arguments, lease=3.0) as two,
    ):
        execution_id = await gated(one, "websocket", tmp_path)
        await two.until_worker("gated")
        assert one.process is not None
        await one.process.kill()
        open_gate(tmp_path)
        execution = await two.finished(execution_id, 60)

    assert was_made_once(tmp_path, execution)
