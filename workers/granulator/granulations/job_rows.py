"""The statements on jobs, their elements and judgements; each is one piece of a transaction that its caller holds."""

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import TypeAdapter

from protocol.codec import MAX_RESULT_BYTES, dumps, loads
from workers.granulator.granulations.elements import ElementRow
from workers.granulator.granulations.job import Begun, Fault, Job, JobStatus, Judgement, Made, ValidationResult
from workers.granulator.quality.yardstick import Yardstick

_NOW: Final = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_LONGEST_MESSAGE: Final = 10_000
_YARDSTICK: Final = TypeAdapter(Yardstick)

Found = tuple[int, Job]
"""A job with its sequence number."""


def begin(rows: sqlite3.Connection, begun: Begun) -> int:
    """The sequence number of a job that now is processing; one of the same id before it is gone."""
    rows.execute("DELETE FROM granulation_jobs WHERE job_id = ?", [begun.job_id])
    cursor = rows.execute(
        """
        INSERT INTO granulation_jobs (job_id, execution_id, topic, structure_type, template_name, granularity_level,
            target_audience, target_elements, validation_enabled, validation_level, validation_threshold)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            *(begun.job_id, begun.execution_id, begun.topic, begun.structure_type, begun.template_name),
            *(begun.brief.granularity_level, begun.brief.audience, begun.brief.max_elements),
            *(begun.validation.enabled, begun.validation.level, begun.validation.threshold),
        ],
    )
    assert cursor.lastrowid is not None, "an INSERT has made a row"
    return cursor.lastrowid


def complete(rows: sqlite3.Connection, sequence: int, made: Made, elements: Sequence[ElementRow]) -> bool:
    """Whether the job was still processing, and so is completed now with these elements."""
    yardstick = None if made.yardstick is None else _YARDSTICK.dump_json(made.yardstick).decode()
    changed = rows.execute(
        f"""
        UPDATE granulation_jobs
        SET status = 'completed', title = ?, actual_elements = ?, quality_score = ?, provider = ?, model = ?,
            tokens_used = ?, cost_usd = ?, processing_time_ms = ?, yardstick = ?, finished_at = {_NOW}
        WHERE sequence = ? AND status = 'processing'
        """,
        [
            *(made.structure.get("title", ""), len(elements) - 1, made.quality and made.quality.score),
            *(made.provider, made.model, made.tokens_used),
            *(None if made.cost_usd is None else str(made.cost_usd), made.processing_time_ms, yardstick, sequence),
        ],
    ).rowcount
    if changed:
        rows.executemany(
            "INSERT INTO structure_elements VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(sequence, row.element_id, row.parent_id, row.sequence_order),
                    *(row.element_type, row.title, row.description, dumps(row.attributes).decode()),
                )
                for row in elements
            ],
        )
    return bool(changed)


def fail(rows: sqlite3.Connection, sequence: int, fault: Fault, processing_time_ms: int) -> None:
    rows.execute(
        f"""
        UPDATE granulation_jobs
        SET status = 'failed', error_code = ?, error_message = ?, processing_time_ms = ?, finished_at = {_NOW}
        WHERE sequence = ? AND status = 'processing'
        """,
        [fault.code, fault.message[:_LONGEST_MESSAGE], processing_time_ms, sequence],
    )


def fail_unfinished(rows: sqlite3.Connection, fault: Fault) -> None:
    """Every job that is processing has failed."""
    rows.execute(
        f"""
        UPDATE granulation_jobs SET status = 'failed', error_code = ?, error_message = ?, finished_at = {_NOW}
        WHERE status = 'processing'
        """,
        [fault.code, fault.message],
    )


def forget(rows: sqlite3.Connection, most: int, age: timedelta) -> None:
    """Deletes the finished jobs beyond the newest `most`, and those that finished `age` ago or earlier."""
    rows.execute(
        """
        DELETE FROM granulation_jobs WHERE status != 'processing' AND (
            sequence <= (SELECT sequence FROM granulation_jobs ORDER BY sequence DESC LIMIT 1 OFFSET ?)
            OR finished_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)
        )
        """,
        [most, f"-{age.total_seconds():.3f} seconds"],
    )


def find(rows: sqlite3.Connection, wanted: str) -> Found | None:
    """The job of this id, else the newest of the execution of this id."""
    row = rows.execute(
        """
        SELECT * FROM granulation_jobs WHERE job_id = ?1 OR execution_id = ?1
        ORDER BY job_id = ?1 DESC, sequence DESC LIMIT 1
        """,
        [wanted],
    ).fetchone()
    return None if row is None else _found(row)


def newest(rows: sqlite3.Connection, status: JobStatus | None, limit: int, before: int | None) -> list[Found]:
    """Jobs, newest first, of one status where it is given, from the one before a sequence number on."""
    found = rows.execute(
        """
        SELECT * FROM granulation_jobs WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR sequence < ?2)
        ORDER BY sequence DESC LIMIT ?3
        """,
        [status, before, limit],
    )
    return [_found(row) for row in found]


def elements(rows: sqlite3.Connection, sequence: int) -> list[ElementRow]:
    """The elements of a job in reading order."""
    found = rows.execute(
        """
        SELECT element_id, parent_id, sequence_order, element_type, title, description, attributes
        FROM structure_elements WHERE job = ? ORDER BY element_id
        """,
        [sequence],
    )
    return [
        ElementRow(
            element_id=row["element_id"],
            parent_id=row["parent_id"],
            sequence_order=row["sequence_order"],
            element_type=row["element_type"],
            title=row["title"],
            description=row["description"],
            attributes=loads(row["attributes"].encode(), MAX_RESULT_BYTES),
        )
        for row in found
    ]


def yardstick(rows: sqlite3.Connection, job_id: str) -> Yardstick | None:
    row = rows.execute("SELECT yardstick FROM granulation_jobs WHERE job_id = ?", [job_id]).fetchone()
    if row is None or row[0] is None:
        return None
    return _YARDSTICK.validate_json(row[0])


def judge(rows: sqlite3.Connection, sequence: int, judgement: Judgement, most: int) -> ValidationResult:
    """Enters a judgement of a job, and deletes those beyond the newest `most`."""
    rows.execute(
        """
        INSERT INTO validation_results (job, validation_level, threshold, score, passed, quality)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        [
            *(sequence, judgement.level, judgement.threshold, judgement.score, judgement.passed),
            dumps(judgement.quality).decode(),
        ],
    )
    rows.execute(
        """
        DELETE FROM validation_results WHERE job = ?1 AND result_id <=
            (SELECT result_id FROM validation_results WHERE job = ?1 ORDER BY result_id DESC LIMIT 1 OFFSET ?2)
        """,
        [sequence, most],
    )
    (job_id,) = rows.execute("SELECT job_id FROM granulation_jobs WHERE sequence = ?", [sequence]).fetchone()
    return judgements(rows, job_id)[0]


def judgements(rows: sqlite3.Connection, job_id: str) -> tuple[ValidationResult, ...]:
    """The judgements of a job, newest first."""
    found = rows.execute(
        """
        SELECT validation_results.* FROM validation_results JOIN granulation_jobs ON job = sequence
        WHERE job_id = ? ORDER BY result_id DESC
        """,
        [job_id],
    )
    return tuple(
        ValidationResult(
            job_id=job_id,
            validation_level=row["validation_level"],
            threshold=row["threshold"],
            passed=None if row["passed"] is None else bool(row["passed"]),
            quality=loads(row["quality"].encode(), MAX_RESULT_BYTES),
            created_at=row["created_at"],
        )
        for row in found
    )


def _found(row: sqlite3.Row) -> Found:
    columns = {name: row[name] for name in Job.model_fields if name != "error"}
    fault = None if row["error_code"] is None else Fault(code=row["error_code"], message=row["error_message"])
    return row["sequence"], Job.model_validate({**columns, "error": fault})
