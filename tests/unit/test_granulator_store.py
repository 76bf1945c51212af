"""The granulator's book on disk: what is entered is read back, by whom and for how long it is kept."""

import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.granulator.granulations.book import Book, Retention, ShippedTemplate
from workers.granulator.granulations.database import FILE_NAME
from workers.granulator.granulations.elements import BrokenStructure, put_together, taken_apart
from workers.granulator.granulations.job import Begun, Fault, Judgement, Made
from workers.granulator.granulations.templates import OwnTemplate, Validation, shipped_templates
from workers.granulator.quality.yardstick import Yardstick
from workers.granulator.structure import Brief

LESSONS = [
    {"type": "lesson", "title": "Ebb", "description": "", "children": [], "source": {"sentences": [1, 2]}},
    {"type": "lesson", "title": "Flow", "description": "In again", "children": [], "keyTerms": ["flow", "tide"]},
]
COURSE: dict[str, Any] = {
    "type": "course",
    "title": "Tides",
    "description": "",
    "provider": "offline",
    "children": [
        {"type": "module", "title": "Coasts", "description": "", "children": LESSONS},
        {"type": "module", "title": "Seas", "description": "", "children": [], "durationMinutes": 7},
    ],
}
YARDSTICK = Yardstick({"tide": 0.75, "sea": 0.25}, {1: ("ebb", "flow"), 3: ("sea",)}, 12)
QUALITY = {"score": 81.5, "findings": [], "measures": {"coverage": 0.9}}
MADE = Made(COURSE, Judgement(QUALITY, 81.5, 2, 70), YARDSTICK, "openai", "gpt-4o-mini", 1_500, Decimal("0.003"), 420)
FAULT = Fault(code="unusable_input", message="The text is empty.")


def begun(job: str = "stage", execution: str = "execution", template: str | None = None) -> Begun:
    return Begun(job, execution, "Tides", "course", template, Brief(audience="sailors"), Validation(threshold=70))


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    async with Book(tmp_path) as opened:
        yield opened


async def completed(book: Book, job: str, execution: str = "execution") -> None:
    await book.complete(await book.begin(begun(job, execution)), MADE)


async def ids(book: Book) -> list[str]:
    return [job.job_id for job in (await book.jobs(None, 100, None)).jobs]


elements = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["module", "lesson"]), "title": st.text(), "description": st.text()},
    ).map(lambda element: {**element, "children": []}),
    lambda below: st.fixed_dictionaries(
        {
            "type": st.just("module"),
            "title": st.text(),
            "description": st.text(),
            "weight": st.integers(),
            "children": st.lists(below, max_size=4),
        }
    ),
    max_leaves=25,
)


@given(elements)
@settings(deadline=None)
def test_a_structure_taken_apart_and_put_together_again_is_the_same(structure: dict[str, Any]) -> None:
    assert put_together(reversed(taken_apart(structure))) == structure


def test_elements_have_their_parent_and_their_place_among_its_children() -> None:
    rows = taken_apart(COURSE)

    assert [(row.element_id, row.parent_id, row.sequence_order, row.title) for row in rows] == [
        (0, None, 0, "Tides"),
        (1, 0, 0, "Coasts"),
        (2, 1, 0, "Ebb"),
        (3, 1, 1, "Flow"),
        (4, 0, 1, "Seas"),
    ]
    assert rows[3].attributes == {"keyTerms": ["flow", "tide"]}


def test_elements_without_their_parent_are_no_structure() -> None:
    root, module, lesson, *_ = taken_apart(COURSE)

    with pytest.raises(BrokenStructure, match=r"^Element 2 is a child of 1, which is not there\.$"):
        put_together([root, lesson])
    with pytest.raises(BrokenStructure, match=r"^The structure has no root\.$"):
        put_together([])
    assert put_together([lesson, module, root])["children"][0]["children"][0]["title"] == "Ebb"


async def test_a_granulation_is_processing_until_it_is_completed(book: Book) -> None:
    ticket = await book.begin(begun())
    before = await book.job("stage")
    await book.complete(ticket, MADE)
    after = await book.job("stage")

    assert before is not None
    assert (before.status, before.finished_at, before.quality_score) == ("processing", None, None)
    assert after is not None
    assert after.model_copy(update={"created_at": "", "finished_at": ""}).model_dump() == {
        "job_id": "stage",
        "execution_id": "execution",
        "status": "completed",
        "topic": "Tides",
        "title": "Tides",
        "structure_type": "course",
        "template_name": None,
        "granularity_level": 3,
        "target_audience": "sailors",
        "target_elements": 100,
        "actual_elements": 4,
        "validation_enabled": True,
        "validation_level": 2,
        "validation_threshold": 70.0,
        "quality_score": 81.5,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "tokens_used": 1_500,
        "cost_usd": 0.003,
        "processing_time_ms": 420,
        "error": None,
        "created_at": "",
        "finished_at": "",
    }
    assert after.created_at <= (after.finished_at or "")


async def test_the_structure_comes_back_nested_from_its_rows(book: Book) -> None:
    await completed(book, "stage")

    found = await book.structure("execution")

    assert found is not None
    assert (found[0].job_id, found[1]) == ("stage", COURSE)


async def test_the_yardstick_comes_back_as_it_was(book: Book) -> None:
    await completed(book, "stage")

    assert await book.yardstick("stage") == YARDSTICK


async def test_a_failure_says_why_and_has_no_structure(book: Book) -> None:
    await book.fail(await book.begin(begun()), FAULT, 12)

    found = await book.structure("stage")

    assert found is not None
    assert (found[0].status, found[0].error, found[0].processing_time_ms, found[1]) == ("failed", FAULT, 12, None)


