"""A granulation by providers of a test's own: what it says while it runs, and what its entry says however it ends."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path

import pytest

from protocol.packets import Metrics, Progress
from tests.unit.granulator_attempt import Attempt, granulator_in
from tests.unit.granulator_texts import BREAD, TIDES
from workers.granulator.granulating import Granulator
from workers.granulator.granulating import Progress as Under
from workers.granulator.granulations.book import Book
from workers.granulator.granulations.database import FILE_NAME
from workers.granulator.granulations.job import Fault, Job
from workers.granulator.inputs import GranulateInput
from workers.granulator.kinds import KINDS
from workers.granulator.providers.chain import Chain
from workers.granulator.providers.failure import ProviderError, ProviderFault
from workers.granulator.providers.provider import Expectation, Made, Order, Report, Spent
from workers.granulator.structure import Structure
from workers.kit import ActionError
from workers.kit.seams import SystemClock

TOPIC = GranulateInput(topic="Tides")
SPENT = Spent(900, 600, Decimal("0.003"))


class Provider:
    """Makes what its function says, after it has told that it began and was let go on."""

    model = "model-1"

    def __init__(self, make: Callable[[Order], Structure], name: str = "model", *, waits: bool = False) -> None:
        self.name = name
        self.orders: list[Order] = []
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self._make = make
        if not waits:
            self.let_go.set()

    async def make(self, order: Order, report: Report) -> Made:
        self.orders.append(order)
        report(0.5, "half of it")
        self.begun.set()
        await self.let_go.wait()
        return Made(self._make(order), self.name, self.model, SPENT)

    def expect(self, order: Order, unread_words: int = 0) -> Expectation:
        return Expectation("model/model-1", 100, 1_500, Decimal("0.003"))


def sketched(order: Order) -> Structure:
    structure: Structure = KINDS[order.type].skeleton(order.topic or "", order.brief)
    return structure


def built(order: Order) -> Structure:
    assert order.outline is not None
    structure: Structure = KINDS[order.type].build(order.outline, order.brief)
    return structure


def unavailable(order: Order) -> Structure:
    error = ProviderError(ProviderFault.UNAVAILABLE, "model is not there; try again later.")
    error.spent = Spent(100, 0, Decimal("0.001"))
    raise error


@asynccontextmanager
async def granulator_with(folder: Path, *providers: Provider) -> AsyncIterator[Granulator]:
    async with Book(folder) as book:
        chain = Chain({provider.name: provider for provider in providers}, [provider.name for provider in providers])
        yield Granulator(chain, book, SystemClock())


async def entry_of(granulator: Granulator) -> Job:
    entry = await granulator.book.job("stage")
    assert entry is not None
    return entry


async def test_what_a_provider_says_and_spends_is_in_progress_result_and_entry(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Provider(sketched)) as granulator:
        result = await granulator.granulate(TOPIC, attempt)
        entry = await entry_of(granulator)

    messages = [report.message for report in attempt.reports if isinstance(report, Progress)]
    assert messages == ["reading the source", "half of it", "judging the structure", "done"]
    assert (result["provider"], result["model"]) == ("model", "model-1")
    assert attempt.metrics(1) == Metrics(tokens_used=1_500, cost_usd=Decimal("0.003"), processing_time_ms=1)
    assert (entry.provider, entry.model, entry.tokens_used, entry.cost_usd) == ("model", "model-1", 1_500, 0.003)


async def test_while_it_runs_it_tells_how_far_it_is_and_afterwards_no_longer(tmp_path: Path) -> None:
    provider = Provider(sketched, waits=True)
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
    async with granulator_with(tmp_path, Provider(unavailable, "first"), Provider(sketched, "second")) as granulator:
        result = await granulator.granulate(TOPIC, attempt)

    assert result["provider"] == "second"
    assert result["failedProviders"] == [
        {"provider": "first", "code": "provider_unavailable", "reason": "model is not there; try again later."}
    ]
    assert attempt.metrics(1).tokens_used == 1_600


async def test_where_every_provider_fails_the_entry_has_the_reason_and_the_spending_counts(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    async with granulator_with(tmp_path, Provider(unavailable)) as granulator:
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
    provider = Provider(sketched, waits=True)
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
    provider = Provider(built)
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
    async with granulator_with(tmp_path, Provider(sketched)) as granulator:
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
