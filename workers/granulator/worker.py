"""The Content Granulator as a worker: reads documents, outlines, granulates, indexes and validates.

What a text holds is found by numpy and pure Python in a thread, so the event loop stays free. A document, a text or a
topic that cannot be used is the sender's to mend and final: no other worker could do better with it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, Literal

from aiohttp.web import AbstractRouteDef

from workers.granulator.actions import Json, index_document, measure, outline_document
from workers.granulator.assembly import AssembleInput, assembled
from workers.granulator.endpoints import Endpoints
from workers.granulator.estimates import FLOOR_MB, FLOOR_MS, estimate_ms, memory_mb
from workers.granulator.granulating import CPU, Granulator, gathered, reading_ms, said_in_a_sentence
from workers.granulator.granulations.book import Book
from workers.granulator.inputs import DocumentInput, GranulateInput, OutlineInput, ReadInput, ValidateInput
from workers.granulator.intake.gathering import Gathered
from workers.granulator.providers.configured import configured
from workers.kit import Context, Estimate, Home, Worker
from workers.kit.seams import SystemClock

SLOTS: Final = 4


class GranulatorProcess:
    """What the declared actions share in one process: the granulator, from its start to its stop."""

    def __init__(self) -> None:
        self._opened: Granulator | None = None

    @asynccontextmanager
    async def open(self, home: Home) -> AsyncIterator[None]:
        """Opens the book in the worker's folder, and the providers that the environment sets up."""
        chain = configured(os.environ)
        async with Book(home.data_folder) as book:
            self._opened = Granulator(chain, book, SystemClock())
            try:
                yield
            finally:
                self._opened = None

    def endpoints(self) -> Iterable[AbstractRouteDef]:
        return Endpoints(self._granulator).routes()

    def estimate(self, given: GranulateInput) -> Estimate:
        return self._granulator.estimate(given)

    async def granulate(self, given: GranulateInput, context: Context) -> Json:
        """A structure of one of six types, from an outline, documents, or a topic alone."""
        return await self._granulator.granulate(given, context)

    @property
    def _granulator(self) -> Granulator:
        if self._opened is None:
            raise RuntimeError("the granulator is opened when its process starts, and not before")
        return self._opened


async def outline(given: OutlineInput, context: Context) -> Json:
    """Sections, key terms and key sentences of a text; of a topic alone, that there are none."""
    request = given.beyond_the_source
    if not given.given:
        return outline_document(None, request)
    return await _read(given, context, lambda source: outline_document(source, request), "outlining the text")


async def index_terms(given: ReadInput, context: Context) -> Json:
    """The text's terms, weighted, with the sections they occur in."""
    return await _read(given, context, index_document, "weighing the terms")


async def assemble(given: AssembleInput) -> Json:
    """One document of several structures."""
    return assembled(given)


async def validate(given: ValidateInput, context: Context) -> Json:
    """How good structures are, measured in themselves and against their source."""
    await context.progress(5, "measuring what was made")
    return await asyncio.to_thread(measure, given)


def weigh_reading(action: Literal["outline", "index_terms"]) -> Callable[[DocumentInput], Estimate]:
    """The estimate of an action on documents, from their size; it refuses what is too large."""

    def weigh(given: DocumentInput) -> Estimate:
        return Estimate(ms=reading_ms(given, action), memory_mb=memory_mb(given.words), cpu=CPU)

    return weigh


def weigh_assembly(given: AssembleInput) -> Estimate:
    return Estimate(ms=FLOOR_MS, memory_mb=FLOOR_MB, cpu=CPU)


def weigh_validation(given: ValidateInput) -> Estimate:
    return Estimate(ms=estimate_ms("validate", given.words), memory_mb=memory_mb(given.words), cpu=CPU)


async def _read(given: DocumentInput, context: Context, use: Callable[[Gathered], Json], doing: str) -> Json:
    with said_in_a_sentence():
        source = await gathered(given, context, lambda what: context.progress(5, what))
        await context.progress(30, doing)
        return await asyncio.to_thread(use, source)


def declared() -> Worker:
    """A worker with the granulator's actions and endpoints, which share nothing with those of another."""
    process = GranulatorProcess()
    made = Worker("granulator", version="0.2", slots=SLOTS, default_action="granulate")
    made.on_start(process.open)
    made.serve(process.endpoints)
    made.action("outline", estimate=weigh_reading("outline"))(outline)
    made.action("granulate", estimate=process.estimate)(process.granulate)
    made.action("index_terms", estimate=weigh_reading("index_terms"))(index_terms)
    made.action("assemble", estimate=weigh_assembly)(assemble)
    made.action("validate", estimate=weigh_validation)(validate)
    return made


worker = declared()

if __name__ == "__main__":
    worker.main()
