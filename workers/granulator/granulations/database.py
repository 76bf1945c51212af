"""The granulator's SQLite file: opened by one process, used by one thread of its own, readable by its owner alone.

A file that is none, or is of another form than this program's, is set aside with a line in the log and begun anew: it
holds a record of what was made, never the only copy of a result.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = "granulations.sqlite3"
_SIDE_FILES: Final = ("-wal", "-shm")

T = TypeVar("T")

log = structlog.get_logger()


class Database:
    """Entered, it is open; `do` runs one piece of work after the other, each in a transaction."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._connection: sqlite3.Connection
        self._thread: ThreadPoolExecutor

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, "granulations")
        try:
            self._connection = await self._in_thread(lambda: _opened(self._path))
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._in_thread(self._connection.close)
        self._thread.shutdown()

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What the work returns once it is committed; raises sqlite3.Error, and nothing of the work has happened."""
        return await self._in_thread(lambda: self._transact(work))

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._connection:
            return work(self._connection)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # the disk or its rights are at fault, not the file
            raise
        aside = path.with_suffix(".corrupt")
        log.error("granulations.set_aside", error=str(error), path=str(path), set_aside=aside.name)
        for suffix in _SIDE_FILES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.replace(aside)
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    # Made before SQLite would make it, which asks no umask; its side files take over the rights of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version:
        raise sqlite3.DatabaseError(f"the file has schema {version}, this program has {SCHEMA_VERSION}")
    schema = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN; {schema} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
