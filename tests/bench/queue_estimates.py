"""How true the queue's estimates are: granulations submitted at once, through four granulators as processes.

A batch before it gives the workers a history. Then each execution's estimated end, as the answer to its submission has
it, is held against its real end; the error is a part of what the execution took in all. From the packets it is seen
that no worker held more than its slots.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import orjson

from tests.integration.system import Baton

TEMPLATE: Final = "course_from_document"
TEXT: Final = Path(__file__).parents[2] / "templates/examples/course_from_document.md"
LONGEST_SECONDS: Final = 1800


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queue_estimates", description=__doc__)
    parser.add_argument("--executions", type=int, default=200, help="how many at once (default 200)")
    parser.add_argument("--warm", type=int, default=100, help="how many before them (default 100)")
    parser.add_argument("--workers", type=int, default=4, help="how many processes (default 4)")
    parser.add_argument("--slots", type=int, default=4, help="slots of each (default 4)")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.executions, options.warm, options.workers, options.slots))
    sys.stdout.write(orjson.dumps(figures).decode() + "\n")


async def measure(executions: int, warm: int, workers: int, slots: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="baton-queue-") as name:
        async with Baton(Path(name)) as baton:
            for number in range(workers):
                worker_id = f"granulator-{number}"
                arguments = ("--worker-id", worker_id, "--slots", str(slots))
                await baton.worker("workers.granulator.worker", *arguments)
                await baton.until_worker(worker_id)
            await _finished(baton, await _submit(baton, warm))
            answers = await _submit(baton, executions)
            documents = await _finished(baton, answers)
            packets = [await baton.call("GET", answer["links"]["packets"]) for answer in answers]
    stages = [stage for document in documents for stage in document["stages"]]
    return {
        "executions": executions,
        "failed": sum(document["status"] != "completed" for document in documents),
        "seconds": round(max(map(_lasted, documents)), 1),
        "errorOfEstimatedCompletion": _percentiles(map(_error, answers, documents)),
        "medianRatioOfStages": {
            action: round(statistics.median(stage["ratio"]["ms"] for stage in stages if stage["action"] == action), 3)
            for action in sorted({stage["action"] for stage in stages})
        },
        "mostHeldByWorker": most_held([packet for _, answer in packets for packet in answer["packets"]]),
    }


async def _submit(baton: Baton, executions: int) -> list[dict[str, Any]]:
    items = [{"template": TEMPLATE, "input": {"text": TEXT.read_text()}}] * executions
    status, answer = await baton.call("POST", "/api/pipelines/execute/batch", {"executions": items})
    assert status == 202, answer
    entries: list[dict[str, Any]] = answer["executions"]
    return entries


async def _finished(baton: Baton, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Told, not asked for: polling would take the cores that are measured.
    async with asyncio.timeout(LONGEST_SECONDS):
        for answer in answers:
            await baton.ended(answer["executionId"])
    return [await baton.execution(answer["executionId"]) for answer in answers]


def _error(answer: dict[str, Any], document: dict[str, Any]) -> float:
    told = datetime.fromisoformat(answer["estimatedCompletionAt"])
    return abs((told - datetime.fromisoformat(document["finishedAt"])).total_seconds()) / _lasted(document)


def _lasted(document: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(document[name]) for name in ("createdAt", "finishedAt"))
    return (ended - began).total_seconds()


def _percentiles(errors: Iterable[float]) -> dict[str, float]:
    cuts = statistics.quantiles(errors, n=100, method="inclusive")
    return {name: round(cuts[place - 1], 3) for name, place in (("p50", 50), ("p95", 95), ("p99", 99))}


def most_held(packets: list[dict[str, Any]]) -> dict[str, int]:
    """The most attempts that each worker held at once, from its offer to its result."""
    steps = {"offer": 1, "result": -1, "reject": -1}
    changes: dict[str, list[tuple[str, int]]] = {}
    for packet in packets:
        if packet["type"] in steps:
            changes.setdefault(packet["workerId"], []).append((packet["at"], steps[packet["type"]]))
    return {worker: max(accumulate(step for _, step in sorted(each))) for worker, each in sorted(changes.items())}


if __name__ == "__main__":
    main()
