"""A whole Baton for one command: `baton up` on a folder that the command owns, gone when the command is done."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from orchestrator.call_faults import ApiError, Unreachable
from orchestrator.cli.connection import Connection, discover
from orchestrator.client import BatonClient
from orchestrator.core.seams import Clock

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class OwnSystem:
    """A process that runs `baton up` on `folder`."""

    folder: Path
    process: subprocess.Popen[bytes]

    async def until_offered(self, actions: Collection[str], clock: Clock) -> Connection:
        """Where it is reached once workers offer all of these actions; raises click.ClickException if none will."""
        deadline = clock.monotonic() + START_SECONDS
        awaited = set(actions)
        while self.process.poll() is None and clock.monotonic() < deadline:
            if (_data(self.folder) / "orchestrator.json").exists():
                connection = discover(None, None, _data(self.folder))
                awaited = set(actions) - await _offered(connection)
                if not awaited:
                    return connection
            await clock.sleep(POLL_SECONDS)
        tail = _log(self.folder).read_text(errors="replace")[-2000:]
        raise click.ClickException(
            f"no worker came to offer {', '.join(sorted(awaited))}; the system's log ends:\n{tail}"
        )


@contextmanager
def own_system(folder: Path) -> Iterator[OwnSystem]:
    """The system, started on the empty `folder`; at the end it is told to stop and given the time to."""
    command = [sys.executable, "-P", "-m", "orchestrator", "up", "--port", "0", "--data-dir", str(_data(folder))]
    with _log(folder).open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), start_new_session=True
        )
    try:
        yield OwnSystem(folder, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def _environment() -> Mapping[str, str]:
    """The caller's, without what would lead to another database or to credentials of another system."""
    ours = ("DATABASE_URL", "BATON_", "WORKER_SECRET")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _data(folder: Path) -> Path:
    return folder / "data"


def _log(folder: Path) -> Path:
    return folder / "baton.log"


async def _offered(connection: Connection) -> set[str]:
    """The actions of the workers that are in reach."""
    try:
        async with BatonClient(connection.url, connection.api_key) as client:
            workers = (await client.workers())["workers"]
    except (ApiError, Unreachable):
        return set()
    return {action for worker in workers if worker["status"] == "ready" for action in worker["capabilities"]}
