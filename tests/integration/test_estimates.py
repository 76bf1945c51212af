"""Estimates through the whole system: of each stage, beside what it took; and of the queue, where there is history."""

from pathlib import Path
from typing import Any

from tests.bench.queue_estimates import most_held
from tests.integration.system import Baton

WORKERS = ("granulator-0", "granulator-1", "granulator-2", "granulator-3")
TEXT = "\n\n".join(
    f"## Chapter {number}\n\nThe tide of bay {number} rises twice a day. A tide is a long wave. The Moon pulls the sea."
    for number in range(6)
)


async def granulated(baton: Baton, executions: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Submit all at once; the answers, and the documents of the executions once each has ended."""
    items = [{"template": "course_from_document", "input": {"text": TEXT}}] * executions
    status, answer = await baton.call("POST", "/api/pipelines/execute/batch", {"executions": items})
    assert status == 202, answer
    answers = answer["executions"]
    return answers, [await baton.finished(entry["executionId"], 60) for entry in answers]


async def test_what_is_granulated_at_once_is_told_its_end_and_shows_what_it_took(tmp_path: Path) -> None:
    async with Baton(tmp_path) as baton:
        for worker_id in WORKERS:
            await baton.worker("workers.granulator.worker", "--worker-id", worker_id, "--slots", "2")
            await baton.until_worker(worker_id)
        unknown, _ = await granulated(baton, 8)
        answers, documents = await granulated(baton, 32)
        packets: list[dict[str, Any]] = []
        for answer in answers:
            packets += (await baton.call("GET", answer["links"]["packets"]))[1]["packets"]

    assert unknown[0]["estimatedCompletionAt"] is None
    assert None not in [answer["estimatedCompletionAt"] for answer in answers]
    assert [document["status"] for document in documents] == ["completed"] * 32
    assert max(most_held(packets).values()) <= 2
    for stage in (stage for document in documents for stage in document["stages"]):
        expected_ms, took_ms = stage["estimatedCompletionMs"], stage["actual"]["ms"]
        assert (stage["estimate"]["ms"], stage["ratio"]["ms"]) == (expected_ms, round(took_ms / expected_ms, 3))
        assert took_ms >= round(stage["metrics"]["processingTimeMs"])
