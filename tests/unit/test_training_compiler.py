"""The training worker's compiler: found where there is one, stood in for where not, and asked for without either."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.training import compiler
from workers.training.compiler import NoCompiler, find_compiler

KERNEL = """
import sys, threading
from pathlib import Path
from workers.training.device import Device

device = Device()
with device.opened(Path(sys.argv[1])):
    try:
        with device.holding(lambda: 21, threading.Event()) as use:
            print(use(lambda held: 2 * held))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


def in_a_process(folder: Path, **environment: str) -> str:
    """What a fresh process prints that makes a kernel with its things in `folder`."""
    command = [sys.executable, "-c", KERNEL, str(folder)]
    outcome = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=50
    )
    return outcome.stdout.strip()


def a_clang(folder: Path, script: str) -> Path:
    folder.mkdir()
    path = folder / "clang"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_clang_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_clang(tmp_path / "bin", "true")
    monkeypatch.setenv("PATH", str(path.parent))

    assert find_compiler(tmp_path / "own") == path
    assert not (tmp_path / "own").exists()


def test_without_one_a_script_in_the_workers_own_folder_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)

    path = find_compiler(tmp_path / "it's own")

    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    assert path == tmp_path / "it's own" / "clang"
    assert version.startswith("clang version")


def test_without_either_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)

    with pytest.raises(
        NoCompiler, match=r"neither clang is on PATH nor is ziglang installed\. Install clang, or: pip "
    ):
        find_compiler(tmp_path)


def test_kernels_are_made_without_a_home(tmp_path: Path) -> None:
    assert in_a_process(tmp_path / "own", HOME="/nonexistent", XDG_CACHE_HOME="/nonexistent", CC="/nonexistent") == "42"
    assert (tmp_path / "own" / "kernels.db").exists()


def test_a_compiler_that_does_not_work_is_named(tmp_path: Path) -> None:
    path = a_clang(tmp_path / "bin", "exit 1")

    said = in_a_process(tmp_path / "own", PATH=f"{path.parent}:{os.environ['PATH']}")

    assert said.startswith(f"NoCompiler: training cannot begin: {path} makes no working code: ")
