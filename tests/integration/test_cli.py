"""The commands, against a server that answers by the contract."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from tests.contract.api_double import API_KEY, ApiDouble, Play, a_stage, an_execution, refusal, serving

TIMES = {"startedAt": "2026-01-01T12:00:00Z", "finishedAt": "2026-01-01T12:00:02Z"}
RUNNING = an_execution(stages=[a_stage("hello", "running", workerId="echo-1"), a_stage("again")])
PROGRESS = {"executionId": "exec_1", "stageId": "hello-1", "name": "hello", "progress": 50, "message": "halfway"}
LOG = {"executionId": "exec_1", "stageId": "hello-1", "name": "hello", "level": "warning", "message": "slow"}
HELLO_DONE = a_stage("hello", "completed", workerId="echo-1", progress=100, **TIMES)
AGAIN_DONE = a_stage("again", "completed", workerId="echo-1", progress=100, **TIMES)
COMPLETED = an_execution(
    "completed", progress=100, stages=[HELLO_DONE, AGAIN_DONE], result={"text": "hello Ada!"}, **TIMES
)
FAILED = an_execution("failed", stages=[HELLO_DONE], error={"code": "boom", "message": "it broke"}, **TIMES)
PLAY = Play(
    (
        ("snapshot", RUNNING),
        ("weather", {"sunny": True}),
        ("progress", PROGRESS),
        ("log", LOG),
        ("stage", {"executionId": "exec_1", "stage": HELLO_DONE, "status": "running", "progress": 50}),
        ("end", COMPLETED),
    )
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SCRIPT = [sys.executable, "-c", "from orchestrator.cli import main; main(prog_name='baton')"]


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    with serving() as double:
        double.plays["greet_twice"] = PLAY
        yield double


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a `.baton`, and an environment that says nothing of Baton."""
    monkeypatch.chdir(tmp_path)
    for name in ("BATON_URL", "BATON_API_KEY", "BATON_DATA_DIR", "DATABASE_URL", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def environment(api: ApiDouble) -> dict[str, str]:
    return {"BATON_URL": api.url, "BATON_API_KEY": API_KEY}


def baton(api: ApiDouble, *arguments: str) -> Result:
    return CliRunner(env=environment(api)).invoke(main, arguments, catch_exceptions=False)


def test_run_tells_each_change_and_then_the_result(api: ApiDouble) -> None:
    result = baton(api, "run", "greet_twice", "--input", '{"name": "Ada"}')

    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "Execution exec_1 is queued at position 3.",
            "execution: queued",
            "hello: running at echo-1",
            "execution: running",
            "hello: running at echo-1, 50 %: halfway",
            "hello | warning: slow",
            "hello: completed at echo-1, took 2.0 s",
            "again: completed at echo-1, took 2.0 s",
            "execution: completed",
            "completed after 2.0 s, $0.00, 0 tokens",
            "",
            "{",
            '  "text": "hello Ada!"',
            "}",
        ],
    )


def test_a_line_of_a_result_is_never_cut_however_long(api: ApiDouble) -> None:
    text = "word " * 200
    api.plays["greet_twice"] = Play((("end", COMPLETED | {"result": {"text": text}}),))

    assert f'  "text": "{text}"' in baton(api, "run", "greet_twice").stdout.splitlines()


