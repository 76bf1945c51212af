"""`baton demo`: a whole Baton in a folder of its own makes a course from a shipped text, shows how, and is gone.

Everything is real: the embedded PostgreSQL, the orchestrator and the bundled workers as processes, the pipeline over
HTTP. The folder and the processes go with the command, however it ends.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.cli.connection import discover
from orchestrator.cli.execution_view import ending_view
from orchestrator.cli.failures import exit_unless_completed
from orchestrator.cli.printable import json_text, plain
from orchestrator.cli.remote import Remote
from orchestrator.cli.run import acceptance_line
from orchestrator.cli.run_input import InputFile
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watch import watch
from orchestrator.client import ApiError, BatonClient, Document, Unreachable
from orchestrator.core.seams import Clock
from orchestrator.shipped import shipped
from orchestrator.system import SystemClock

TEMPLATE: Final = "course_from_document"
EXAMPLE: Final = "course_from_document.md"
STAGE: Final = "granulate"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
BODY_WIDTH: Final = 110


@click.command()
def demo() -> None:
    """Make a course from a shipped text.

    On a system of its own, which is started for it and stopped after it.
    """
    terminal = Terminal(as_json=False)
    terminal.note("Starting PostgreSQL, the orchestrator and the bundled workers ...")
    with tempfile.TemporaryDirectory(prefix="baton-demo-") as name, _system(Path(name)) as process:
        remote = asyncio.run(_ready(Path(name), process, terminal))
        given = InputFile().convert(str(shipped("templates") / "examples" / EXAMPLE), None, None)
        document = remote.call(lambda client: _make(client, given, terminal))
        terminal.show(document, ending_view)
        exit_unless_completed(document)
        terminal.show(remote.call(lambda client: client.packets(document["executionId"])), _handshake)
        url = remote.connection.url
    terminal.note(f"\nWhile it ran it was at {url}, its API described at {url}/docs. All of it is stopped now.")
    terminal.note("Your own: `baton up`, and beside it `baton run course_from_document --input-file YOUR.md`.")


async def _make(client: BatonClient, given: Any, terminal: Terminal) -> Document:
    accepted = await client.execute(TEMPLATE, given)
    terminal.note(f"\nMaking a course from {EXAMPLE} ({len(given['text'].split())} words).")
    terminal.note(acceptance_line(accepted, terminal.clock.now()).plain)
    return await watch(client, accepted["executionId"], terminal)


@contextmanager
def _system(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`baton up` on this folder, told to stop at the end and given the time to."""
    command = [sys.executable, "-P", "-m", "orchestrator", "up", "--port", "0", "--data-dir", str(folder / "data")]
    with (folder / "baton.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def _environment() -> Mapping[str, str]:
    """The caller's, without what would lead to another database or to credentials of another system."""
    ours = ("DATABASE_URL", "BATON_", "WORKER_SECRET")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def _ready(folder: Path, process: subprocess.Popen[bytes], terminal: Terminal) -> Remote:
    """The system once a worker offers what the template needs."""
    clock: Clock = SystemClock()
    deadline = clock.monotonic() + START_SECONDS
    while process.poll() is None and clock.monotonic() < deadline:
        if (folder / "data" / "orchestrator.json").exists():
            remote = Remote(discover(None, None, folder / "data"), terminal)
            if await _offers(remote, STAGE):
                return remote
        await clock.sleep(0.1)
    tail = (folder / "baton.log").read_text(errors="replace")[-2000:]
    raise click.ClickException(f"the system did not come up; its log ends:\n{tail}")


async def _offers(remote: Remote, action: str) -> bool:
    try:
        async with BatonClient(remote.connection.url, remote.connection.api_key) as client:
            workers = (await client.workers())["workers"]
    except (ApiError, Unreachable):
        return False
    return any(worker["status"] == "ready" and action in worker["capabilities"] for worker in workers)


def _handshake(document: Document, now: datetime) -> RenderableType:
    lines: list[RenderableType] = [Text(f"The handshake of the stage {STAGE}:", style="bold")]
    for packet in document["packets"]:
        if packet["stage"] == STAGE:
            arrow = "->" if packet["direction"] == "out" else "<-"
            line = f"  {packet['seq']:>3}  {packet['at'][11:23]}  {arrow} {packet['type']:<8} {_told(packet)}"
            lines.append(plain(line))
    return Group(Text(), *lines)


def _told(packet: Document) -> str:
    if "body" not in packet:
        return f"({packet['bytes']} bytes, SHA-256 {packet['sha256'][:16]}...)"
    keys = ("executionId", "stageId", "type", "fence")
    body = {name: value for name, value in packet["body"].items() if name not in keys}
    text = " ".join(json_text(body).split())
    return text if len(text) <= BODY_WIDTH else f"{text[:BODY_WIDTH]}..."