async def test_a_stage_begun_anew_has_one_entry_and_its_earlier_attempt_writes_no_more(book: Book) -> None:
    earlier = await book.begin(begun())
    later = await book.begin(begun())
    await book.complete(earlier, MADE)
    await book.fail(earlier, FAULT, 1)

    assert await ids(book) == ["stage"]
    entry = await book.job("stage")
    assert entry is not None
    assert entry.status == "processing"

    await book.complete(later, MADE)
    entry = await book.job("stage")
    assert entry is not None
    assert entry.status == "completed"


async def test_an_execution_stands_for_its_newest_granulation_and_a_job_for_itself(book: Book) -> None:
    for job, execution in (("a", "one"), ("b", "one"), ("one", "two")):
        await completed(book, job, execution)

    found = [await book.job(wanted) for wanted in ("a", "two", "one", "none")]

    assert [job and job.job_id for job in found] == ["a", "one", "one", None]


async def test_pages_are_newest_first_and_hold_every_granulation_once(book: Book) -> None:
    for number in range(5):
        await completed(book, f"s{number}")
    await book.fail(await book.begin(begun("failed")), FAULT, 1)

    seen, before = [], None
    while True:
        page = await book.jobs("completed", 2, before)
        seen.append([job.job_id for job in page.jobs])
        before = page.before
        if before is None:
            break

    assert seen == [["s4", "s3"], ["s2", "s1"], ["s0"]]
    assert [job.job_id for job in (await book.jobs("failed", 2, None)).jobs] == ["failed"]


async def test_the_oldest_finished_granulations_go_with_all_that_was_entered_of_them(tmp_path: Path) -> None:
    async with Book(tmp_path, Retention(jobs=2)) as book:
        await book.begin(begun("running"))
        for number in range(4):
            await completed(book, f"s{number}")
        assert await ids(book) == ["s3", "s2", "running"]

    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        counts = [
            connection.execute(f"SELECT count(DISTINCT job) FROM {table}").fetchone()[0]
            for table in ("structure_elements", "validation_results")
        ]
    connection.close()
    assert counts == [2, 2]


async def test_what_finished_too_long_ago_goes_and_what_is_under_way_stays(tmp_path: Path) -> None:
    async with Book(tmp_path, Retention(age=timedelta(0))) as book:
        await book.begin(begun("running"))
        await completed(book, "done")

        assert await ids(book) == ["running"]


async def test_judgements_are_kept_newest_first_and_bounded(tmp_path: Path) -> None:
    async with Book(tmp_path, Retention(judgements=2)) as book:
        await completed(book, "stage")
        for threshold in (80, 90):
            await book.judge("stage", Judgement(QUALITY, 81.5, 1, threshold))
        unmeasured = await book.judge("stage", Judgement({"score": None}, None, 1, 50))

        kept = await book.judgements("stage")

    assert unmeasured == kept[0]
    assert [(judgement.threshold, judgement.passed) for judgement in kept] == [(50, None), (90, False)]
    assert kept[1].quality == QUALITY


async def test_a_judgement_of_what_is_not_here_is_not_entered(book: Book) -> None:
    assert await book.judge("nothing", Judgement(QUALITY, 81.5, 1, 80)) is None


async def test_the_book_is_read_again_by_the_next_process_and_what_was_under_way_has_failed(tmp_path: Path) -> None:
    async with Book(tmp_path) as book:
        await completed(book, "done")
        await book.begin(begun("running"))

    async with Book(tmp_path) as book:
        running, done = await book.job("running"), await book.structure("done")

    assert running is not None
    assert (running.status, running.error and running.error.code) == ("failed", "interrupted")
    assert done is not None
    assert done[1] == COURSE


async def test_a_file_that_is_no_book_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"this is no database, and long enough to be seen to be none" * 100)

    async with Book(tmp_path) as book:
        await completed(book, "stage")

    assert path.with_suffix(".corrupt").read_bytes().startswith(b"this is no database")


async def test_a_book_of_another_form_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    async with Book(tmp_path) as book:
        await completed(book, "stage")
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    async with Book(tmp_path) as book:
        assert await ids(book) == []
    assert (tmp_path / FILE_NAME).with_suffix(".corrupt").exists()


async def test_the_book_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with Book(tmp_path) as book:
            await completed(book, "stage")
            modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    finally:
        os.umask(before)

    assert set(modes) == {FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"}
    assert set(modes.values()) == {0o600}


async def test_the_shipped_templates_are_there_and_count_their_use_over_restarts(tmp_path: Path) -> None:
    async with Book(tmp_path) as book:
        assert sorted(book.templates, key=lambda one: one.template_name) == sorted(
            shipped_templates(), key=lambda one: one.template_name
        )
        await book.begin(begun("a", template="quiz_basic_v1"))
        await book.begin(begun("b", template="quiz_basic_v1"))

    async with Book(tmp_path) as book:
        used = {template.template_name: template.usage_count for template in book.templates if template.usage_count}

    assert used == {"quiz_basic_v1": 2}


async def test_an_own_template_is_kept_replaced_by_its_name_and_never_in_the_place_of_a_shipped_one(
    tmp_path: Path,
) -> None:
    async with Book(tmp_path) as book:
        _, is_new = await book.keep_template(OwnTemplate(template_name="mine", structure_type="quiz"))
        again, is_new_again = await book.keep_template(OwnTemplate(template_name="Mine", structure_type="novel"))
        with pytest.raises(ShippedTemplate):
            await book.keep_template(OwnTemplate(template_name="Quiz_Basic_V1", structure_type="quiz"))

    async with Book(tmp_path) as book:
        own = [template for template in book.templates if not template.is_shipped]

    assert (is_new, is_new_again) == (True, False)
    assert own == [again]
    assert (again.template_name, again.structure_type) == ("Mine", "novel")
