"""A worker's own folder on disk, which one process at a time may use."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.kit.result_files import ResultFiles


class FolderInUse(Exception):
    """Another process is this worker already."""


class WorkerFolder:
    """`DATA_DIR/workers/WORKER_ID`, locked for as long as it is entered."""

    def __init__(self, data_dir: Path, worker_id: str) -> None:
        self._path = data_dir / "workers" / worker_id
        self._worker_id = worker_id
        self._lock = -1
        self.results = ResultFiles(self._path / "results")

    def __enter__(self) -> Self:
        self._path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The kernel drops this lock with the process, however that ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            message = f"another process runs as {self._worker_id} on {self._path}; give this one its own --worker-id"
            raise FolderInUse(message) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._lock)
