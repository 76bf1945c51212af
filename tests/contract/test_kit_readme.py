"""The worker in workers/README.md works as printed, and so does the bundled one."""

import re
import runpy
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import workers
from protocol.packets import AttemptKey, Failure, Progress, Reject, Result
from tests.contract.orchestrator_double import HEADERS, OrchestratorDouble, cancel, offer, serving
from workers.echo import worker as echo
from workers.kit import Context, Worker, Yield

KEY = AttemptKey(execution_id="e", stage_id="s", attempt=1, fence=1)
README = Path(workers.__file__).with_name("README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
WORKER = BLOCKS[0]
WITHIN_REASON = "worker.action('shout_within_reason', estimate=weigh)(shout)\n"


@pytest.fixture
def shouter(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "shouter.py"
    path.write_text("\n".join([*BLOCKS, WITHIN_REASON]))
    return runpy.run_path(str(path))


async def test_the_worker_of_the_readme_shouts(shouter: dict[str, Any]) -> None:
    async with OrchestratorDouble() as double, serving(double, shouter["worker"]):
        await double.linked()
        result = await double.result_of(offer(action="shout", given={"text": "hello"}))

        assert (result.status, result.result) == ("completed", {"text": "HELLO"})
        assert (await double.next(Progress)).message == "half way"


async def test_the_estimate_of_the_readme_refuses_what_is_too_large(shouter: dict[str, Any]) -> None:
    async with OrchestratorDouble() as double, serving(double, shouter["worker"]):
        await double.linked()
        accept = await double.accepted(offer("short", "shout_within_reason", {"text": "x" * 1000}))
        reject = await double.rejected(offer("long", "shout_within_reason", {"text": "x" * 10_001}))

        assert accept.estimated_completion_ms == 10
        assert isinstance(reject, Reject)
        assert (reject.code.value, reject.reason) == ("too_large", "at most 10,000 characters")


@pytest.mark.parametrize(("left", "begun_at"), [(None, 0), ("2", 2)])
def test_the_long_action_of_the_readme_goes_on_from_its_checkpoint(
    shouter: dict[str, Any], tmp_path: Path, left: str | None, begun_at: int
) -> None:
    checkpoint = tmp_path / "step"
    if left is not None:
        checkpoint.write_text(left)
    reports: list[Any] = []
    context = Context(KEY, "count", reports.append, open_folder=lambda: tmp_path)
    context.cancelled.set()  # its pauses end at once

    result = shouter["count"](shouter["Steps"](steps=4), context)

    assert (result, checkpoint.read_text()) == ({"begunAt": begun_at, "steps": 4}, "4")
    assert [report.metrics.step for report in reports] == list(range(begun_at + 1, 5))


def test_the_long_action_of_the_readme_gives_itself_back_when_its_worker_stops(
    shouter: dict[str, Any], tmp_path: Path
) -> None:
    context = Context(KEY, "count", lambda _: None, open_folder=lambda: tmp_path)
    context.draining.set()

    with pytest.raises(Yield, match="stopped before step 0"):
        shouter["count"](shouter["Steps"](steps=4), context)


async def test_the_endpoint_of_the_readme_learns_and_the_next_life_still_knows(
    shouter: dict[str, Any], tmp_path: Path
) -> None:
    async with OrchestratorDouble() as double, aiohttp.ClientSession(headers=HEADERS) as session:
        for name, text in (("hello", "HELLO"), ("bye", "BYE")):
            async with (
                serving(double, shouter["worker"], port=0, data_dir=tmp_path) as service,
                session.put(f"http://127.0.0.1:{service.port}/api/phrases/{name}", data=text) as answer,
            ):
                known = await answer.json()
            shouter["phrases"].clear()

    assert known == {"hello": "HELLO", "bye": "BYE"}


async def test_the_test_of_the_readme_passes(shouter: dict[str, Any]) -> None:
    await shouter["test_it_shouts"]()


def test_the_worker_of_the_readme_has_at_most_fifteen_lines_of_code() -> None:
    lines = [line for line in WORKER.splitlines() if line.strip()]

    assert len(lines) <= 15
    assert isinstance(echo, Worker)


@pytest.mark.parametrize("document", [{"text": "hi", "n": [1, None]}, [], "text", 0, None])
async def test_echo_returns_its_input_unchanged(document: Any) -> None:
    async with OrchestratorDouble() as double, serving(double, echo):
        await double.linked()

        assert (await double.result_of(offer(given={"document": document}))).result == {"document": document}


async def test_sleep_reports_its_progress_and_says_how_long_it_slept() -> None:
    async with OrchestratorDouble() as double, serving(double, echo):
        await double.linked()
        result = await double.result_of(offer(action="sleep", given={"ms": 20}))

        reported = [packet.progress for packet in double.packets if isinstance(packet, Progress)]
        assert result.result == {"sleptMs": 20}
        assert reported == [5.0 * step for step in range(20)]


async def test_sleep_can_be_cancelled() -> None:
    async with OrchestratorDouble() as double, serving(double, echo) as service:
        await double.linked()
        given = offer(action="sleep", given={"ms": 60_000})
        await double.started(given)
        await double.next(Progress)
        await double.send(cancel(given))

        assert (await double.next(Result)).status == "cancelled"
        assert service.engine.attempts.free(service.engine.now()) == echo.slots


async def test_fail_fails_as_it_is_told_and_as_often() -> None:
    given = {"code": "teapot", "message": "short and stout", "retryable": True, "times": 2}
    async with OrchestratorDouble() as double, serving(double, echo):
        await double.linked()
        results = [
            await double.result_of(offer(action="fail", given=given, attempt=attempt, fence=attempt))
            for attempt in (1, 2, 3)
        ]

    failure = Failure(code="teapot", message="short and stout", retryable=True)
    assert [result.error for result in results] == [failure, failure, None]
    assert results[2].result == {"failures": 2}
