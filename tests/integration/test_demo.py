"""`baton demo`: both executions on a system of its own, what it says of them, and that it fails where one does."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from orchestrator.bundled import missing
from orchestrator.cli import demo as command
from orchestrator.cli import demo_view

# On a loaded machine the compiling of a model's kernels alone may take half a minute.
pytestmark = pytest.mark.timeout(300)

WITHOUT_TRAINING = {"training": ["tinygrad"]}


@pytest.mark.skipif(bool(missing("training")), reason="the training worker's extra is not installed")
def test_the_demo_runs_both_side_by_side_and_leaves_nothing_behind(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "orchestrator", "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    said = shown.stdout
    assert shown.returncode == 0, said + shown.stderr
    assert said.index("training  train: running") < said.index("training  execution: completed")
    assert "pipeline  assemble: completed" in said
    assert re.search(r"^How tides work  course .*\n├── ", said, re.MULTILINE)
    assert re.search(r"^Quality score [0-9.]+ of 100", said, re.MULTILINE)
    assert re.search(r"^  \* \w+", said, re.MULTILINE)
    assert re.search(r"^Accuracy 9[0-9.]+% .* loss 0\.\d{4}\.$", said, re.MULTILINE)
    assert re.search(r"SHA-256 [0-9a-f]{64}$", said, re.MULTILINE)
    assert re.findall(r"(?:->|<-) (\w+)", said) == ["offer", "accept", "process", "result", "ack"]
    assert list(tmp_path.glob("baton-demo-*")) == []


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "missing", lambda name: WITHOUT_TRAINING.get(name, []))


@pytest.mark.usefixtures("without_training")
def test_without_the_extra_the_demo_says_so_and_runs_the_pipeline_alone() -> None:
    result = CliRunner().invoke(command.demo, catch_exceptions=False)

    assert (result.exit_code, "pipeline  execution: completed" in result.stdout) == (0, True)
    assert result.stdout.splitlines()[0] == (
        "train_digits is left out: it needs tinygrad; pip install 'baton-orchestrator[training]'"
    )


@pytest.mark.usefixtures("without_training")
def test_the_demo_fails_where_an_execution_does_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "text_input", lambda text, title: {"text": "..."})

    result = CliRunner().invoke(command.demo, catch_exceptions=False)

    reason = "stage outline: The text has no sentence of at least 4 words. (unusable_input)"
    assert (result.exit_code, reason in result.stdout.splitlines()) == (1, True)


def test_a_quiz_without_choices_and_a_result_without_a_score_are_shown_without_them() -> None:
    course: Mapping[str, object] = {"type": "course", "title": "Bread"}
    structures = {"course": course, "quiz": {"title": "Bread", "children": [{"title": "Why?", "stem": "Why?"}]}}
    result = {"document": course, "structures": structures, "quality": {"score": None, "findings": []}}
    console = Console(file=StringIO(), width=100, color_system=None)

    console.print(demo_view.lesson_view({"result": result}, datetime(2026, 1, 1, tzinfo=UTC)))

    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().split() == ["Bread", "course"]
