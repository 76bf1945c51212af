"""A private folder for each stage that a worker is at: where an attempt leaves what the next one can go on from.

A folder outlives its attempt and the process. It goes when the stage is over, or when nothing in it was touched for
long. It goes by being renamed first, so that what is half deleted is never taken for a checkpoint.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

StageKey = tuple[str, str]
"""executionId, stageId: the same through all attempts of a stage."""

_REMOVED: Final = ".removed"

log = structlog.get_logger()


class StageFolders:
    """The folders below one path. All of it but `holds` blocks, and may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        # Between looking at a folder's age and removing it nobody may open it.
        self._lock = threading.Lock()

    def holds(self, stage: StageKey) -> bool:
        """Whether there is a folder to remove; asked of every result, so it does not look at the disk."""
        return bool(self._names) and _name(stage) in self._names

    def open(self, stage: StageKey) -> Path:
        """The stage's folder, made where there is none; in use from now on."""
        path = self._path / _name(stage)
        with self._lock:
            path.mkdir(parents=True, exist_ok=True)
            os.utime(path)
            self._names.add(path.name)
        return path

    def remove(self, stage: StageKey) -> None:
        """Deletes the folder of a stage that is over. A failure is logged, and left to `sweep`."""
        path = self._path / _name(stage)
        with _faults_noted(path):
            with self._lock:
                aside = self._set_aside(path)
            shutil.rmtree(aside)

    def sweep(self, kept_s: float, in_use: Collection[StageKey]) -> None:
        """Deletes what was not touched for `kept_s` seconds and is not in use, and what was left half deleted."""
        if not self._path.is_dir():
            return
        kept = {_name(stage) for stage in in_use}
        with _faults_noted(self._path):
            # The clock of the file system: the same that dates the files.
            os.utime(self._path)
            oldest = self._path.stat().st_mtime - kept_s
            for path in list(self._path.iterdir()):
                with _faults_noted(path):
                    if path.suffix == _REMOVED:
                        shutil.rmtree(path)
                    elif path.name not in kept:
                        self._delete_if_older(path, oldest)

    def _delete_if_older(self, path: Path, oldest: float) -> None:
        with self._lock:
            if _touched_at(path) > oldest:
                return
            aside = self._set_aside(path)
        shutil.rmtree(aside)
        log.info("stage_folder.forgotten", path=str(path))

    def _set_aside(self, path: Path) -> Path:
        self._names.discard(path.name)
        return path.rename(path.with_suffix(_REMOVED))


@contextmanager
def _faults_noted(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.warning("stage_folder.not_removed", error=str(error), path=str(path))


def _name(stage: StageKey) -> str:
    # Two identifiers may together be longer than a file name, so the name is a digest of them.
    return hashlib.sha256("\n".join(stage).encode()).hexdigest()


def _touched_at(folder: Path) -> float:
    """When the folder or anything in it was last written: a checkpoint may be written in place."""
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
