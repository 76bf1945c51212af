"""The work that most figures are about: executions of three trivial stages in a chain, each result checked.

An execution is given a number and each stage adds one. It is lost if the database does not have it, wrong if it did not
complete with its number plus three, and duplicated if one of its stages was committed more than once.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import orjson

from tests.bench.polling import until_answered
from tests.integration.system import Baton

STAGES: Final = ("one", "two", "three")
SUBMITTED_AT_ONCE: Final = 100
SUBMITTERS: Final = 4
LONGEST_SECONDS: Final = 600
# Both questions go through small indexes, so that asking costs the run nothing.
NOTHING_WAITS: Final = """
    SELECT NOT EXISTS (SELECT FROM pipeline_executions WHERE owner IS NOT NULL AND status <> 'waiting')
        AND NOT EXISTS (SELECT FROM execution_queue)"""
TEMPLATE: Final = """
template: bench_chain
input: {type: object, required: [value], properties: {value: {type: integer}}}
stages:
  one: {action: increment, with: {value: "${input.value}"}}
  two: {needs: [one], action: increment, with: {value: "${stages.one.output.value}"}}
  three: {needs: [two], action: increment, with: {value: "${stages.two.output.value}"}}
output: {value: "${stages.three.output.value}"}
"""


@dataclass(frozen=True, slots=True)
class Drive:
    """What was driven through: the seconds from the first submission to the last end, and what each id was given."""

    seconds: float
    acknowledged: Mapping[str, int]

    @property
    def executions_per_second(self) -> float:
        return len(self.acknowledged) / self.seconds

    @property
    def stages_per_second(self) -> float:
        return len(STAGES) * self.executions_per_second


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the database found; all but `executions` have to be 0."""

    executions: int
    lost: int
    duplicated: int
    wrong: int

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong)

    def document(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("executions", "lost", "duplicated", "wrong")}

    def faults(self, where: str) -> list[str]:
        """One sentence if something is not right."""
        return [] if self.is_right else [f"{where}: {self.document()}"]


class SubmissionRefused(Exception):
    """The system did not take a batch; the message is its answer."""


async def drive(batons: Sequence[Baton], connection: asyncpg.Connection, executions: int) -> Drive:
    """Submit in batches, to each system in turn, and wait until all that the database has is final."""
    acknowledged: dict[str, int] = {}
    began = time.perf_counter()

    async def submit_every_fourth(offset: int) -> None:
        baton = batons[offset % len(batons)]
        for first in range(offset * SUBMITTED_AT_ONCE, executions, SUBMITTERS * SUBMITTED_AT_ONCE):
            acknowledged.update(await submit(baton, range(first, min(first + SUBMITTED_AT_ONCE, executions))))

    await asyncio.gather(*(submit_every_fourth(offset) for offset in range(SUBMITTERS)))
    await until_nothing_waits(connection)
    return Drive(time.perf_counter() - began, acknowledged)


async def submit(baton: Baton, values: Sequence[int]) -> dict[str, int]:
    """One batch; returns what each execution's id was given."""
    items = [{"template": "bench_chain", "input": {"value": value}} for value in values]
    status, answer = await baton.call("POST", "/api/pipelines/execute/batch", {"executions": items})
    if status != 202:
        raise SubmissionRefused(f"{status}: {answer}")
    return {item["executionId"]: value for value, item in zip(values, answer["executions"], strict=True)}


async def until_nothing_waits(connection: asyncpg.Connection, seconds: float = LONGEST_SECONDS) -> None:
    """Return when no execution of the database is queued, or owned and not waiting for a signal."""
    await until_answered(connection, NOTHING_WAITS, seconds=seconds)


async def latency_ms(baton: Baton, value: int) -> float:
    """From the post of one execution to the news of its end, on a system that has nothing else to do."""
    began = time.perf_counter()
    execution_id = await baton.execute("bench_chain", {"value": value})
    await baton.ended(execution_id)
    return (time.perf_counter() - began) * 1000


async def verify(connection: asyncpg.Connection, acknowledged: Mapping[str, int]) -> Verdict:
    """Every acknowledged execution is there, completed, right, and each of its stages was committed once."""
    ids = list(acknowledged)
    rows = await connection.fetch(
        "SELECT execution_id, status, result FROM pipeline_executions WHERE execution_id = ANY ($1)", ids
    )
    there = {row["execution_id"]: row for row in rows}
    wrong = 0
    for execution_id, value in acknowledged.items():
        row = there.get(execution_id)
        if row is not None:
            right = row["status"] == "completed" and orjson.loads(row["result"]) == {"value": value + len(STAGES)}
            wrong += not right
    committed = await connection.fetch(
        """
        SELECT execution_id, stage_name, count(*) AS commits
        FROM handshake_packets, json_array_elements(packets) AS packet
        WHERE execution_id = ANY ($1) AND packet ->> 'type' = 'ack'
        GROUP BY execution_id, stage_name
        """,
        ids,
    )
    commits = {(row["execution_id"], row["stage_name"]): row["commits"] for row in committed}
    stages = [(execution_id, stage) for execution_id in acknowledged for stage in STAGES]
    return Verdict(
        executions=len(acknowledged),
        lost=sum(execution_id not in there for execution_id in acknowledged),
        duplicated=sum(commits.get(stage, 0) > 1 for stage in stages),
        wrong=wrong + sum(stage not in commits for stage in stages),
    )
