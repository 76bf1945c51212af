"""The whole system as its users have it: real processes, real HTTP, and kills."""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from orchestrator.store.embedded_cluster import Cluster
from tests.integration.system import WORKER_SECRET, Baton, until

STDLIB_WORKERS = Path(__file__).parents[1] / "contract" / "stdlib_workers"
ROOT = Path(__file__).parents[2]
DIAMOND = """
template: diamond
input: {type: object, required: [text], properties: {text: {type: string}}}
stages:
  top: {action: shout, with: {text: "${input.text}"}}
  left: {needs: [top], action: shout, with: {text: "left ${stages.top.output.text}"}}
  right: {needs: [top], action: shout, with: {text: "right ${stages.top.output.text}"}}
  bottom:
    needs: [left, right]
    action: shout
    with: {texts: ["${stages.left.output.text}", "${stages.right.output.text}"]}
output: {text: "${stages.bottom.output.text}"}
"""
NAP = "template: nap\nstages: {nap: {action: sleep, with: {ms: '${input.ms}'}}}\noutput: '${stages.nap.output}'\n"
NAPS = """
template: naps
stages:
  first: {action: sleep, with: {ms: 700}}
  second: {needs: [first], action: sleep, with: {ms: 700}}
output: {naps: ["${stages.first.output.sleptMs}", "${stages.second.output.sleptMs}"]}
"""


def kinds_of(packets: list[dict[str, Any]], stage: str) -> list[str]:
    return [packet["type"] for packet in packets if packet["stage"] == stage]


@pytest.mark.parametrize(
    ("runtime", "script"), [(sys.executable, "worker.py"), ("node", "worker.mjs")], ids=["python", "node"]
)
async def test_a_worker_of_forty_lines_without_any_library_runs_a_diamond(
    tmp_path: Path, runtime: str, script: str
) -> None:
    if shutil.which(runtime) is None:
        pytest.skip(f"{runtime} is not installed")
    async with Baton(tmp_path) as baton:
        await baton.publish(DIAMOND)
        command = [runtime, str(STDLIB_WORKERS / script)]
        baton.spawn(command, tmp_path / "worker.log", WORKER_ID="stdlib")
        await baton.until_worker("stdlib")

        execution = await baton.finished(await baton.execute("diamond", {"text": "a"}))
        _, answer = await baton.call("GET", f"/api/executions/{execution['executionId']}/packets")

    assert execution["result"] == {"text": "LEFT A RIGHT A"}
    assert (execution["status"], execution["progress"]) == ("completed", 100)
    for stage in ("top", "left", "right", "bottom"):
        assert kinds_of(answer["packets"], stage) == ["offer", "accept", "process", "result", "ack"]


async def test_a_course_is_made_from_a_document_and_names_its_parts_from_it(tmp_path: Path) -> None:
    text = (ROOT / "templates" / "examples" / "course_from_document.md").read_text(encoding="utf-8")
    async with Baton(tmp_path, workers="granulator") as baton:
        execution = await baton.finished(await baton.execute("course_from_document", {"text": text}))

    structure, quality = execution["result"]["structure"], execution["result"]["quality"]
    assert execution["status"] == "completed"
    assert structure["type"] == "course"
    assert "tide" in structure["title"].lower()
    assert len([child for child in structure["children"] if child["type"] == "module"]) >= 5
    assert 0 < quality["score"] <= 100
    assert isinstance(quality["findings"], list)


async def test_the_granulator_killed_in_mid_stage_costs_an_attempt_and_the_execution_ends_right(
    tmp_path: Path,
) -> None:
    text = "\n\n".join(f"# Part {part}\n\n" + f"Granite number {part} is a rock. " * 300 for part in range(60))
    async with Baton(tmp_path, workers="granulator", lease=2.0) as baton:
        note = tmp_path / "workers" / "granulator" / "process.json"
        await until(note.exists, "the granulator is started")
        execution_id = await baton.execute("course_from_document", {"text": text})
        await baton.reached(execution_id, lambda document: document["stages"][0]["status"] == "running")
        pid = orjson.loads(note.read_bytes())["pid"]
        kill(pid)
        execution = await baton.finished(execution_id, seconds=60)

    assert execution["status"] == "completed"
    assert max(stage["attempt"] for stage in execution["stages"]) == 2


