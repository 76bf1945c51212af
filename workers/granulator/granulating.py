"""One granulation from its input to its entry in the book: read, order, make, judge, correct once, record.

Whatever ends it, the book says so. What the sender can mend fails for good with a sentence; what may pass by itself is
worth another attempt.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from workers.granulator.actions import Json, document, outlined
from workers.granulator.commission import Commission, commissioned
from workers.granulator.estimates import estimate_ms, fetching_ms, memory_mb
from workers.granulator.granulations.book import Book
from workers.granulator.granulations.job import Begun, Fault, Made
from workers.granulator.inputs import DocumentInput, GranulateInput
from workers.granulator.intake.apart import ReaderFailed
from workers.granulator.intake.gathering import Gathered, gather
from workers.granulator.intake.given import TooLarge
from workers.granulator.judging import Correction, Judged, better, check_passed, correcting, judged
from workers.granulator.providers.chain import Chain, FailedProvider, NoProviderLeft, Outcome
from workers.granulator.providers.provider import Order, Spent
from workers.granulator.quality.yardstick import Yardstick, from_outline
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Structure
from workers.kit import ActionError, Context, Estimate, Refuse
from workers.kit.seams import Clock

CPU: Final = 0.5

# Where the parts of a granulation begin, in percent of the whole.
READ, MADE, JUDGED = 25, 80, 95

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a granulation is, 0 to 100, and what it is at."""

    percent: float
    message: str


class Granulator:
    """Makes structures by a chain of providers and keeps the book of them."""

    def __init__(self, chain: Chain, book: Book, clock: Clock) -> None:
        self.book = book
        self._chain = chain
        self._clock = clock
        self._under_way: dict[str, Progress] = {}

    def progress_of(self, job_id: str) -> Progress | None:
        """How far a granulation is that is under way."""
        return self._under_way.get(job_id)

    def estimate(self, given: GranulateInput) -> Estimate:
        """What a granulation will take; raises Refuse for what is too large, ActionError for what nothing comes of."""
        with said_in_a_sentence("invalid_input"):
            commission = commissioned(given, self.book.templates)
            order = Order(commission.type, given.topic or "", given.outline, commission.brief)
            expected = self._chain.expect(order, given.providers, given.words)
        reading = 0.0 if given.outline is not None else reading_ms(given, "outline")
        return Estimate(
            ms=reading + expected.ms,
            tokens=expected.tokens,
            cost_usd=expected.cost_usd,
            memory_mb=memory_mb(given.words),
            cpu=CPU,
            api_calls=1 if expected.tokens else 0,
            key=f"{commission.type}/{expected.key}",
        )

    async def granulate(self, given: GranulateInput, context: Context) -> Json:
        """The action `granulate`: the structure with its quality, who made it, and the id of its entry in the book."""
        began = self._clock.monotonic()
        with said_in_a_sentence():
            commission = commissioned(given, self.book.templates)
            ticket = await self.book.begin(_begun(given, commission, context))
        try:
            with said_in_a_sentence():
                result, made = await self._made(given, commission, context, began)
                await self.book.complete(ticket, made)
        except BaseException as error:
            await self.book.fail(ticket, _fault(error), self._passed_ms(began))
            raise
        finally:
            self._under_way.pop(context.stage_id, None)
        return result

    async def _made(
        self, given: GranulateInput, commission: Commission, context: Context, began: float
    ) -> tuple[Json, Made]:
        self._say(context, 1, "reading the source")
        source = await self._outline(given, context)
        order = Order(commission.type, given.topic, source, commission.brief)
        outcome = await self._ordered(order, given.providers, context)
        self._say(context, MADE, "judging the structure")
        yardstick = None if source is None else from_outline(source)
        kept, spent = await asyncio.to_thread(judged, outcome, yardstick, commission), outcome.spent
        correction = None
        if kept.falls_short:
            kept, correction, further = await self._corrected(order, kept, yardstick, commission, given, context)
            spent += further
        check_passed(kept, commission)
        self._say(context, JUDGED, "done")
        made = Made(
            structure=document(kept.structure),
            quality=kept.judgement,
            yardstick=yardstick,
            provider=kept.outcome.made.provider,
            model=kept.outcome.made.model,
            tokens_used=spent.tokens,
            cost_usd=spent.cost_usd,
            processing_time_ms=self._passed_ms(began),
        )
        return _result(context.stage_id, commission, kept, made, correction, outcome.attempts), made

    async def _corrected(
        self,
        order: Order,
        first: Judged,
        yardstick: Yardstick | None,
        commission: Commission,
        given: GranulateInput,
        context: Context,
    ) -> tuple[Judged, Correction, Spent]:
        """The better of two versions, what came of the correction round, and what that consumed.

        Who failed to make the first version is not asked again; where nobody makes another, the first one stands.
        """
        score, threshold = first.quality.score, commission.validation.threshold
        self._say(context, MADE, f"correcting the structure, which scores {score:g} where {threshold:g} are wanted")
        failed = {attempt.provider for attempt in first.outcome.attempts}
        try:
            second = await self._ordered(
                correcting(order, first), given.providers, context, begins=MADE, ends=JUDGED, without=failed
            )
        except NoProviderLeft as error:
            reason = error.failure.message
            return first, Correction(before=score, after=None, changed=False, reason=reason), error.spent
        kept, correction = better(first, await asyncio.to_thread(judged, second, yardstick, commission))
        return kept, correction, second.spent

    async def _outline(self, given: GranulateInput, context: Context) -> Outline | None:
        if given.outline is not None or not given.given:
            return given.outline
        source = await gathered(given, context, lambda what: self._say(context, 2, what))
        self._say(context, READ / 2, "outlining the source")
        return await asyncio.to_thread(outlined, source)

    async def _ordered(
        self,
        order: Order,
        preference: Sequence[str],
        context: Context,
        *,
        begins: float = READ,
        ends: float = MADE,
        without: Collection[str] = (),
    ) -> Outcome:
        def report(share: float, what: str) -> None:
            self._say(context, begins + (ends - begins) * share, what)

        try:
            outcome = await self._chain.make(order, report, preference, without)
        except NoProviderLeft as error:
            _report_usage(context, error.spent)
            raise
        _report_usage(context, outcome.spent)
        return outcome

    def _say(self, context: Context, percent: float, what: str) -> None:
        self._under_way[context.stage_id] = Progress(percent, what)
        context.progress(percent, what)

    def _passed_ms(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1_000)


