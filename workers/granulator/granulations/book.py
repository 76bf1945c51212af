"""The granulator's book: every granulation from its beginning to its end, its elements, its judgements, the templates.

A stage that is begun anew, by a later attempt, has one entry: the last. What an earlier attempt still has to say is
not written. A process that finds granulations under way at its start did not survive them, and says so of them.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from workers.granulator.granulations import job_rows, template_rows
from workers.granulator.granulations.database import Database
from workers.granulator.granulations.elements import put_together, taken_apart
from workers.granulator.granulations.job import Begun, Fault, Job, JobStatus, Judgement, Made, ValidationResult
from workers.granulator.granulations.templates import OwnTemplate, Template, shipped_templates
from workers.granulator.quality.yardstick import Yardstick

Ticket = int
"""Names one beginning of a job, so that only who began it may end it."""

MOST_OWN_TEMPLATES: Final = 1_000
INTERRUPTED: Final = Fault(code="interrupted", message="The worker stopped in the middle of it.")


@dataclass(frozen=True, slots=True)
class Retention:
    """How many finished granulations are kept, and for how long; and how many judgements of each."""

    jobs: int = 1_000
    age: timedelta = timedelta(days=30)
    judgements: int = 20


class ShippedTemplate(ValueError):
    """A shipped template cannot be replaced; the message says what to do."""


class TooManyTemplates(ValueError):
    """No more own templates are kept."""


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs, newest first, and the sequence number to go on before, where there are more."""

    jobs: tuple[Job, ...]
    before: int | None


class Book:
    """Entered, it is open. Its methods wait for the disk without blocking the loop, and raise sqlite3.Error."""

    def __init__(self, folder: Path, retention: Retention | None = None) -> None:
        self._database = Database(folder)
        self._retention = retention or Retention()
        self._templates: tuple[Template, ...] = ()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._database)
            await self._database.do(lambda rows: job_rows.fail_unfinished(rows, INTERRUPTED))
            shipped = shipped_templates()
            self._templates = await self._database.do(lambda rows: template_rows.prepared(rows, shipped))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def templates(self) -> tuple[Template, ...]:
        """All templates with their use so far, in memory: an offer waits for what is looked up here."""
        return self._templates

    async def keep_template(self, template: OwnTemplate) -> tuple[Template, bool]:
        """The template as it is kept, and whether it is new; raises ShippedTemplate or TooManyTemplates."""

        def keep(rows: sqlite3.Connection) -> tuple[tuple[Template, ...], bool]:
            known = {known.template_name.lower(): known for known in template_rows.all_of(rows)}
            before = known.get(template.template_name.lower())
            if before is not None and before.is_shipped:
                raise ShippedTemplate(f"{before.template_name} is a shipped template; give yours a name of its own.")
            if before is None and len(known) >= MOST_OWN_TEMPLATES:
                raise TooManyTemplates(f"At most {MOST_OWN_TEMPLATES:,} templates are kept here.")
            template_rows.put(rows, template)
            return template_rows.all_of(rows), before is None

        self._templates, is_new = await self._database.do(keep)
        kept = next(item for item in self._templates if item.template_name == template.template_name)
        return kept, is_new

    async def begin(self, begun: Begun) -> Ticket:
        """Enters a granulation as processing, in the place of an earlier one of the same id."""

        def write(rows: sqlite3.Connection) -> tuple[Ticket, tuple[Template, ...]]:
            if begun.template_name is not None:
                template_rows.count_use(rows, begun.template_name)
            return job_rows.begin(rows, begun), template_rows.all_of(rows)

        ticket, self._templates = await self._database.do(write)
        return ticket

    async def complete(self, ticket: Ticket, made: Made) -> None:
        """Enters what was made, with its judgement, and forgets what has been kept for long enough."""
        elements = taken_apart(made.structure)

        def write(rows: sqlite3.Connection) -> None:
            if job_rows.complete(rows, ticket, made, elements):
                if made.quality is not None:
                    job_rows.judge(rows, ticket, made.quality, self._retention.judgements)
                job_rows.forget(rows, self._retention.jobs, self._retention.age)

        await self._database.do(write)

    async def fail(self, ticket: Ticket, fault: Fault, processing_time_ms: int) -> None:
        """Enters that nothing was made, and why."""

        def write(rows: sqlite3.Connection) -> None:
            job_rows.fail(rows, ticket, fault, processing_time_ms)
            job_rows.forget(rows, self._retention.jobs, self._retention.age)

        await self._database.do(write)

    async def job(self, wanted: str) -> Job | None:
        """The granulation of a job's or stage's id, else the newest of an execution's."""
        found = await self._database.do(lambda rows: job_rows.find(rows, wanted))
        return None if found is None else found[1]

    async def jobs(self, status: JobStatus | None, limit: int, before: int | None) -> Page:
        """Granulations, newest first."""
        found = await self._database.do(lambda rows: job_rows.newest(rows, status, limit + 1, before))
        rest = found[limit - 1][0] if len(found) > limit else None
        return Page(tuple(job for _, job in found[:limit]), rest)

    async def structure(self, wanted: str) -> tuple[Job, dict[str, Any] | None] | None:
        """A granulation with its structure nested again, None where it has none; None where there is no such one."""

        def read(rows: sqlite3.Connection) -> tuple[Job, Sequence[Any]] | None:
            found = job_rows.find(rows, wanted)
            return None if found is None else (found[1], job_rows.elements(rows, found[0]))

        found = await self._database.do(read)
        if found is None:
            return None
        job, elements = found
        return job, put_together(elements) if elements else None

    async def yardstick(self, job_id: str) -> Yardstick | None:
        """What a granulation's source was measured to hold; None where it had none."""
        return await self._database.do(lambda rows: job_rows.yardstick(rows, job_id))

    async def judge(self, job_id: str, judgement: Judgement) -> ValidationResult | None:
        """Enters a judgement and returns it as entered; None where the granulation is no longer here."""

        def write(rows: sqlite3.Connection) -> ValidationResult | None:
            found = job_rows.find(rows, job_id)
            return None if found is None else job_rows.judge(rows, found[0], judgement, self._retention.judgements)

        return await self._database.do(write)

    async def judgements(self, job_id: str) -> tuple[ValidationResult, ...]:
        """The judgements of a granulation, newest first."""
        return await self._database.do(lambda rows: job_rows.judgements(rows, job_id))
