"""Providers of a test's own, which make what a function says, and a granulator that asks them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from workers.granulator.granulating import Granulator
from workers.granulator.granulations.book import Book
from workers.granulator.kinds import KINDS
from workers.granulator.providers.chain import Chain
from workers.granulator.providers.failure import ProviderError, ProviderFault
from workers.granulator.providers.provider import Expectation, Made, Order, Provider, Report, Spent
from workers.granulator.structure import Structure
from workers.kit.seams import SystemClock

SPENT = Spent(900, 600, Decimal("0.003"))


class Scripted:
    """A provider that makes what its function says, after it has told that it began and was let go on."""

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
