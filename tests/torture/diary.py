"""What a worker writes down of its own doings: to a file that outlives its kill, and to the harness as it happens."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from orchestrator.system import SystemClock

EAR = "ear.socket"


class Diary:
    """One worker's. Entries are `{at, worker, life, event, ...}`, a line each; `at` is in seconds since 1970."""

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._clock = SystemClock()
        self._about = {"worker": worker_id, "life": os.getpid()}
        self._file = os.open(path_of(folder, worker_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._mouth = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._mouth.setblocking(False)
        self._ear = os.fspath(folder / EAR)

    def note(self, event: str, **about: Any) -> None:
        entry = orjson.dumps({"at": self._clock.now().timestamp(), **self._about, "event": event, **about})
        os.write(self._file, entry + b"\n")
        # The harness may be gone or busy; what it reads in the end is the file.
        with suppress(OSError):
            self._mouth.sendto(entry, self._ear)


def path_of(folder: Path, worker_id: str) -> Path:
    return folder / f"{worker_id}.diary.jsonl"


def read_diary(path: Path) -> list[dict[str, Any]]:
    """The entries of a worker; a line that its kill has cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [orjson.loads(line) for line in lines if line.endswith(b"}")]


class KillPoint:
    """Where a worker's process kills itself, once, when the harness has asked it to."""

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._path = order_of(folder, worker_id)

    def reached(self, point: str) -> None:
        """Die here by SIGKILL, if this is the point that was asked for."""
        try:
            asked = self._path.read_text()
        except FileNotFoundError:
            return
        if asked == point:
            self._path.unlink()
            die()


def die() -> None:
    """SIGKILL to this very process: nothing is closed, flushed or told."""
    os.kill(os.getpid(), signal.SIGKILL)


def order_of(folder: Path, worker_id: str) -> Path:
    """The file in which the harness asks a worker to kill itself, and at which point."""
    return folder / f"{worker_id}.die"
