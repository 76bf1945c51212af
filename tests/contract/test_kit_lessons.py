"""A worker's estimates come to what its attempts really take, and a restart does not make it forget that."""

from pathlib import Path
from typing import Any

from protocol.packets import Result
from tests.contract.orchestrator_double import OrchestratorDouble, offer, process, serving
from workers.kit import Context, Estimate, Worker

AN_HOUR_MS = 3_600_000
worker = Worker("learner", slots=2)


@worker.action("write", estimate=Estimate(ms=AN_HOUR_MS, tokens=1000, cost_usd=1.0, key="model"))
async def write(given: dict[str, Any], context: Context) -> None:
    context.report_usage(tokens=250, cost_usd=0.25)


@worker.action("fail", estimate=Estimate(ms=AN_HOUR_MS))
async def fail(given: dict[str, Any]) -> None:
    raise ValueError("no")


async def estimated(orchestrator: OrchestratorDouble, stage: str, action: str = "write") -> dict[str, Any]:
    """What the worker accepts with; the attempt is carried out as well."""
    given = offer(stage, action)
    accept = await orchestrator.accepted(given)
    await orchestrator.send(process(given))
    await orchestrator.next(Result, stage)
    return accept.document()


async def test_estimates_come_to_what_attempts_take_and_outlive_a_restart(tmp_path: Path) -> None:
    async with OrchestratorDouble() as orchestrator:
        async with serving(orchestrator, worker, data_dir=tmp_path):
            await orchestrator.linked()
            first = await estimated(orchestrator, "first")
            await estimated(orchestrator, "second")
            third = await estimated(orchestrator, "third")
        async with serving(orchestrator, worker, data_dir=tmp_path):
            await orchestrator.linked(times=2)
            fourth = await estimated(orchestrator, "fourth")

    assert first["estimatedCompletionMs"] == AN_HOUR_MS
    assert first["resourceRequirements"] == {"estimatedTokens": 1000, "costUsd": 1.0}
    for later in (third, fourth):
        assert 1 <= later["estimatedCompletionMs"] < AN_HOUR_MS / 2
        assert later["resourceRequirements"] == {"estimatedTokens": 250, "costUsd": 0.25}


async def test_a_failed_attempt_says_nothing_about_how_long_a_good_one_takes(tmp_path: Path) -> None:
    async with OrchestratorDouble() as orchestrator, serving(orchestrator, worker):
        await orchestrator.linked()
        said = [await estimated(orchestrator, f"s{number}", "fail") for number in range(3)]

    assert [accept["estimatedCompletionMs"] for accept in said] == [AN_HOUR_MS] * 3
