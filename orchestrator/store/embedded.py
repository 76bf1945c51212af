"""Supervises the embedded PostgreSQL: starts it, adopts the one that lives already, notices its end, stops it.

Invariant: at most one server serves a data directory, and what it said to have committed outlives every kill.

The server is nobody's child: it goes on when the orchestrator is killed, and the next `start` adopts it. So the one who
started it knows no more of it than one who adopted it, and there is one way to do everything. Whether anything of it
lives is told by the lock in `embedded_cluster`; that it is ours is told by SCRAM, in which the server proves that it
knows the password too.
"""

import asyncio
import os
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import structlog

from orchestrator.store.embedded_binaries import EmbeddedPostgresError
from orchestrator.store.embedded_cluster import LOG, Cluster
from orchestrator.store.embedded_launch import launch_unless_in_use

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

_SOON = timedelta(milliseconds=20)
_WATCH = timedelta(milliseconds=200)
_ANSWER = timedelta(seconds=5)
_QUIT = timedelta(seconds=15)

# The server is starting up, shutting down, full or not there: what a later try may find otherwise.
_NOT_YET = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)


class EmbeddedPostgres:
    """One PostgreSQL server for one data directory, reached over a Unix socket that only its owner may enter.

    The owner calls `start`, then waits for `ended` beside its own work and calls `start` again when it returns: the
    server recovers, and the DSN stays the same.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        start_timeout: timedelta = timedelta(minutes=2),
        stop_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self._cluster = Cluster(data_dir)
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._dsn: str | None = None
        self._refusal: Exception | None = None

    @property
    def dsn(self) -> str:
        """The address of the database, with the password, for asyncpg; EmbeddedPostgresError before `start`."""
        if self._dsn is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started yet")
        return self._dsn

    async def start(self) -> str:
        """Returns the DSN once the server accepts connections and the database is there.

        A living server of this data directory is adopted; else one is started, after its cluster is made if there is
        none. While processes of a killed server still write, this waits for their end. EmbeddedPostgresError says
        what hindered it; a server that merely was too slow is left running and may be adopted later.
        """
        self._refusal = None
        try:
            async with asyncio.timeout(self._start_timeout.total_seconds()):
                await asyncio.to_thread(self._cluster.make_data_dir)
                self._dsn = await self._reach()
        except TimeoutError as error:
            raise EmbeddedPostgresError(
                f"PostgreSQL in {self._cluster.directory} was not ready within {self._start_timeout} "
                f"({self._refusal}); see {self._cluster.data_dir / LOG}"
            ) from error
        except OSError as error:
            raise EmbeddedPostgresError(f"PostgreSQL cannot use {self._cluster.data_dir}: {error}") from error
        return self._dsn

    async def ended(self) -> None:
        """Returns when no process of the server is alive any more, whoever or whatever ended it."""
        # Processes that are not our children, and all of them: there is no event to wait for.
        while not self._cluster.is_unused():  # noqa: ASYNC110
            await asyncio.sleep(_WATCH.total_seconds())

    async def stop(self) -> None:
        """Ends the server cleanly: open transactions are rolled back, what is committed is on the disk.

        A server that takes longer than the stop timeout is told to quit at once; the next start then recovers it.
        EmbeddedPostgresError where it outlives even that. Nothing happens where no server lives.
        """
        if self._cluster.is_unused():
            return
        for request, patience in ((signal.SIGINT, self._stop_timeout), (signal.SIGQUIT, _QUIT)):
            try:
                async with asyncio.timeout(patience.total_seconds()):
                    postmaster = await self._end(request)
            except TimeoutError:
                _log.warning("postgres.stop_timed_out", data_dir=str(self._cluster.data_dir), signal=request.name)
                continue
            await asyncio.to_thread(self._cluster.discard_socket_folder)
            _log.info("postgres.stopped", data_dir=str(self._cluster.data_dir), pid=postmaster, signal=request.name)
            return
        raise EmbeddedPostgresError(
            f"the PostgreSQL of {self._cluster.directory} did not stop; see {self._cluster.data_dir / LOG}"
        )

    async def _end(self, request: signal.Signals) -> int | None:
        """Signals the postmaster once and returns its id when all is over; None where there only were leftovers.

        The lock may be held while there is no postmaster: by one who is about to start it, so look again; or by the
        backends of a killed one, so wait for them.
        """
        postmaster: int | None = None
        while not self._cluster.is_unused():
            if postmaster is None:
                postmaster = await asyncio.to_thread(self._cluster.postmaster)
                if postmaster is not None:
                    with suppress(ProcessLookupError):
                        os.kill(postmaster, request)
            await asyncio.sleep(_SOON.total_seconds())
        return postmaster

    async def _reach(self) -> str:
        """Connects to the living server, or starts one and connects to that.

        Both are tried over and over: another process may hold the lock because it is starting the server, because it
        is stopping it, or because it is the last backend of a killed one. To us they all look alike, and all pass.
        """
        launched_at: int | None = None
        while True:
            launched_at = await asyncio.to_thread(launch_unless_in_use, self._cluster, launched_at)
            try:
                dsn = await asyncio.to_thread(self._cluster.dsn)
                connection = await asyncpg.connect(dsn, timeout=_ANSWER.total_seconds())
            except _NOT_YET as refusal:
                self._refusal = refusal
                await asyncio.sleep(_SOON.total_seconds())
                continue
            except asyncpg.PostgresError as refusal:
                raise EmbeddedPostgresError(f"PostgreSQL refused its own owner: {refusal}") from refusal
            await connection.close(timeout=_ANSWER.total_seconds())
            event = "postgres.adopted" if launched_at is None else "postgres.started"
            _log.info(event, data_dir=str(self._cluster.data_dir))
            return dsn
