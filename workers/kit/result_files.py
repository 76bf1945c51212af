"""Results on disk: what was dear to make survives a restart of the worker.

A file is whole or absent: written aside, synced, renamed, and the folder synced. A file that cannot be read is set
aside with a line in the log, never deleted and never fatal.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from protocol.codec import MAX_RESULT_BYTES, dumps, loads
from protocol.errors import ProtocolError
from protocol.packets import AttemptKey, Model, Result
from workers.kit.attempts import Identity, Origin

_SUFFIX: Final = ".json"
_SET_ASIDE: Final = ".corrupt"

# The result came through the gate at this size; the envelope around it adds its names and identifiers.
_MAX_FILE_BYTES: Final = MAX_RESULT_BYTES + 4096

log = structlog.get_logger()


class StoredResult(Model):
    """What a file holds: whose result it is, how the offer had come, and the result."""

    key: AttemptKey
    action: str
    origin: Origin
    result: Result


class ResultFiles:
    """One folder of results without an ack. Its methods block: call them from a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, stored: StoredResult) -> None:
        """Returns when the result is on the disk; raises OSError where it cannot be."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path((stored.key.execution_id, stored.key.stage_id, stored.key.fence))
        aside = path.with_suffix(".partial")
        with open(aside, "wb") as file:
            file.write(dumps(stored.document()))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, identity: Identity) -> None:
        """Deletes the file of an acked result. A failure is logged: at worst the result is sent once more."""
        try:
            self._path(identity).unlink(missing_ok=True)
        except OSError as error:
            log.warning("result_file.not_removed", error=str(error), path=str(self._path(identity)))

    def load(self) -> list[StoredResult]:
        """Everything that an earlier life of this worker left behind, oldest first."""
        if not self._folder.is_dir():
            return []
        paths = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [stored for path in paths if (stored := _read(path)) is not None]

    def _path(self, identity: Identity) -> Path:
        # Identifiers may be longer than a file name, so the name is a digest of them.
        digest = hashlib.sha256("\n".join(map(str, identity)).encode()).hexdigest()
        return self._folder / f"{digest}{_SUFFIX}"


def _read(path: Path) -> StoredResult | None:
    try:
        return StoredResult.model_validate(loads(path.read_bytes(), _MAX_FILE_BYTES))
    except (OSError, ProtocolError, ValidationError) as error:
        log.error("result_file.corrupt", error=str(error), path=str(path), set_aside=path.name + _SET_ASIDE)
        path.rename(path.with_name(path.name + _SET_ASIDE))
        return None
