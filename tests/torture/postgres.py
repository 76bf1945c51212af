"""The private PostgreSQL of a storm: the embedded server with a watch that brings it back, and what is done to it."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import asyncpg

from orchestrator.core.seams import Clock
from orchestrator.store.embedded import EmbeddedPostgres
from orchestrator.store.embedded_cluster import Cluster


class Postgres:
    """One server that is started again whenever it ends."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._cluster = Cluster(folder)
        self._postgres = EmbeddedPostgres(folder)
        self._clock = clock
        self._watch: asyncio.Task[None] | None = None

    @property
    def dsn(self) -> str:
        return self._postgres.dsn

    @property
    def socket_folder(self) -> Path:
        return self._cluster.socket_folder()

    async def start(self) -> None:
        await self._postgres.start()
        self._watch = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._postgres.stop()

    async def _keep_alive(self) -> None:
        while True:
            await self._postgres.ended()
            await self._postgres.start()

    async def connect(self) -> asyncpg.Connection:
        """A connection of the harness's own, which goes through no link."""
        while True:
            try:
                return await asyncpg.connect(self.dsn, timeout=5, server_settings={"application_name": "torture"})
            except (OSError, TimeoutError, asyncpg.PostgresError):
                await self._clock.sleep(0.1)

    # -------------------------------------------------------------------------------------------- what is done to it

    def kill(self) -> list[int]:
        """SIGKILL to all of it; returns the process ids."""
        postmaster = self._cluster.postmaster()
        if postmaster is None:
            return []
        killed = [postmaster, *_children(postmaster)]
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return killed

    def restart_at_once(self) -> list[int]:
        """The immediate shutdown: no checkpoint, recovery at the next start. Returns the postmaster's id."""
        postmaster = self._cluster.postmaster()
        if postmaster is None:
            return []
        os.kill(postmaster, signal.SIGQUIT)
        return [postmaster]

    async def terminate_backends(self) -> int:
        """Cut all of the orchestrators' sessions from within; returns how many there were."""
        connection = await self.connect()
        try:
            rows = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'baton'"
            )
            return len(rows)
        finally:
            await connection.close()

    async def read_only_for(self, seconds: float) -> None:
        """As after a failover to a standby."""
        await self._set_for("default_transaction_read_only", "on", seconds)

    async def full_for(self, seconds: float) -> None:
        """No page can be added to any table; what is written within the pages that there are, as leases are, is."""
        await self._set_for("torture.storage", "full", seconds)

    async def slow_for(self, seconds: float) -> None:
        """Every write takes its time."""
        await self._set_for("torture.storage", "slow", seconds)

    async def _set_for(self, setting: str, value: str, seconds: float) -> None:
        await self._configure(f"ALTER SYSTEM SET {setting} = '{value}'")
        try:
            await self._clock.sleep(seconds)
        finally:
            await self._configure(f"ALTER SYSTEM RESET {setting}")

    async def _configure(self, statement: str) -> None:
        """Try until it is done: the server may be starting just now."""
        while True:
            connection = await self.connect()
            try:
                await connection.execute(statement)
                await connection.execute("SELECT pg_reload_conf()")
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._clock.sleep(0.1)
            finally:
                connection.terminate()

    async def locked_for(self, seconds: float) -> None:
        """Nobody can write executions meanwhile: every flush waits."""
        connection = await self.connect()
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            async with connection.transaction():
                await connection.execute("LOCK TABLE pipeline_executions IN EXCLUSIVE MODE")
                await self._clock.sleep(seconds)
        connection.terminate()


def _children(pid: int) -> list[int]:
    """The processes of a postmaster."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
