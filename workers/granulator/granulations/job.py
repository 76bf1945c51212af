"""A granulation as it is recorded and shown: what was asked for, what came of it, and how it was judged."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from workers.granulator.granulations.templates import Validation
from workers.granulator.quality.yardstick import Yardstick
from workers.granulator.structure import Brief, StructureType
from workers.granulator.wire import WireValue

JobStatus = Literal["processing", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known when a granulation begins; `job_id` is its stage's id."""

    job_id: str
    execution_id: str
    topic: str | None
    structure_type: StructureType
    template_name: str | None
    brief: Brief
    validation: Validation


@dataclass(frozen=True, slots=True)
class Made:
    """What a granulation gave: the structure's JSON document, its quality where it was judged, and what it took."""

    structure: dict[str, Any]
    quality: "Judgement | None"
    yardstick: Yardstick | None
    provider: str
    model: str | None
    tokens_used: int | None
    cost_usd: Decimal | None
    processing_time_ms: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A quality's JSON document with its score of 100, and whether that passes; both None where nothing is measured."""

    quality: dict[str, Any]
    score: float | None
    level: int
    threshold: float

    @property
    def passed(self) -> bool | None:
        return None if self.score is None else self.score >= self.threshold


class Fault(WireValue):
    """Why a granulation failed."""

    code: str
    message: str


class Job(WireValue):
    """A granulation as `GET /api/jobs` shows it. Times are ISO 8601 in UTC; what is not yet known is null."""

    job_id: str
    execution_id: str
    status: JobStatus
    topic: str | None
    title: str | None
    structure_type: str
    template_name: str | None
    granularity_level: int
    target_audience: str | None
    target_elements: int
    actual_elements: int | None
    validation_enabled: bool
    validation_level: int
    validation_threshold: float
    quality_score: float | None
    provider: str | None
    model: str | None
    tokens_used: int | None
    cost_usd: float | None
    processing_time_ms: int | None
    error: Fault | None
    created_at: str
    finished_at: str | None


class ValidationResult(WireValue):
    """One judging of a finished structure, as it was when it was judged."""

    job_id: str
    validation_level: int
    threshold: float
    passed: bool | None
    quality: dict[str, Any]
    created_at: str
