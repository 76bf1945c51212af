"""What people are shown: executions, stages, structures, and documents of any shape."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from orchestrator.cli.conversation_view import explanation_view, packets_view
from orchestrator.cli.document_view import fields_view, rows_view
from orchestrator.cli.execution_view import ending_view, execution_view
from orchestrator.cli.fleet import queue_view, workers_view
from orchestrator.cli.run import acceptance_line
from orchestrator.cli.stage_view import stage_board, time_left
from orchestrator.cli.structure import Structured, find_structured
from orchestrator.cli.structure_view import MOST_FINDINGS, structure_tree, structure_view
from orchestrator.cli.templates import template_view
from tests.contract.api_double import a_stage, an_execution

NOW = datetime(2026, 1, 1, 12, 0, 11, tzinfo=UTC)
STRUCTURED: dict[str, Any] = {
    "structure": {
        "type": "course",
        "title": "Reading",
        "durationMinutes": 90,
        "children": [
            {"type": "lesson", "title": "Letters [bold]and[/bold] words", "durationMinutes": 7.5},
            {"title": "Books", "children": [{"type": "quiz", "title": "Which\x1b[31m book?"}]},
        ],
    },
    "qualityScore": 92,
    "findings": [],
}
COMPLETED = an_execution(
    "completed",
    progress=100,
    stages=[
        a_stage(
            "hello",
            "completed",
            workerId="echo-1",
            progress=100,
            startedAt="2026-01-01T12:00:01Z",
            finishedAt="2026-01-01T12:00:02Z",
            estimate={"ms": 800, "tokens": 3000, "costUsd": 0.004},
            ratio={"ms": 1.25, "tokens": 0.5, "costUsd": 0.75},
        )
    ],
    result={"text": "hello Ada!"},
    cost={"costUsd": "0.003", "tokens": 1500},
    finishedAt="2026-01-01T12:00:03Z",
)


def shown(view: RenderableType, width: int = 100) -> list[str]:
    """The lines of a view on a terminal without colours, cut off at their ends."""
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(view, crop=False)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_an_execution_is_shown_with_its_stages_and_its_result() -> None:
    assert shown(execution_view(COMPLETED, NOW), width=120) == [
        "Execution  exec_1",
        "Template   greet_twice, version 1",
        "Status     completed",
        "Progress   100 %",
        "Stage      –",
        "Created    11.0 s ago",
        "Took       2.0 s",
        "Cost       $0.0030, 1,500 tokens",
        "",
        "Stage  Action  Worker  Status     Attempt  Progress   Took  Estimate                         Ratio  Error",
        "hello  echo    echo-1  completed        1     100 %  1.0 s    800 ms  1.25, tokens 0.50, cost 0.75",
        "",
        "{",
        '  "text": "hello Ada!"',
        "}",
    ]


def test_a_failed_execution_ends_with_its_error() -> None:
    failed = COMPLETED | {"status": "failed", "result": None, "error": {"code": "boom", "message": "it broke"}}

    assert shown(ending_view(failed, NOW)) == ["failed after 2.0 s, $0.0030, 1,500 tokens", "", "it broke (boom)"]


def test_a_long_line_of_a_result_is_neither_cut_nor_broken() -> None:
    document = COMPLETED | {"result": {"text": "word " * 100}}

    assert '  "text": "' + "word " * 100 + '"' in shown(ending_view(document, NOW), width=40)


def test_a_structure_is_shown_as_a_tree_of_titles_and_durations() -> None:
    assert shown(structure_view(Structured(STRUCTURED["structure"], STRUCTURED))) == [
        "Reading  course  1 h 30 min",
        "├── Letters [bold]and[/bold] words  lesson  7 min 30 s",
        "└── Books",
        "    └── Which[31m book?  quiz",
        "Quality score 92",
        "No findings.",
    ]


@pytest.mark.parametrize(("place", "score"), [("validation", "qualityScore"), ("quality", "score")])
def test_what_a_validator_found_stands_below_the_structure_in_place_of_what_its_maker_said(
    place: str, score: str
) -> None:
    finding = {"code": "lonely", "severity": "warning", "path": "/children/1", "message": "has one child"}
    validated = STRUCTURED | {place: {score: 71.5, "findings": [finding, "too short"]}}

    assert shown(structure_view(Structured(validated["structure"], validated)))[-4:] == [
        "Quality score 71.5",
        "Findings: 2",
        "  warning lonely: /children/1: has one child",
        "  too short",
    ]


def test_more_findings_than_anybody_reads_are_counted() -> None:
    told = STRUCTURED | {"findings": ["too short"] * (MOST_FINDINGS + 3)}

    lines = shown(structure_view(Structured(STRUCTURED["structure"], told)))

    assert (lines[-MOST_FINDINGS - 2], lines[-2:]) == ("Findings: 23", ["  too short", "  ... and 3 more"])


def test_a_structure_without_a_score_is_shown_with_what_was_found() -> None:
    told: dict[str, Any] = {
        "structure": STRUCTURED["structure"],
        "quality": {"score": None, "findings": [], "measures": None},
    }

    assert shown(structure_view(Structured(told["structure"], told)))[-2:] == [
        "    └── Which[31m book?  quiz",
        "No findings.",
    ]


def test_a_node_says_its_code_its_answer_and_the_titles_of_what_it_refers_to() -> None:
    steps = [
        {"type": "step", "id": "s1", "title": "Read"},
        {"type": "question", "id": "s2", "title": "Why?", "answer": "Because", "options": ["s1 ", "s2"]},
        {
            "type": "step",
            "id": "s3",
            "title": "Check",
            "code": "1.3",
            "requires": ["s1", "s2"],
            "keyTerms": ["s1", "x"],
        },
    ]

    assert shown(structure_tree({"title": "Path", "children": steps})) == [
        "Path",
        "├── Read  step",
        "├── Why?  question  = Because",
        "└── 1.3 Check  step  requires: Read, Why?",
    ]


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (9, ["All", "├── A", "│   ├── a", "│   ├── b", "│   └── c", "└── B", "    └── d", "        └── deep"]),
        (6, ["All", "├── A", "│   ├── a", "│   ├── b", "│   └── c", "└── B", "    └── d  ... and 1 more"]),
        (5, ["All", "├── A", "│   ├── a", "│   └── ... and 2 more", "└── B", "    └── d  ... and 1 more"]),
        (4, ["All", "├── A  ... and 3 more", "└── B  ... and 2 more"]),
        (2, ["All", "├── A  ... and 3 more", "└── ... and 3 more"]),
        (1, ["All  ... and 7 more"]),
    ],
)
def test_a_big_tree_shows_whole_levels_then_equally_many_of_each_and_counts_the_rest(
    most: int, lines: list[str]
) -> None:
    deep = {"title": "d", "children": [{"title": "deep"}]}
    parts = [{"title": "A", "children": [{"title": name} for name in "abc"]}, {"title": "B", "children": [deep]}]

    assert shown(structure_tree({"title": "All", "children": parts}, most)) == lines


PIPELINE = {"document": {"title": "All"}, "structures": {"course": {"title": "Course"}}, "quality": {"score": 80}}


@pytest.mark.parametrize(
    ("result", "root", "told"),
    [
        (STRUCTURED, STRUCTURED["structure"], STRUCTURED),
        ({"text": "x", "granulate": STRUCTURED}, STRUCTURED["structure"], STRUCTURED),
        (PIPELINE, PIPELINE["document"], PIPELINE),
        ({"structure": {"title": "Made"}, "document": {"title": "Given"}}, {"title": "Made"}, None),
    ],
)
def test_a_structure_is_found_in_the_result_or_in_one_of_its_outputs(result: Any, root: Any, told: Any) -> None:
    assert find_structured(result) == Structured(root, told or result)


@pytest.mark.parametrize("result", [{"structure": {"no": "title"}}, {"structure": "text"}, [STRUCTURED], None])
def test_what_has_no_title_is_no_structure(result: Any) -> None:
    assert find_structured(result) is None


def test_the_board_has_a_row_with_a_bar_for_each_stage_and_for_the_whole() -> None:
    running = a_stage(
        "again", "running", attempt=2, progress=50, message="reading\non", startedAt="2026-01-01T12:00:05Z"
    )
    document = an_execution(progress=75, stages=[*COMPLETED["stages"], running])

    assert shown(stage_board([("", document)], NOW), width=140) == [
        "hello      echo-1  completed            ━━━━━━━━━━━━━━━━━━━━  100 %   1.0 s",
        "again              running (attempt 2)  ━━━━━━━━━━             50 %   6.0 s  ~6.0 s left",
        "execution          running              ━━━━━━━━━━━━━━━        75 %  10.0 s  ~3.3 s left",
        "again: reading on",
    ]


def test_several_executions_have_their_names_on_one_board() -> None:
    done, begun = (
        a_stage("hello", "completed", progress=100),
        a_stage("train", "running", progress=10, message="epoch 1"),
    )
    executions = [("pipeline", an_execution("completed", progress=100, stages=[done]))]
    executions += [("training", an_execution("running", progress=5, stages=[begun]))]

    rows = [line.split() for line in shown(stage_board(executions, NOW), width=140)]

    assert [row[:2] for row in rows if row] == [
        ["hello", "completed"],
        ["pipeline", "completed"],
        ["train", "running"],
        ["training", "running"],
        ["train:", "epoch"],
    ]


def test_the_board_fits_a_narrow_terminal() -> None:
    named = {"workerId": "a-worker-with-a-name-of-some-length", "message": "longer than the line " * 5}
    stage = a_stage("a-stage-with-a-name", "running", progress=50, **named)

    lines = shown(stage_board([("", an_execution(stages=[stage]))], NOW), width=80)

    assert (len(lines), max(map(len, lines)) <= 80) == (3, True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"progress": 25, "startedAt": "2026-01-01T12:00:01Z"}, "~30.0 s left"),
        ({"progress": 25, "startedAt": "2026-01-01T12:00:01Z", "estimatedCompletionMs": 15_000}, "~5.0 s left"),
        ({"progress": 25, "startedAt": "2026-01-01T12:00:01Z", "estimatedCompletionMs": 5_000}, "~30.0 s left"),
        ({"progress": 25, "estimatedCompletionMs": 15_000}, ""),
        ({"progress": 0, "startedAt": "2026-01-01T12:00:01Z"}, ""),
        ({"progress": 50, "startedAt": "2026-01-01T12:00:01Z", "status": "waiting"}, ""),
    ],
)
def test_the_time_left_is_what_the_worker_estimated_or_else_by_the_pace(fields: dict[str, Any], words: str) -> None:
    assert time_left(a_stage("hello", **{"status": "running"} | fields), NOW) == words


def test_rows_of_any_shape_are_a_table_without_its_empty_columns() -> None:
    rows: list[dict[str, Any]] = [{"b": 1, "a": "x", "none": None}, {"waitMs": 1500, "b": 22}]

    assert shown(rows_view(rows, NOW)) == [
        " B  A   Wait",
        " 1  x      –",
        "22  –  1.5 s",
    ]


def test_a_document_of_any_shape_is_fields_then_what_is_nested() -> None:
    explanation = {
        "reason": "no worker is free",
        "estimatedStartAt": "2026-01-01T12:01:11Z",
        "workers": [{"workerId": "w", "code": "busy", "retryAfterMs": 500}],
        "limits": {"costUsd": "1.5"},
        "tried": [],
    }

    assert shown(fields_view(explanation, NOW)) == [
        "Reason           no worker is free",
        "Estimated start  in 1 min 00 s",
        "Tried            –",
        "Workers",
        "  Worker  Code  Retry after",
        "  w       busy       500 ms",
        "Limits",
        "  Cost  $1.50",
    ]


def test_workers_are_shown_with_their_free_slots() -> None:
    worker = {"url": None, "workerId": "w", "capabilities": ["a", "b"], "status": "ready", "instanceId": "i"}

    assert shown(workers_view({"workers": [worker | {"slots": {"total": 4, "free": 3}}]}, NOW)) == [
        "Worker  Status  Slots        Capabilities",
        "w       ready   3 of 4 free  a, b",
    ]


def test_the_queue_is_shown_with_its_counts() -> None:
    entry = {"executionId": "exec_1", "priority": 75, "position": 1, "estimatedStartAt": None, "reason": "busy"}
    stats = {"queued": 1, "running": 2, "highPriority": 1, "blocked": 0}

    assert shown(queue_view({"queue": [entry], "stats": stats}, NOW)) == [
        "Position  Execution  Priority  Reason",
        "       1  exec_1           75  busy",
        "",
        "1 queued, 2 running, 1 of high priority, 0 blocked",
    ]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (workers_view({"workers": []}, NOW), "No worker is registered."),
        (queue_view({"queue": []}, NOW), "Nothing waits."),
    ],
)
def test_an_empty_list_says_so(view: RenderableType, words: str) -> None:
    assert shown(view) == [words]


def test_packets_are_lines_with_their_direction_and_as_much_of_the_body_as_fits() -> None:
    said = {"stageId": "x.hello", "stage": "hello", "attempt": 1, "fence": 7, "workerId": "w"}
    packets = [
        said
        | {"seq": 1, "at": "2026-01-01T12:00:01Z", "direction": "out", "type": "offer", "body": {"text": "b" * 150}},
        said
        | {"seq": 4, "at": "2026-01-01T12:00:02Z", "direction": "in", "type": "result", "sha256": "e3", "bytes": 9},
    ]

    assert shown(packets_view(packets, NOW), width=180) == [
        "#  When        Stage  Attempt     Worker  Packet  Body",
        '1  10.0 s ago  hello  1        →  w       offer   {"text": "' + "b" * 109 + "…",
        "4  9.0 s ago   hello  1        ←  w       result  9 bytes, SHA-256 e3",
    ]


def test_an_explanation_tells_of_each_stage_the_workers_that_were_considered() -> None:
    worker = {"workerId": "w", "code": "busy", "reason": "all slots are taken", "againInMs": 500}
    refused = worker | {"lastRefusal": {"code": "too_large", "reason": "over 1 MiB"}}
    stages = [
        {"name": "hello", "status": "pending", "reason": "all slots for echo are taken", "workers": [refused]},
        {"name": "again", "status": "pending", "reason": "stage again needs hello", "workers": []},
    ]

    assert shown(explanation_view({"reason": "it waits", "position": 2, "stages": stages}, NOW)) == [
        "Reason    it waits",
        "Position  2",
        "",
        "hello  pending",
        "  all slots for echo are taken",
        "  Worker  Code  Reason               Again in  Last refusal",
        "  w       busy  all slots are taken    500 ms  too_large: over 1 MiB",
        "",
        "again  pending",
        "  stage again needs hello",
    ]


def test_a_template_is_shown_as_it_was_written() -> None:
    source = "template: t # mine\nstages: {}"

    assert shown(template_view({"template": "t", "source": source}, NOW)) == source.splitlines()


def test_a_template_without_its_source_is_shown_in_the_language_of_templates() -> None:
    document = {"template": "t", "version": 2, "stages": {"hello": {"action": "echo"}}}

    assert shown(template_view(document, NOW)) == [
        "template: t",
        "version: 2",
        "stages:",
        "  hello:",
        "    action: echo",
    ]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "Execution exec_1 is queued."),
        ({"queuePosition": 3}, "Execution exec_1 is queued at position 3."),
        (
            {"queuePosition": None, "estimatedCompletionAt": "2026-01-01T12:00:16Z"},
            "Execution exec_1 is queued, to be completed in 5.0 s.",
        ),
    ],
)
def test_an_acceptance_says_no_more_than_the_server_could_derive(fields: dict[str, Any], line: str) -> None:
    assert acceptance_line({"executionId": "exec_1", "status": "queued"} | fields, NOW).plain == line