async def test_the_orchestrator_killed_in_mid_execution_goes_on_where_it_was(tmp_path: Path) -> None:
    async with Baton(tmp_path, workers="echo") as baton:
        await baton.publish(NAPS)
        waiting = [await baton.execute("naps") for _ in range(5)]
        await baton.reached(waiting[0], lambda document: document["stages"][0]["status"] == "running")
        assert baton.process is not None
        await baton.process.kill()
        await baton.start()
        ended = [await baton.finished(execution_id) for execution_id in waiting]
        _, answer = await baton.call("GET", f"/api/executions/{waiting[0]}/packets")

    assert [execution["result"] for execution in ended] == [{"naps": [700, 700]}] * 5
    assert [stage["attempt"] for execution in ended for stage in execution["stages"]] == [1] * 10
    assert kinds_of(answer["packets"], "second") == ["offer", "accept", "process", "result", "ack"]


async def test_postgresql_killed_in_mid_execution_comes_back_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    async with Baton(tmp_path, workers="echo") as baton:
        await baton.publish(NAPS)
        waiting = [await baton.execute("naps") for _ in range(5)]
        postmaster = Cluster(tmp_path).postmaster()
        assert postmaster is not None
        kill(postmaster)
        ended = [await baton.finished(execution_id) for execution_id in waiting]

    assert [execution["status"] for execution in ended] == ["completed"] * 5
    assert [execution["result"] for execution in ended] == [{"naps": [700, 700]}] * 5


async def test_the_same_key_is_the_same_execution_also_after_a_kill(tmp_path: Path) -> None:
    headers = {"X-API-Key": "key-of-the-tests-0123456789", "Idempotency-Key": "order-1"}
    body = {"template": "greet_twice", "input": {"name": "Ann"}}
    async with Baton(tmp_path, workers="echo") as baton:
        _, first = await baton.call("POST", "/api/pipelines/execute", body, headers)
        assert baton.process is not None
        await baton.process.kill()
        await baton.start()
        status, again = await baton.call("POST", "/api/pipelines/execute", body, headers)
        other = {**body, "input": {"name": "Bob"}}
        refused, answer = await baton.call("POST", "/api/pipelines/execute", other, headers)
        execution = await baton.finished(first["executionId"])

    assert (status, again["executionId"]) == (202, first["executionId"])
    assert (refused, answer["error"]["code"]) == (422, "idempotency_key_reused")
    assert execution["result"] == {"text": "hello Ann!"}


async def test_with_one_slot_the_critical_execution_posted_last_is_served_next(tmp_path: Path) -> None:
    async with Baton(tmp_path) as baton:
        await baton.publish(NAP)
        await baton.worker("workers.echo", "--slots", "1", "--worker-id", "one-slot")
        await baton.until_worker("one-slot")
        running = await baton.execute("nap", {"ms": 300})
        normal = [await baton.execute("nap", {"ms": 1}) for _ in range(10)]
        critical = await baton.execute("nap", {"ms": 1}, priority="critical")
        ended = {execution_id: await baton.finished(execution_id) for execution_id in (running, critical, *normal)}

    order = sorted(ended, key=lambda execution_id: ended[execution_id]["startedAt"])
    assert order == [running, critical, *normal]


async def test_the_built_in_check_runs_through_the_real_queue(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {WORKER_SECRET}", "X-Worker-ID": "test-worker"}
    async with Baton(tmp_path) as baton:
        status, answer = await baton.call("POST", "/api/test/queue-execution", {}, headers)
        execution = await baton.finished(answer["executionId"])
        _, workers = await baton.call("GET", "/api/workers")

    assert status == 202
    assert execution["status"] == "completed"
    assert workers == {"workers": []}


def kill(pid: int) -> None:
    """SIGKILL, by its id, of a process that this test's system started."""
    os.kill(pid, signal.SIGKILL)