async def gathered(given: DocumentInput, context: Context, say: Callable[[str], object]) -> Gathered:
    """The input's documents as one text; `say` is told what is being read."""
    return await gather(given.given, given.title, context, say)


def reading_ms(given: DocumentInput, action: Any) -> float:
    """What it will take to read the input's documents and to do `action` with the text; raises Refuse."""
    try:
        given.check_sizes()
    except TooLarge as error:
        raise Refuse("too_large", str(error)) from None
    if not given.given:
        return 0.0
    fetched = sum(one.words for one in given.given if one.text is None)
    return estimate_ms(action, given.words) + (fetching_ms(fetched) if fetched else 0)


@contextmanager
def said_in_a_sentence(code: str = "unusable_input") -> Iterator[None]:
    """Errors of the input as an ActionError that is final; those of the place as one that is not."""
    try:
        yield
    except (ActionError, Refuse):
        raise
    except ValueError as error:
        raise ActionError(code, str(error)) from error
    except sqlite3.OperationalError as error:  # a full disk, a file taken away; anything else is a fault of ours
        message = f"The granulator's book cannot be read or written: {error}."
        raise ActionError("book_unavailable", message, retryable=True) from error
    except ReaderFailed as error:
        raise ActionError("reader_failed", str(error), retryable=True) from error


def _begun(given: GranulateInput, commission: Commission, context: Context) -> Begun:
    return Begun(
        job_id=context.stage_id,
        execution_id=context.execution_id,
        topic=given.topic,
        structure_type=commission.type,
        template_name=commission.template.template_name if commission.template else None,
        brief=commission.brief,
        validation=commission.validation,
    )


def _result(
    job_id: str,
    commission: Commission,
    kept: Judged,
    made: Made,
    correction: Correction | None,
    failed: Sequence[FailedProvider],
) -> Json:
    validation, judgement = commission.validation, kept.judgement
    return {
        "jobId": job_id,
        "structureType": commission.type,
        "structure": made.structure,
        "granulationSummary": _summary(kept.structure),
        "quality": judgement.quality,
        "qualityScore": judgement.score,
        "validation": {**document(validation), "passed": judgement.passed} if validation.enabled else None,
        "correction": None if correction is None else document(correction),
        "template": _template(commission),
        "brief": document(commission.brief),
        "provider": made.provider,
        "model": made.model,
        "failedProviders": [document(attempt) for attempt in failed],
        "warnings": list(commission.warnings),
    }


def _template(commission: Commission) -> Json | None:
    if commission.match is None:
        return None
    return {"templateName": commission.match.template.template_name, "matchedBy": commission.match.by}


def _summary(structure: Structure) -> Json:
    """How many elements there are below the root, of which types, and on how many levels."""
    counts: Counter[str] = Counter()
    level, levels = list(structure.children), 0
    while level:
        levels += 1
        counts.update(element.type for element in level)
        level = [child for element in level for child in element.children]
    return {"totalElements": counts.total(), "levels": levels, "elements": dict(counts)}


def _report_usage(context: Context, spent: Spent) -> None:
    context.report_usage(tokens=spent.tokens, cost_usd=spent.cost_usd)


def _fault(error: BaseException) -> Fault:
    if isinstance(error, ActionError):
        return Fault(code=error.failure.code, message=error.failure.message)
    if isinstance(error, asyncio.CancelledError):
        return Fault(code="cancelled", message="The attempt was told to stop.")
    return Fault(code="worker_error", message=f"{type(error).__name__}: {error}")
