"""The import contracts are seen to catch a violation, each of its own kind."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocol", "orchestrator", "workers")
PLANTED = {
    "core imports store": ("orchestrator/core/order.py", "import orchestrator.store.database"),
    "core reads a clock": ("orchestrator/core/order.py", "import time"),
    "protocol does I/O": ("protocol/attempt.py", "import asyncio"),
    "web imports dispatch": ("orchestrator/web/gate.py", "import orchestrator.dispatch.engine"),
    "workers import orchestrator": ("workers/kit/context.py", "import orchestrator.core.order"),
    "dispatch imports asyncpg": ("orchestrator/dispatch/fences.py", "import asyncpg"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    script = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", script, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_contracts_hold_in_the_tree_as_it_is(copy: Path) -> None:
    outcome = lint(copy)

    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("violation", PLANTED)
def test_a_planted_violation_is_caught(copy: Path, violation: str) -> None:
    file, line = PLANTED[violation]
    path = copy / file
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    try:
        outcome = lint(copy)
    finally:
        path.write_text(text, encoding="utf-8")

    assert outcome.returncode == 1, outcome.stdout
    assert "BROKEN" in outcome.stdout
