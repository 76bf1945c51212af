"""A worker's own folder on disk, which one process at a time may use."""

import fcntl
import os
from pathlib import Path
from typing import Self

from workers.kit.lesson_file import LessonFile
from workers.kit.result_files import ResultFiles
from workers.kit.stage_folders import StageFolders


class FolderInUse(Exception):
    """Another process is this worker already."""


class WorkerFolder:
    """`DATA_DIR/workers/WORKER_ID`, locked from `lock` to `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self._lock = lock
        self.results = ResultFiles(path / "results")
        self.stages = StageFolders(path / "stages")
        self.lessons = LessonFile(path / "lessons.json")
        self.data = path / "data"
        self.data.mkdir(exist_ok=True)

    @classmethod
    def lock(cls, data_dir: Path, worker_id: str) -> Self:
        """Makes the folder where there is none; raises `FolderInUse`. Blocks: call it from a thread."""
        path = data_dir / "workers" / worker_id
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The kernel drops this lock with the process, however that ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            message = f"another process runs as {worker_id} on {path}; give this one its own --worker-id"
            raise FolderInUse(message) from None
        return cls(path, lock)

    def release(self) -> None:
        os.close(self._lock)
