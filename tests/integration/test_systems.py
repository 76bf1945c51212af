"""Two `baton up` on one database, as real processes: they share the work, and one goes on when the other cannot."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.system import Baton

LEASE = 3.0
PATIENCE = 120.0
NAPS = """
template: naps
input: {type: object, required: [ms], properties: {ms: {type: integer}}}
stages:
  first: {action: sleep, with: {ms: "${input.ms}"}}
  second: {needs: [first], action: sleep, with: {ms: "${input.ms}"}}
output: {naps: ["${stages.first.output.sleptMs}", "${stages.second.output.sleptMs}"]}
"""


@asynccontextmanager
async def two_systems(folder: Path, dsn: str) -> AsyncIterator[tuple[Baton, Baton]]:
    """Two systems, with a worker of four slots at home with each that may turn to the other."""
    for name in ("a", "b"):
        (folder / name).mkdir()
    arguments = ("--database-url", dsn, "--artifacts-url", (folder / "artifacts").as_uri())
    async with (
        Baton(folder / "a", *arguments, lease=LEASE) as one,
        Baton(folder / "b", *arguments, lease=LEASE) as two,
    ):
        await one.publish(NAPS)
        await one.worker("workers.echo", "--slots", "4", "--worker-id", "at-a", others=[two])
        await two.worker("workers.echo", "--slots", "4", "--worker-id", "at-b", others=[one])
        for system in (one, two):
            for worker_id in ("at-a", "at-b"):
                await system.until_worker(worker_id)
        yield one, two


async def commits_of(system: Baton, execution_id: str) -> Counter[str]:
    """How many results of each stage were committed."""
    _, answer = await system.call("GET", f"/api/executions/{execution_id}/packets")
    return Counter(packet["stage"] for packet in answer["packets"] if packet["type"] == "ack")


def essence(document: dict[str, Any]) -> tuple[Any, ...]:
    return (document["status"], document["result"], [stage["status"] for stage in document["stages"]])


async def test_two_systems_share_the_work_and_when_one_is_killed_everything_completes_once(
    tmp_path: Path, dsn: str
) -> None:
    async with two_systems(tmp_path, dsn) as (one, two):
        ids = [await (one, two)[number % 2].execute("naps", {"ms": 20}) for number in range(200)]
        await two.finished(ids[20], PATIENCE)
        assert one.process is not None
        await one.process.kill()
        ended = [await two.finished(execution_id, PATIENCE) for execution_id in ids]
        commits = [await commits_of(two, execution_id) for execution_id in ids]

    assert [essence(document) for document in ended] == [
        ("completed", {"naps": [20, 20]}, ["completed", "completed"])
    ] * 200
    assert commits == [Counter(first=1, second=1)] * 200
    assert {stage["workerId"] for document in ended for stage in document["stages"]} == {"at-a", "at-b"}


async def test_a_system_that_stood_still_beyond_its_lease_changes_nothing_when_it_goes_on(
    tmp_path: Path, dsn: str
) -> None:
    async with two_systems(tmp_path, dsn) as (one, two):
        ids = [await one.execute("naps", {"ms": 300}) for _ in range(20)]
        await one.reached(ids[0], lambda document: document["startedAt"] is not None, PATIENCE)
        assert one.process is not None
        one.process.stall()
        try:
            ended = [await two.finished(execution_id, PATIENCE) for execution_id in ids]
        finally:
            one.process.go_on()
        await one.until_answer("/api/readyz", lambda status, _: status == 200, PATIENCE)
        after = [await one.finished(execution_id, PATIENCE) for execution_id in ids]
        commits = [await commits_of(one, execution_id) for execution_id in ids]

    assert [essence(document) for document in ended] == [
        ("completed", {"naps": [300, 300]}, ["completed", "completed"])
    ] * 20
    assert after == ended
    assert commits == [Counter(first=1, second=1)] * 20


async def test_a_system_that_is_stopped_hands_its_work_and_its_workers_over(tmp_path: Path, dsn: str) -> None:
    async with two_systems(tmp_path, dsn) as (one, two):
        ids = [await one.execute("naps", {"ms": 300}) for _ in range(8)]
        await one.reached(ids[0], lambda document: document["stages"][0]["status"] == "running", PATIENCE)
        assert one.process is not None
        assert await one.process.stop() == 0
        ended = [await two.finished(execution_id, PATIENCE) for execution_id in ids]
        await two.until_worker("at-a", lambda document: document["status"] == "ready")

    assert [document["status"] for document in ended] == ["completed"] * 8
    assert {stage["attempt"] for document in ended for stage in document["stages"]} == {1}
