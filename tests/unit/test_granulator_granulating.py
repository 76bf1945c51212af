"""A granulation by providers of a test's own: what it says while it runs, and what its entry says however it ends."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from protocol.packets import Metrics, Progress
from tests.unit.granulator_attempt import Attempt, granulator_in
from tests.unit.granulator_providers import Scripted, built, granulator_with, sketched, unavailable
from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.granulating import Granulator
from workers.granulator.granulating import Progress as Under
from workers.granulator.granulations.database import FILE_NAME
from workers.granulator.granulations.job import Fault, Job
from workers.granulator.inputs import GranulateInput
from workers.granulator.kinds import KINDS
from workers.kit import ActionError

TOPIC = GranulateInput(topic="Tides")


async def entry_of(granulator: Granulator) -> Job:
    entry = await granulator.book.job("stage")
    assert entry is not None
    return entry


async def test_what_a_provider_says_and_spends_is_in_progress_result_and_entry(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Scripted(sketched)) as granulator:
        result = await granulator.granulate(TOPIC, attempt)
        entry = await entry_of(granulator)

    messages = [report.message for report in attempt.reports if isinstance(report, Progress)]
    assert messages == ["reading the source", "half of it", "judging the structure", "done"]
    assert (result["provider"], result["model"]) == ("model", "model-1")
    assert attempt.metrics(1) == Metrics(tokens_used=1_500, cost_usd=Decimal("0.003"), processing_time_ms=1)
    assert (entry.provider, entry.model, entry.tokens_used, entry.cost_usd) == ("model", "model-1", 1_500, 0.003)


async def test_while_it_runs_it_tells_how_far_it_is_and_afterwards_no_longer(tmp_path: Path) -> None:
    provider = Scripted(sketched, waits=True)
    async with granulator_with(tmp_path, provider) as granulator:
        running = asyncio.create_task(granulator.granulate(TOPIC, Attempt(tmp_path)))
        await provider.begun.wait()

        progress, status = granulator.progress_of("stage"), (await entry_of(granulator)).status
        provider.let_go.set()
        await running

        assert (progress, status) == (Under(52.5, "half of it"), "processing")
        assert granulator.progress_of("stage") is None


async def test_a_provider_that_failed_is_named_and_what_it_spent_is_counted(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Scripted(unavailable, "first"), Scripted(sketched, "second")) as granulator:
        result = await granulator.granulate(TOPIC, attempt)

    assert result["provider"] == "second"
    assert result["failedProviders"] == [
        {"provider": "first", "code": "provider_unavailable", "reason": "model is not there; try again later."}
    ]
    assert attempt.metrics(1).tokens_used == 1_600


async def test_where_every_provider_fails_the_entry_has_the_reason_and_the_spending_counts(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Scripted(unavailable)) as granulator:
        with pytest.raises(ActionError) as failed:
            await granulator.granulate(TOPIC, attempt)
        entry = await entry_of(granulator)

    assert (failed.value.failure.code, failed.value.failure.retryable) == ("provider_unavailable", True)
    assert (entry.status, entry.error) == (
        "failed",
        Fault(code="provider_unavailable", message="model is not there; try again later."),
    )
    assert attempt.metrics(1).tokens_used == 100


async def test_a_cancelled_granulation_is_entered_as_such(tmp_path: Path) -> None:
    provider = Scripted(sketched, waits=True)
    async with granulator_with(tmp_path, provider) as granulator:
        running = asyncio.create_task(granulator.granulate(TOPIC, Attempt(tmp_path)))
        await provider.begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        entry = await entry_of(granulator)

    assert (entry.status, entry.error) == (
        "failed",
        Fault(code="cancelled", message="The attempt was told to stop."),
    )


async def test_a_provider_is_given_the_outline_of_the_documents_and_the_brief(tmp_path: Path) -> None:
    provider = Scripted(built)
    given = GranulateInput.model_validate({"documents": [{"text": BREAD}, {"text": TIDES}], "granularityLevel": 1})
    async with granulator_with(tmp_path, provider) as granulator:
        result = await granulator.granulate(given, Attempt(tmp_path))

    (order,) = provider.orders
    assert order.outline is not None
    assert [section.heading for section in order.outline.sections if section.level == 1] == [
        "Bread fermentation",
        "How tides work",
    ]
    assert order.brief.granularity_level == 1
    assert result["quality"]["measures"]["coverage"] > 0


async def test_a_book_that_cannot_be_written_is_worth_another_attempt(tmp_path: Path) -> None:
    async with granulator_with(tmp_path, Scripted(sketched)) as granulator:
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
            connection.execute("DROP TABLE granulation_jobs")
        with pytest.raises(ActionError) as failed:
            await granulator.granulate(TOPIC, Attempt(tmp_path))

    assert (failed.value.failure.code, failed.value.failure.retryable) == ("book_unavailable", True)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("given", [{"text": TIDES}, {"topic": "Tides"}], ids=["text", "topic"])
async def test_a_structure_of_every_kind_comes_back_from_the_book_as_it_was_made(
    kind: str, given: dict[str, str], tmp_path: Path
) -> None:
    async with granulator_in(tmp_path) as granulator:
        request = GranulateInput.model_validate({**given, "structureType": kind})
        result = await granulator.granulate(request, Attempt(tmp_path))
        found = await granulator.book.structure("stage")

    assert found is not None
    assert found[1] == result["structure"]
    assert result["structure"]["type"] == result["structureType"] == kind
    assert found[0].actual_elements == result["granulationSummary"]["totalElements"] > 0
