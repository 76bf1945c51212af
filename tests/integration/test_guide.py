"""The guide to a worker of one's own works as it is written, block after block, against a whole Baton."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.packets import Artifact, AttemptKey
from tests.integration.system import Process, pause, until
from workers.kit import Context, Yield

GUIDE = (Path(__file__).parents[2] / "workers" / "GUIDE.md").read_text(encoding="utf-8")
BLOCKS = [(kind, text) for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)]
[WORKER] = [text for kind, text in BLOCKS if kind == "python"]
PATIENCE_S = 100

# The blocks that are typed into a terminal of their own, the one that is to fail, and the one in whose middle the
# worker is stopped; all others are to succeed.
SYSTEM, PROCESS = "baton up", "baton worker"
FAILING = '"below": 2}\''
INTERRUPTED = "--no-watch --idempotency-key"


class Folder:
    """The reader's folder: three terminals, in which the blocks are run as they stand but for the server's port."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = ""
        self.worker: Process | None = None
        self._processes: list[Process] = []
        hidden = ("BATON_", "WORKER_SECRET", "DATABASE_URL")
        told = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        # Wide enough that no sentence of the guide is broken by a column of a table.
        found_on = f"{Path(sys.executable).parent}:{told['PATH']}"
        self._environment = {**told, "PATH": found_on, "COLUMNS": "200"}

    async def begin(self, block: str) -> None:
        """Starts what stays in the foreground of a terminal."""
        if block.startswith(SYSTEM):
            system = self._start(block.strip() + " --port 0")
            address = self.path / ".baton" / "orchestrator.json"

            def announced() -> bool:
                assert system.is_alive, system.output.read_text()
                return address.exists()

            await until(announced, "baton up announces its address", PATIENCE_S)
            self.url = json.loads(address.read_bytes())["url"]
        else:
            self.worker = self._start(self._here(block))
            await self.until(
                ["workers"], lambda told: told["workers"] != [] and told["workers"][0]["status"] == "ready"
            )

    async def run(self, block: str) -> tuple[int, str]:
        """The exit code of a block, and what it printed."""
        script = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", self._here(block)),
            cwd=self.path,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await script.communicate()
        return script.returncode or 0, said.decode()

    async def until(self, command: list[str], condition: Callable[[Any], bool]) -> None:
        """Asks with a command until its answer is as it should be."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                code, said = await self.run(f"baton {' '.join(command)} --json 2>/dev/null || true")
                if code == 0 and said and condition(json.loads(said)):
                    return
                await pause()

    async def close(self) -> None:
        for process in reversed(self._processes):
            await process.stop()

    def _start(self, command: str) -> Process:
        at = f"cd {self.path} && exec {command}"
        process = Process(["bash", "-c", at], self.path / f"terminal-{len(self._processes)}.log", self._environment)
        self._processes.append(process)
        return process

    def _here(self, block: str) -> str:
        return block.replace("http://127.0.0.1:8080", self.url)


@asynccontextmanager
async def reader(path: Path) -> AsyncIterator[Folder]:
    folder = Folder(path)
    try:
        yield folder
    finally:
        await folder.close()


@pytest.mark.timeout(300)
async def test_whoever_follows_the_guide_sees_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "primes.py").write_text(WORKER, encoding="utf-8")
    (tmp_path / "primes_below.yaml").write_text(next(text for kind, text in BLOCKS if kind == "yaml"), encoding="utf-8")
    said = ""
    async with reader(tmp_path) as folder:
        for kind, block in BLOCKS:
            if kind == "sh" and block.startswith((SYSTEM, PROCESS)):
                await folder.begin(block)
            elif kind == "sh":
                code, said = await folder.run(block)
                assert (code != 0) == (FAILING in block), said
                if INTERRUPTED in block:
                    await interrupted(folder, said)
            elif kind == "text":
                assert " ".join(block.split()) in " ".join(said.split())
            elif kind == "json":
                assert json.loads((tmp_path / "primes.json").read_bytes()) == json.loads(block)

    found = (tmp_path / "primes.txt").read_text().split()
    assert (len(found), found[:5], found[-1]) == (168, ["2", "3", "5", "7", "11"], "997")
    assert '"count": 216816' in said


async def interrupted(folder: Folder, said: str) -> None:
    """Stops the worker while it works on the execution that was told of, and starts it again."""
    assert folder.worker is not None
    [execution] = re.findall(r"exec_\w+", said)
    await folder.until(["status", execution], lambda told: told["stages"][0]["progress"] > 0)
    await folder.worker.stop()
    await folder.begin(next(block for _, block in BLOCKS if block.startswith(PROCESS)))


def test_the_worker_of_the_guide_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide: dict[str, Any] = {}
    exec(compile(WORKER, "primes.py", "exec"), guide)
    given = guide["Search"](below=60_000)
    reports: list[Any] = []
    kept: list[bytes] = []

    def keep(_: Context, source: bytes, content_type: str) -> Artifact:
        kept.append(source)
        return Artifact(sha256="0" * 64, size_bytes=len(source), content_type=content_type)

    def report_and_stop(report: Any) -> None:
        reports.append(report)
        first.draining.set()

    monkeypatch.setattr(Context, "upload_now", keep)
    key = AttemptKey(execution_id="e", stage_id="s", attempt=1, fence=1)
    first = Context(key, "primes", report_and_stop, open_folder=lambda: tmp_path)

    with pytest.raises(Yield, match="stopped at 20,000"):
        guide["search"](given, first)
    found = guide["search"](given, Context(key, "primes", reports.append, open_folder=lambda: tmp_path))

    assert [report.message for report in reports] == [f"searched up to {end:,}" for end in (20_000, 40_000, 60_000)]
    assert (found.count, found.largest, len(kept[0].split())) == (6_057, 59_999, 6_057)
