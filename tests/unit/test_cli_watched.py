"""A watched execution as its events tell it on, and the lines that tell the changes."""

from typing import Any

import pytest

from orchestrator.cli.changes import changes, log_line
from orchestrator.cli.watched import Watched
from orchestrator.client import TERMINAL_STATUSES
from orchestrator.core.execution import FINAL
from orchestrator.event_stream import Event
from tests.contract.api_double import a_stage, an_execution

RUNNING = an_execution(stages=[a_stage("hello", "running", progress=10), a_stage("again")])


@pytest.mark.parametrize("name", ["snapshot", "execution", "end"])
def test_a_whole_document_takes_the_place_of_the_one_before(name: str) -> None:
    document = an_execution("waiting", progress=50)

    assert Watched.of(RUNNING).after(Event(name, document)) == Watched(document)


def test_the_client_ends_where_the_state_machine_does() -> None:
    assert {status.value for status in FINAL} == TERMINAL_STATUSES


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES))
def test_a_whole_terminal_document_is_final(status: str) -> None:
    assert Watched.of(RUNNING).after(Event("end", an_execution(status))).final


def test_a_stage_that_changed_takes_its_place_and_moves_the_execution_with_it() -> None:
    hello = a_stage("hello", "completed", progress=100)

    after = Watched.of(RUNNING).after(Event("stage", {"stage": hello, "status": "running", "progress": 50}))

    assert after == Watched(RUNNING | {"progress": 50, "stages": [hello, a_stage("again")]})


def test_the_last_stage_that_ends_does_not_make_the_document_final() -> None:
    news = {"stage": a_stage("hello", "completed"), "status": "completed", "progress": 100}

    assert not Watched.of(RUNNING).after(Event("stage", news)).final


def test_a_stage_that_was_not_known_is_added() -> None:
    undo = a_stage("undo")

    assert Watched.of(RUNNING).after(Event("stage", {"stage": undo})).document["stages"] == [*RUNNING["stages"], undo]


def test_progress_moves_its_stage_and_keeps_the_last_word() -> None:
    news = {"executionId": "exec_1", "stageId": "hello-1", "progress": 40, "message": "reading"}

    after = Watched.of(RUNNING).after(Event("progress", news)).after(Event("progress", news | {"message": None}))

    hello = a_stage("hello", "running", progress=40, message="reading")
    assert after == Watched(RUNNING | {"stages": [hello, a_stage("again")]})


@pytest.mark.parametrize(
    ("news", "progress"),
    [
        ({"status": "running", "progress": 5}, 10),
        ({"status": "running", "progress": 15}, 15),
        ({"status": "running", "progress": 0, "attempt": 2}, 0),
        ({"status": "failed", "progress": 0}, 0),
    ],
)
def test_progress_falls_with_another_attempt_only_whatever_is_heard_first(news: dict[str, Any], progress: int) -> None:
    after = Watched.of(RUNNING).after(Event("stage", {"stage": {"stageId": "hello-1", **news}}))

    assert after.document["stages"][0]["progress"] == progress


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("weather", {"executionId": "exec_1"}),
        ("log", {"message": "hello"}),
        ("stage", {"stage": None}),
        ("end", None),
        ("execution", {"executionId": "exec_1"}),
        ("progress", [1]),
    ],
)
def test_an_event_that_is_not_understood_changes_nothing(name: str, data: Any) -> None:
    watched = Watched.of(RUNNING)

    assert watched.after(Event(name, data)) == watched


def test_at_first_each_stage_at_work_and_the_execution_have_a_line() -> None:
    assert list(changes(None, Watched.of(RUNNING))) == ["hello: running, 10 %", "execution: running"]


def test_a_stage_has_a_new_line_for_each_tenth_of_its_progress() -> None:
    told = [
        list(changes(Watched.of(with_hello(progress=before)), Watched.of(with_hello(progress=after))))
        for before, after in ((10, 19), (19, 20.5), (20.5, 20.5))
    ]

    assert told == [[], ["hello: running at w, 20 %"], []]


def test_a_stage_that_ended_says_how_long_it_took_and_what_went_wrong() -> None:
    failed = with_hello(
        status="failed",
        attempt=2,
        startedAt="2026-01-01T12:00:00Z",
        finishedAt="2026-01-01T12:00:02Z",
        error={"code": "boom", "message": "it broke"},
    )

    assert list(changes(Watched.of(RUNNING), Watched.of(failed))) == [
        "hello: failed (attempt 2) at w, took 2.0 s: it broke"
    ]


def with_hello(**fields: Any) -> dict[str, Any]:
    return an_execution(stages=[a_stage("hello", **{"status": "running", "workerId": "w"} | fields)])


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("log", {"name": "hello", "level": "warning", "message": "slow"}), "hello | warning: slow"),
        (Event("log", {"stageId": "hello-1", "level": "info", "message": "so"}), "hello-1 | so"),
        (Event("progress", {"message": "so"}), None),
        (Event("log", None), None),
    ],
)
def test_only_a_log_event_makes_a_log_line(event: Event, line: str | None) -> None:
    assert log_line(event) == line