def test_run_with_json_prints_the_final_execution_and_nothing_else_on_stdout(api: ApiDouble) -> None:
    result = baton(api, "run", "greet_twice", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (0, COMPLETED)
    assert "hello: running" in result.stderr


def test_run_sends_what_it_was_given(api: ApiDouble, elsewhere: Path) -> None:
    (elsewhere / "notes.md").write_text("# Notes\n")
    options = ("--priority", "high", "--idempotency-key", "k-1", "--template-version", "2", "--no-watch", "--json")

    result = baton(api, "run", "greet_twice", "--input-file", "notes.md", *options)

    asked = api.asked[-1]
    assert (asked.headers["X-API-Key"], asked.headers["Idempotency-Key"]) == (API_KEY, "k-1")
    assert asked.json == {
        "template": "greet_twice",
        "input": {"text": "# Notes\n", "title": "Notes"},
        "version": 2,
        "priority": "high",
    }
    assert json.loads(result.stdout)["executionId"] == "exec_1"


def test_run_uploads_a_file_that_is_no_text_and_lays_the_given_fields_over_it(api: ApiDouble, elsewhere: Path) -> None:
    (elsewhere / "paper.pdf").write_bytes(b"%PDF-1.7\n\0")

    baton(api, "run", "greet_twice", "--input-file", "paper.pdf", "--input", '{"audience": "pilots"}', "--no-watch")

    uploaded, executed = api.asked
    reference = {"sha256": sha256(uploaded.body).hexdigest(), "sizeBytes": 10, "contentType": "application/pdf"}
    assert (uploaded.path, uploaded.headers["Content-Type"]) == ("/api/artifacts", "application/pdf")
    assert executed.json["input"] == {
        "documents": [{"name": "paper.pdf", "artifact": reference}],
        "audience": "pilots",
    }


def test_run_writes_the_structure_of_a_result_as_markdown_into_an_md_file(api: ApiDouble, elsewhere: Path) -> None:
    structure = {"type": "course", "title": "Bread", "children": [{"type": "module", "title": "Dough"}]}
    completed = {**COMPLETED, "result": {"structure": structure}}
    api.plays["greet_twice"] = Play((("snapshot", RUNNING), ("end", completed)))

    result = baton(api, "run", "greet_twice", "--output", "course.md")

    assert (result.exit_code, (elsewhere / "course.md").read_text()) == (0, "# Bread\n\n1. Dough\n")


def test_a_result_without_a_structure_is_not_written_as_markdown(api: ApiDouble, elsewhere: Path) -> None:
    result = baton(api, "run", "greet_twice", "--output", "course.md")

    assert (result.exit_code, "no structure to write as Markdown" in result.stderr) == (2, True)
    assert not (elsewhere / "course.md").exists()


def test_run_without_watching_tells_where_the_execution_waits(api: ApiDouble) -> None:
    result = baton(api, "run", "greet_twice", "--no-watch")

    assert (result.exit_code, result.stdout) == (0, "Execution exec_1 is queued at position 3.\n")
    assert [asked.method for asked in api.asked] == ["POST"]


def test_run_writes_the_result_into_the_output_file(api: ApiDouble, elsewhere: Path) -> None:
    result = baton(api, "run", "greet_twice", "--output", "result.json")

    assert (result.exit_code, json.loads((elsewhere / "result.json").read_bytes())) == (0, {"text": "hello Ada!"})


def test_a_failed_execution_ends_run_with_1_and_leaves_no_output(api: ApiDouble, elsewhere: Path) -> None:
    api.plays["greet_twice"] = Play((("snapshot", RUNNING), ("end", FAILED)))

    result = baton(api, "run", "greet_twice", "--output", "result.json")

    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "it broke (boom)")
    assert not (elsewhere / "result.json").exists()


def test_a_cut_stream_is_resumed_without_telling_anything_twice(api: ApiDouble) -> None:
    api.plays["greet_twice"] = Play(PLAY.events, cuts=(3, 4))

    result = baton(api, "run", "greet_twice")

    resumed = [asked.headers.get("Last-Event-ID") for asked in api.asked_for("/api/executions/exec_1/events")]
    assert (result.exit_code, resumed, result.stdout.count("hello: running at echo-1, 50 %")) == (
        0,
        [None, "3", "4"],
        1,
    )


def test_an_unknown_template_ends_run_with_3(api: ApiDouble) -> None:
    result = baton(api, "run", "no_such")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines() == [
        "Error: there is no template no_such (unknown_template)",
        "Request: req_1",
    ]


def test_an_input_that_breaks_the_schema_is_told_with_its_paths(api: ApiDouble) -> None:
    api.required["greet_twice"] = ("name", "tone")

    result = baton(api, "run", "greet_twice", "--input", '{"tone": "kind"}', "--json")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "  input.name: is required" in result.stderr.splitlines()


def test_a_server_that_cannot_be_reached_ends_with_4_and_says_what_to_do(api: ApiDouble) -> None:
    with serving() as gone:
        pass

    result = baton(gone, "queue")

    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.splitlines() == [
        f"Error: Cannot reach {gone.url}: connection refused.",
        "Is `baton up` running there? Start it, or name the server with --url or BATON_URL.",
    ]


def test_a_server_that_cannot_serve_ends_with_4(api: ApiDouble) -> None:
    api.faults.append(refusal(503, "database_away", "the database is away", Retry_After="60"))

    result = baton(api, "queue")

    assert (result.exit_code, result.stderr.splitlines()[0]) == (4, "Error: the database is away (database_away)")


def test_url_and_key_are_found_in_the_data_directory(api: ApiDouble, elsewhere: Path) -> None:
    (elsewhere / ".baton").mkdir()
    (elsewhere / ".baton" / "orchestrator.json").write_text(json.dumps({"url": api.url}))
    (elsewhere / ".baton" / "credentials.json").write_text(json.dumps({"apiKey": API_KEY}))
    api.answers["queue"] = {"queue": [], "stats": {}}

    assert CliRunner().invoke(main, ["queue"]).exit_code == 0


