"""The bundled workers as processes beside the orchestrator: started, adopted, started again, stopped.

A worker survives the orchestrator that started it, and finishes what it runs; the next one on the same data folder
adopts it. The lock file says that it lives: the worker inherits the locked descriptor, so the kernel keeps the lock
for exactly as long as the process, whoever started it.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import structlog

from orchestrator.core.seams import Clock

BUNDLED: Final[Mapping[str, str]] = {
    "echo": "workers.echo",
    "granulator": "workers.granulator.worker",
    "training": "workers.training.worker",
}
"""The workers that ship with Baton, and the modules that hold them."""

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {"training": ("tinygrad", "sklearn", "safetensors")}
"""The workers that need an extra of their own name, and the modules that it brings."""

POLL_SECONDS: Final = 0.25
STOP_SECONDS: Final = 12.0
LONGEST_PAUSE: Final = 10.0

log = structlog.get_logger()


class UnknownWorker(Exception):
    """A name that no bundled worker has, or one whose extra is not installed."""


def chosen(names: tuple[str, ...] | None) -> dict[str, str]:
    """The bundled workers of these names; None means all whose extras are installed."""
    if names is None:
        return {name: module for name, module in BUNDLED.items() if _is_installed(name)}
    for name in names:
        if name not in BUNDLED:
            raise UnknownWorker(f"there is no bundled worker {name}; there are {', '.join(sorted(BUNDLED))}")
        if missing(name):
            raise UnknownWorker(f"the worker {name} needs {', '.join(missing(name))}: {how_to_install(name)}")
    return {name: BUNDLED[name] for name in names}


def missing(name: str) -> list[str]:
    """The modules that this bundled worker needs and that are not installed."""
    return [module for module in EXTRAS.get(name, ()) if find_spec(module) is None]


def how_to_install(name: str) -> str:
    """The command that installs what is missing."""
    return f"pip install 'baton-orchestrator[{name}]'"


def _is_installed(name: str) -> bool:
    if not missing(name):
        return True
    log.info("worker.skipped", worker=name, missing=missing(name), install=how_to_install(name))
    return False


class BundledWorker:
    """One worker process, whoever started it."""

    def __init__(self, name: str, module: str, folder: Path, orchestrator_url: str, secret: str, clock: Clock) -> None:
        self.name = name
        self._module = module
        self._folder = folder / name
        self._url = orchestrator_url
        self._secret = secret
        self._clock = clock
        self._stopping = False
        self._child: subprocess.Popen[bytes] | None = None

    async def supervise(self) -> None:
        """Keep one such process alive until `stop`. One that ends at once again and again is started ever later."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._adopt_or_replace()
        pause = POLL_SECONDS
        while not self._stopping:
            lock = self._try_lock()
            if lock is not None:
                began = self._clock.monotonic()
                self._start(lock)
                os.close(lock)
                await self._ended()
                lived_long = self._clock.monotonic() - began > LONGEST_PAUSE
                pause = POLL_SECONDS if lived_long else min(2 * pause, LONGEST_PAUSE)
                log.warning("worker.ended", worker=self.name, status=self._child.poll() if self._child else None)
            await self._clock.sleep(pause)

    async def stop(self) -> None:
        """Let it drain, then end it."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        deadline = self._clock.monotonic() + STOP_SECONDS
        while self._lives() and self._clock.monotonic() < deadline:
            await self._clock.sleep(POLL_SECONDS / 5)
        if self._lives():
            log.warning("worker.killed", worker=self.name)
            self._signal(signal.SIGKILL)
        if self._child is not None:
            self._child.poll()

    async def _adopt_or_replace(self) -> None:
        """A worker of an earlier orchestrator is kept if it dials this one; one that dials elsewhere is ended."""
        if not self._lives():
            return
        if self._note().get("url") == self._url:
            log.info("worker.adopted", worker=self.name, pid=self._note().get("pid"))
            await self._ended()
            return
        await self.stop()
        self._stopping = False

    def _start(self, lock: int) -> None:
        # -P: the working directory is no source of modules, or a user's own workers/ folder would shadow ours.
        command = [sys.executable, "-P", "-m", "workers.kit", self._module]
        command += ["--orchestrator", self._url, "--data-dir", str(self._folder), "--drain-timeout", "8"]
        with (self._folder / "worker.log").open("ab") as output:
            self._child = subprocess.Popen(
                command,
                env={**os.environ, "WORKER_SECRET": self._secret},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,
            )
        note = self._folder / "process.json"
        note.write_text(json.dumps({"pid": self._child.pid, "url": self._url}), encoding="utf-8")
        log.info("worker.started", worker=self.name, pid=self._child.pid)

    async def _ended(self) -> None:
        while self._lives():
            if self._child is not None:
                self._child.poll()
            await self._clock.sleep(POLL_SECONDS)

    def _lives(self) -> bool:
        lock = self._try_lock()
        if lock is None:
            return True
        os.close(lock)
        return False

    def _try_lock(self) -> int | None:
        descriptor = os.open(self._folder / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _note(self) -> dict[str, object]:
        try:
            note = json.loads((self._folder / "process.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def _signal(self, number: int) -> None:
        pid = self._note().get("pid")
        if isinstance(pid, int) and self._lives():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
