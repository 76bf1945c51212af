"""The granulator's own HTTP endpoints: its book of granulations, their structures nested again, and its templates.

They stand behind the worker's secret and answer errors in its shape. What the book does not know of an attempt, the
kit answers as it does for every worker.
"""

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import Final, get_args

from aiohttp import web
from pydantic import Field

from protocol.packets import Identifier, Model
from workers.granulator.actions import Json, document, quality_of
from workers.granulator.granulating import Granulator
from workers.granulator.granulations.book import ShippedTemplate, TooManyTemplates
from workers.granulator.granulations.job import Job, JobStatus, Judgement
from workers.granulator.granulations.templates import OwnTemplate
from workers.granulator.kinds import UnknownType, kind_of, parse
from workers.kit.http_gate import DESCRIBE, Refused, answer, read_body

MOST_JOBS: Final = 100
USUAL_JOBS: Final = 50
_NUMBER: Final = re.compile(r"[0-9]{1,18}")  # SQLite's integers have 64 bits
STATUSES: Final[tuple[JobStatus, ...]] = get_args(JobStatus)


class ValidateBody(Model):
    """`POST /api/validate`: which structure is judged again, and how; what is left out is as it was first judged."""

    job_id: Identifier
    validation_level: int | None = Field(default=None, ge=1, le=3)
    custom_threshold: float | None = Field(default=None, ge=0, le=100)


class Endpoints:
    """The handlers, over one granulator."""

    def __init__(self, granulator: Granulator) -> None:
        self._granulator = granulator
        self._book = granulator.book

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return (
            web.get("/api/jobs", self.jobs),
            web.get("/api/jobs/{id}", self.job),
            web.get("/api/jobs/{id}/status", self.status),
            web.get("/api/jobs/{id}/structure", self.structure),
            web.get("/api/templates", self.templates),
            web.get("/api/templates/{name}", self.template),
            web.post("/api/templates", self.keep_template),
            web.post("/api/validate", self.validate),
        )

    async def jobs(self, request: web.Request) -> web.Response:
        """Granulations, newest first, a page at a time."""
        page = await self._book.jobs(
            _status(request.query.get("status")), _limit(request.query.get("limit")), _read_cursor(request)
        )
        cursor = None if page.before is None else _cursor(page.before)
        return answer({"jobs": [document(job) for job in page.jobs], "nextCursor": cursor})

    async def job(self, request: web.Request) -> web.StreamResponse:
        """One granulation with its judgements; an attempt that is none is described by the kit."""
        job = await self._book.job(request.match_info["id"])
        if job is None:
            return await request.app[DESCRIBE](request)
        judgements = await self._book.judgements(job.job_id)
        return answer({**document(job), "validations": [document(judgement) for judgement in judgements]})

    async def status(self, request: web.Request) -> web.Response:
        """How far a granulation is."""
        job = await self._job(request.match_info["id"])
        progress = self._granulator.progress_of(job.job_id)
        done = 100.0 if job.status == "completed" else 0.0
        return answer(
            {
                "jobId": job.job_id,
                "executionId": job.execution_id,
                "status": job.status,
                "progress": progress.percent if progress else done,
                "message": progress.message if progress else job.status,
                "qualityScore": job.quality_score,
                "error": None if job.error is None else document(job.error),
            }
        )

    async def structure(self, request: web.Request) -> web.Response:
        """The structure that was made, nested."""
        job, structure = await self._made(request.match_info["id"])
        return answer({"jobId": job.job_id, "structureType": job.structure_type, "structure": structure})

    async def templates(self, request: web.Request) -> web.Response:
        """All templates, or those of one type, the most used first."""
        wanted = request.query.get("structureType") or request.query.get("structure_type")
        if wanted is not None:
            try:
                kind_of(wanted)
            except UnknownType as error:
                raise Refused(400, "invalid_parameter", str(error), path="structureType") from None
        chosen = [template for template in self._book.templates if wanted in (None, template.structure_type)]
        chosen.sort(key=lambda template: (-template.usage_count, template.template_name))
        return answer({"templates": [document(template) for template in chosen]})

    async def template(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        found = next((one for one in self._book.templates if one.template_name.lower() == name.lower()), None)
        if found is None:
            raise Refused(404, "not_found", f"there is no template {name}; GET /api/templates lists those there are")
        return answer(document(found))

    async def keep_template(self, request: web.Request) -> web.Response:
        """Keeps an own template: 201 for a new one, 200 in the place of the one before, 409 against a shipped one."""
        own = await read_body(request, OwnTemplate)
        try:
            template, is_new = await self._book.keep_template(own)
        except ShippedTemplate as error:
            raise Refused(409, "template_exists", str(error)) from None
        except TooManyTemplates as error:
            raise Refused(409, "too_many_templates", str(error)) from None
        return answer(document(template), 201 if is_new else 200)

    async def validate(self, request: web.Request) -> web.Response:
        """Judges a finished structure again, against what its source was measured to hold."""
        body = await read_body(request, ValidateBody)
        job, structure = await self._made(body.job_id)
        yardstick = await self._book.yardstick(job.job_id)
        level = body.validation_level or job.validation_level
        quality = await asyncio.to_thread(lambda: quality_of(parse(structure), yardstick, level, job.target_audience))
        threshold = job.validation_threshold if body.custom_threshold is None else body.custom_threshold
        result = await self._book.judge(job.job_id, Judgement(quality, quality["score"], level, threshold))
        if result is None:
            raise _no_job(body.job_id)
        return answer(document(result))

    async def _job(self, wanted: str) -> Job:
        job = await self._book.job(wanted)
        if job is None:
            raise _no_job(wanted)
        return job

    async def _made(self, wanted: str) -> tuple[Job, Json]:
        found = await self._book.structure(wanted)
        if found is None:
            raise _no_job(wanted)
        job, structure = found
        if structure is None:
            message = f"the job {job.job_id} is {job.status} and has no structure"
            raise Refused(409, "no_structure", message, jobStatus=job.status)
        return job, structure


def _no_job(wanted: str) -> Refused:
    return Refused(404, "not_found", f"no granulation with {wanted} as its job, stage or execution is known here")


def _status(given: str | None) -> JobStatus | None:
    for status in STATUSES:
        if given == status:
            return status
    if given is None:
        return None
    raise Refused(400, "invalid_parameter", f"status is one of {', '.join(STATUSES)}", path="status")


def _limit(given: str | None) -> int:
    if given is None:
        return USUAL_JOBS
    if not _NUMBER.fullmatch(given) or not 1 <= int(given) <= MOST_JOBS:
        raise Refused(400, "invalid_parameter", f"limit is a number from 1 to {MOST_JOBS}", path="limit")
    return int(given)


def _cursor(before: int) -> str:
    return urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def _read_cursor(request: web.Request) -> int | None:
    given = request.query.get("cursor")
    if given is None:
        return None
    try:
        before = urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode("ascii")
    except (NotBase64, ValueError):
        before = ""
    if not _NUMBER.fullmatch(before):
        raise Refused(400, "invalid_parameter", "the cursor is the nextCursor of a page before", path="cursor")
    return int(before)