def test_a_refused_key_says_where_keys_are_taken_from(api: ApiDouble) -> None:
    result = CliRunner().invoke(main, ["workers", "--url", api.url])

    assert (result.exit_code, "--api-key or BATON_API_KEY" in result.stderr) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("run",), "Missing argument 'TEMPLATE'"),
        (("run", "t", "--input", "{"), "not valid JSON"),
        (("run", "t", "--input", "[]"), "has to be a JSON object"),
        (("run", "t", "--input-file", "latin.json"), "UTF-8"),
        (("run", "t", "--input-file", "missing.md"), "No such file"),
        (("run", "t", "--priority", "urgent"), "neither one of low, normal, high, critical"),
        (("run", "t", "--output", "nowhere/result.json"), "the folder nowhere does not exist"),
        (("run", "t", "--output", "r.json", "--no-watch"), "--no-watch does not wait"),
        (("queue", "--url", "localhost:1"), "is not the URL of a server"),
        (("templates", "publish", "missing.yaml"), "No such file"),
        (("worker",), "Missing argument"),
        (("up", "--workers", "all,echo"), "stand alone"),
        (("up", "--workers", "echo,,"), "a name is empty"),
        (("up", "--port", "70000"), "70000 is not in the range"),
        (("dance",), "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked(
    api: ApiDouble, elsewhere: Path, arguments: tuple[str, ...], reason: str
) -> None:
    (elsewhere / "latin.json").write_bytes(b'"caf\xe9"')

    result = baton(api, *arguments)

    assert (result.exit_code, api.asked, reason in " ".join(result.stderr.split())) == (2, [], True)


def test_an_output_that_cannot_be_written_is_said_after_the_result(api: ApiDouble) -> None:
    result = baton(api, "run", "greet_twice", "--output", "/dev/full")

    assert (result.exit_code, "cannot write /dev/full: No space left on device" in result.stderr) == (2, True)


def test_status_shows_the_execution_as_it_stands(api: ApiDouble) -> None:
    api.begin(PLAY, FAILED)

    result = baton(api, "status", "exec_1")

    assert (result.exit_code, result.stdout.splitlines()[2].rstrip()) == (0, "Status     failed")
    assert result.stdout.splitlines()[-1] == "it broke (boom)"


def test_status_shows_packets_and_explanation_where_they_are_asked_for(api: ApiDouble) -> None:
    api.begin(PLAY, RUNNING)
    api.answers["packets"] = {"packets": [{"seq": 1, "type": "offer", "workerId": "echo-1", "direction": "out"}]}
    api.answers["explain"] = {"reason": "it is at work", "position": None}

    readable = baton(api, "status", "exec_1", "--packets", "--explain").stdout.splitlines()
    document = json.loads(baton(api, "status", "exec_1", "--packets", "--explain", "--json").stdout)

    assert [line.rstrip() for line in readable[-8:]] == [
        "",
        "Packets",
        "#  When  Stage  Attempt     Worker  Packet  Body",
        "1  –     –      –        →  echo-1  offer",
        "",
        "Explanation",
        "Reason    it is at work",
        "Position  –",
    ]
    assert document == RUNNING | api.answers["packets"] | {"explain": api.answers["explain"]}


def test_a_watched_status_ends_with_the_execution_and_its_code(api: ApiDouble) -> None:
    api.begin(Play((("end", FAILED),)), RUNNING)

    result = baton(api, "status", "exec_1", "--watch", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (1, FAILED)


def test_status_writes_the_result_of_what_is_completed_as_run_does(api: ApiDouble, elsewhere: Path) -> None:
    api.begin(PLAY, COMPLETED | {"result": {"document": {"title": "Bread"}}})

    codes = [baton(api, "status", "exec_1", "--output", name).exit_code for name in ("bread.md", "bread.json")]

    assert codes == [0, 0]
    assert (elsewhere / "bread.md").read_text() == "# Bread\n"
    assert json.loads((elsewhere / "bread.json").read_bytes()) == {"document": {"title": "Bread"}}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (RUNNING, "the execution is running, without a result as yet; with --watch it is awaited"),
        (FAILED, "the execution is failed: there is no result to write into bread.md"),
    ],
)
def test_status_says_why_there_is_no_result_to_write(
    api: ApiDouble, elsewhere: Path, document: dict[str, Any], reason: str
) -> None:
    api.begin(PLAY, document)

    result = baton(api, "status", "exec_1", "--output", "bread.md")

    assert (result.exit_code, result.stderr) == (1, f"Error: {reason}\n")
    assert not (elsewhere / "bread.md").exists()


@pytest.mark.parametrize("order", ["cancel", "pause", "resume"])
def test_an_order_is_told_to_be_accepted(api: ApiDouble, order: str) -> None:
    api.begin(PLAY, RUNNING)

    result = baton(api, order, "exec_1")

    assert result.stdout == f"{order.capitalize()} is accepted; execution exec_1 is cancelling.\n"
    assert [(asked.method, asked.path) for asked in api.asked] == [("POST", f"/api/executions/exec_1/{order}")]


