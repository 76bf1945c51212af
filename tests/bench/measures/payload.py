"""Payloads of growing size through three stages: inside the packets, and by reference as artifacts.

Each stage hands on the same bytes turned by one, so every result can be checked and no two stages share an artifact.
Copies are counted where bytes go: the database's log, the artifacts' folder, what the orchestrator reads and writes.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from orchestrator.client import BatonClient
from tests.bench.chain import until_nothing_waits
from tests.bench.extent import Extent
from tests.bench.report import Cell, Plot, Report
from tests.bench.stand import Site, Stand
from tests.integration.system import API_KEY

TARGET = "MB/s and copies printed, no quadratic cost"
KIB: Final = 1024
INLINE: Final = (1 * KIB, 10 * KIB, 64 * KIB)
STAGES: Final = 3
BATCH_BYTES: Final = 4 * KIB * KIB
TEMPLATE: Final = """
template: bench_{name}
stages:
  one: {{action: {name}, with: {{value: "${{input.value}}"}}}}
  two: {{needs: [one], action: {name}, with: {{value: "${{stages.one.output.value}}"}}}}
  three: {{needs: [two], action: {name}, with: {{value: "${{stages.two.output.value}}"}}}}
output: {{value: "${{stages.three.output.value}}"}}
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes that were written or passed on up to some moment."""

    log: int
    files: int
    orchestrator: int


async def measure(stand: Stand, extent: Extent) -> Report:
    inline_bytes = extent.pick(4, 64) * KIB * KIB
    references = extent.pick(((KIB * KIB, 4), (10 * KIB * KIB, 2)), ((KIB * KIB, 60), (10 * KIB * KIB, 20)))
    rows: list[dict[str, Cell]] = []
    faults: list[str] = []
    async with stand.site() as site:
        await site.worker("bench-carry", program="carry.py")
        for name in ("carry", "carry_artifact"):
            await site.baton.publish(TEMPLATE.format(name=name))
        for size in INLINE:
            # The largest payload that stands in its row is 64 KiB of JSON, with the braces and the name.
            text = _text(size - len(orjson.dumps({"value": ""})))
            rows.append(await _inline(site, size, text, max(20, inline_bytes // size), faults))
        for size, executions in references:
            rows.append(await _by_reference(site, size, executions, stand.new_folder(), faults))
    return Report(
        name="payload",
        title="executions of three stages that hand a payload on",
        target=TARGET,
        rows=rows,
        notes=(
            "payloadMbPerSecond: payloads through all three stages and durable; bytes that cannot be compressed.",
            "Copies are bytes for each byte of payload: in PostgreSQL's log; in the artifacts' folder; and those that "
            "the kernel counts as read and written by the orchestrator (/proc/PID/io).",
            f"Whole, a payload is sent by the client once, and to and by a worker {STAGES} times each.",
        ),
        faults=faults,
        plot=Plot("payloadMbPerSecond", ("how", "bytes")),
    )


async def _inline(site: Site, size: int, text: str, executions: int, faults: list[str]) -> dict[str, Cell]:
    before, began = await _moved(site), time.perf_counter()
    at_once = max(1, min(100, BATCH_BYTES // size))
    ids: list[str] = []
    for first in range(0, executions, at_once):
        items = [{"template": "bench_carry", "input": {"value": text}}] * min(at_once, executions - first)
        status, answer = await site.baton.call("POST", "/api/pipelines/execute/batch", {"executions": items})
        assert status == 202, answer
        ids += [item["executionId"] for item in answer["executions"]]
    await until_nothing_waits(site.connection)
    row = _row("in packets", size, executions, time.perf_counter() - began, before, await _moved(site))
    expected = orjson.dumps({"value": _turned(text)}).decode()
    right = await site.connection.fetchval(
        "SELECT count(*) FROM pipeline_executions WHERE execution_id = ANY ($1) AND status = 'completed'"
        " AND result::jsonb = $2::jsonb",
        ids,
        expected,
    )
    if right != executions:
        faults.append(f"{executions - right} executions of {size} bytes are lost or wrong")
    return row


async def _by_reference(site: Site, size: int, executions: int, folder: Path, faults: list[str]) -> dict[str, Cell]:
    chance = random.Random(size)
    payloads = [chance.randbytes(size) for _ in range(executions)]
    before, began = await _moved(site), time.perf_counter()
    async with BatonClient(site.baton.url, API_KEY) as client:
        answers = []
        for payload in payloads:
            reference = await client.upload_artifact(payload)
            answers.append(await client.execute("bench_carry_artifact", {"value": _reference(reference)}))
        await until_nothing_waits(site.connection)
        row = _row("by reference", size, executions, time.perf_counter() - began, before, await _moved(site))
        for payload, answer in zip(payloads, answers, strict=True):
            document = await client.execution(answer["executionId"])
            expected = sha256(payload[STAGES:] + payload[:STAGES]).hexdigest()
            if document["status"] != "completed" or document["result"]["value"]["sha256"] != expected:
                faults.append(f"{answer['executionId']} of {size} bytes: {document['status']}, {document['error']}")
        if document["status"] == "completed":
            await client.download_artifact(expected, folder / expected)
    return row


def _row(how: str, size: int, executions: int, seconds: float, before: Moved, after: Moved) -> dict[str, Cell]:
    payload = size * executions
    return {
        "how": how,
        "bytes": size,
        "executions": executions,
        "payloadMbPerSecond": payload / seconds / 1e6,
        "msPerExecution": seconds / executions * 1000,
        "logCopies": (after.log - before.log) / payload,
        "fileCopies": (after.files - before.files) / payload,
        "orchestratorCopies": (after.orchestrator - before.orchestrator) / payload,
    }


async def _moved(site: Site) -> Moved:
    log = await site.connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
    files = sum(path.stat().st_size for path in (site.baton.folder / "artifacts").rglob("*") if path.is_file())
    return Moved(log, files, _read_and_written(site.orchestrator))


def _read_and_written(pid: int) -> int:
    """Bytes that went through the process's read and write calls."""
    counted = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counted["rchar"]) + int(counted["wchar"])


def _text(length: int) -> str:
    """Letters that cannot be compressed by more than a quarter, always the same."""
    return random.Random(length).randbytes(length).hex()[:length]


def _turned(text: str) -> str:
    return text[STAGES:] + text[:STAGES]


def _reference(artifact: Any) -> Mapping[str, Any]:
    document: Mapping[str, Any] = artifact if isinstance(artifact, Mapping) else artifact.document()
    return document
