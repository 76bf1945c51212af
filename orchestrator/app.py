"""The composition root: the only file that names concrete classes and puts them together.

`serve` runs the whole system in the foreground: database, orchestrator, bundled workers; and stops it in the order in
which nothing that was acknowledged can be lost.
"""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
import structlog
from aiohttp import web

from orchestrator import log as logs
from orchestrator.accounts.credentials import Credentials, CredentialsError, first_credentials
from orchestrator.bundled import BundledWorker, UnknownWorker, chosen
from orchestrator.core.seams import Clock
from orchestrator.core.template import parse_template
from orchestrator.dispatch.check import check_template
from orchestrator.dispatch.home import Reach
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.replica import Replica
from orchestrator.shipped import shipped
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database, DatabaseRefused
from orchestrator.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from orchestrator.store.templates import SHIPPED, Templates
from orchestrator.system import NoFailpoints, SystemClock, SystemRandom, TimeOrderedIds

REPLICAS_OF_A_FOLDER: Final = 64

log = structlog.get_logger()


class Unstartable(Exception):
    """The system cannot start; the message says why and what to do."""


def serve(
    *, host: str, port: int, data_dir: Path, database_url: str | None, workers: tuple[str, ...] | None
) -> None:
    """Run until SIGINT or SIGTERM. Exits with one sentence if the system cannot start."""
    logs.configure()
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    try:
        run(System(host, port, data_dir.resolve(), database_url, workers).run())
    except (Unstartable, EmbeddedPostgresError, DatabaseRefused, CredentialsError, UnknownWorker) as error:
        sys.exit(f"baton up: {error}")


class System:
    """Everything that one `baton up` runs."""

    def __init__(
        self, host: str, port: int, data_dir: Path, database_url: str | None, workers: tuple[str, ...] | None
    ) -> None:
        self._host = host
        self._port = port
        self._data_dir = data_dir
        self._database_url = database_url
        self._workers = chosen(workers)
        self._clock: Clock = SystemClock()

    async def run(self) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        self._make_folder()
        async with AsyncExitStack() as stack:
            await self._start(stack)
            await stopping.wait()
            log.info("system.stopping")
        log.info("system.stopped")

    def _make_folder(self) -> None:
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Unstartable(f"the data folder {self._data_dir} cannot be made: {error.strerror}") from None

    async def _start(self, stack: AsyncExitStack) -> None:
        """Start the parts in the order in which they need each other; the stack stops them in reverse."""
        database = await stack.enter_async_context(self._database())
        credentials = await first_credentials(...)
        raise NotImplementedError