def test_an_order_that_the_state_forbids_ends_with_3_and_the_state(api: ApiDouble) -> None:
    api.begin(PLAY, COMPLETED)

    result = baton(api, "cancel", "exec_1")

    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        3,
        "Error: the execution is completed (illegal_state)",
    )


def test_retry_names_the_new_execution(api: ApiDouble) -> None:
    api.begin(PLAY, FAILED)

    assert baton(api, "retry", "exec_1").stdout == "Execution exec_9 retries exec_1.\n"


@pytest.mark.parametrize(
    ("command", "answer", "line"),
    [
        ("queue", {"queue": [{"executionId": "exec_1", "position": 1}], "stats": {"queued": 1}}, "       1  exec_1"),
        ("workers", {"workers": [{"workerId": "echo-1", "status": "ready"}]}, "echo-1  ready"),
    ],
)
def test_a_list_is_a_table_for_people_and_the_answer_itself_in_json(
    api: ApiDouble, command: str, answer: dict[str, Any], line: str
) -> None:
    api.answers[command] = answer

    readable, document = baton(api, command).stdout, json.loads(baton(api, command, "--json").stdout)

    assert (line in [shown.rstrip() for shown in readable.splitlines()], document) == (True, answer)


@pytest.mark.parametrize("arguments", [("templates",), ("templates", "show")])
def test_templates_are_listed(api: ApiDouble, arguments: tuple[str, ...]) -> None:
    api.templates["greet_twice"] = {"template": "greet_twice", "version": 3}

    assert [line.split() for line in baton(api, *arguments).stdout.splitlines()] == [
        ["Template", "Version"],
        ["greet_twice", "3"],
    ]


@pytest.mark.parametrize("arguments", [("greet_twice",), ("show", "greet_twice"), ("--json", "greet_twice")])
def test_a_template_is_shown_by_its_name(api: ApiDouble, arguments: tuple[str, ...]) -> None:
    api.templates["greet_twice"] = {"template": "greet_twice", "version": 3}

    result = baton(api, "templates", *arguments)

    assert (result.exit_code, "greet_twice" in result.stdout, api.asked[0].path) == (
        0,
        True,
        "/api/templates/greet_twice",
    )


@pytest.mark.parametrize(
    ("name", "media_type"), [("greet.yaml", "application/yaml"), ("greet.json", "application/json")]
)
def test_a_template_is_published_as_it_is_written(api: ApiDouble, elsewhere: Path, name: str, media_type: str) -> None:
    (elsewhere / name).write_text("template: greet\n# a comment\n")

    result = baton(api, "templates", "publish", name)

    assert (result.exit_code, result.stdout) == (0, "Published greet, version 1.\n")
    assert (api.asked[0].headers["Content-Type"], api.asked[0].body) == (media_type, b"template: greet\n# a comment\n")


def test_a_template_that_is_refused_is_told_with_line_and_column(api: ApiDouble, elsewhere: Path) -> None:
    (elsewhere / "greet.yaml").write_text("template: greet\nwrong: 1\n")

    result = baton(api, "templates", "publish", "greet.yaml")

    assert (result.exit_code, result.stderr.splitlines()[1]) == (3, "  line 2, column 1: stages: no such field")


def test_ctrl_c_stops_the_watching_and_says_that_the_execution_goes_on(api: ApiDouble) -> None:
    api.plays["greet_twice"] = Play(PLAY.events[:3], held=True)
    # Whoever runs the tests in the background of a shell ignores SIGINT, and a child inherits that.
    deaf = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*SCRIPT, "run", "greet_twice"],
        env=os.environ | environment(api) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        signal.signal(signal.SIGINT, deaf)
        seen = next(line for line in process.stdout if "50 %" in line)
        process.send_signal(signal.SIGINT)
        said, errors = process.stdout.read(), process.stderr.read()

    assert (seen, process.returncode, errors) == ("hello: running at echo-1, 50 %: halfway\n", 130, "")
    assert said.startswith("Stopped watching; execution exec_1 goes on.")
    assert [asked.path for asked in api.asked if asked.path.endswith("cancel")] == []


def test_on_a_terminal_the_stages_have_bars(api: ApiDouble) -> None:
    code, screen = on_a_terminal([*SCRIPT, "run", "greet_twice"], environment(api) | {"TERM": "xterm"})

    assert (code, "━━━━━" in screen, "100 %" in screen, "completed after 2.0 s" in screen) == (0, True, True, True)


def on_a_terminal(command: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Runs a command whose standard output is a pseudo-terminal; its exit code and the text that it drew."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=os.environ | variables, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        drawn = b""
        try:
            while chunk := os.read(ours, 4096):
                drawn += chunk
        except OSError:
            # Linux says EIO, not end of file, once nobody holds the other side any more.
            pass
        finally:
            os.close(ours)
    return process.returncode, _ESCAPES.sub("", drawn.decode())
