"""The composition root: the only file that names concrete classes and puts them together.

`serve` runs the whole system in the foreground: database, orchestrator, bundled workers. It stops them in the order in
which nothing that was acknowledged can be lost.
"""

import asyncio
import fcntl
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from orchestrator import log as logs
from orchestrator.accounts.accounts import Accounts
from orchestrator.accounts.authenticator import Authenticator
from orchestrator.accounts.credentials import FIRST_CLIENT, CredentialsRefused, first_credentials
from orchestrator.accounts.passwords import Passwords
from orchestrator.bundled import BundledWorker, UnknownWorker, chosen
from orchestrator.core.requests import ExecuteRequest, Queued
from orchestrator.core.seams import Clock
from orchestrator.core.template import parse_template
from orchestrator.dispatch.check import TEMPLATE as CHECK_TEMPLATE
from orchestrator.dispatch.check import check_template
from orchestrator.dispatch.commands import Commands
from orchestrator.dispatch.home import Reach
from orchestrator.dispatch.outbound import HttpTransport, worker_session
from orchestrator.dispatch.peer_link import dialler
from orchestrator.dispatch.replica import Replica
from orchestrator.dispatch.tasks import Tasks
from orchestrator.settings import SettingRefused, Settings
from orchestrator.shipped import shipped
from orchestrator.store.accounts import AccountTables
from orchestrator.store.artifact_store import ArtifactStoreRefused, settle_artifact_store
from orchestrator.store.artifacts import Artifacts
from orchestrator.store.blobs import Blobs, ObjectBlobs, UnusableUrl
from orchestrator.store.breaker import Breaker
from orchestrator.store.database import UNAVAILABLE, Database, DatabaseRefused
from orchestrator.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from orchestrator.store.retention import Retention
from orchestrator.store.store import postgres_store
from orchestrator.store.templates import SHIPPED, Templates, UnknownTemplate
from orchestrator.system import NoFailpoints, SystemClock, SystemRandom, TimeOrderedIds
from orchestrator.web.application import runner_of
from orchestrator.web.ports import Check, Services
from orchestrator.web.streams import STREAMS

REPLICAS_OF_A_FOLDER: Final = 64
GC_THRESHOLDS: Final = (50_000, 20, 50)
"""The hot path makes many short-lived values and no cycles: looking for cycles by default costs a twelfth."""
PROBE_SECONDS: Final = 2.0
RESTART_SECONDS: Final = 1.0
DATABASE_SECONDS: Final = 30.0
"""How long a start waits for a database that does not take connections."""

log = structlog.get_logger()


class Unstartable(Exception):
    """The system cannot start; the message says why and what to do."""


REFUSALS: Final = (
    Unstartable,
    ArtifactStoreRefused,
    CredentialsRefused,
    DatabaseRefused,
    EmbeddedPostgresError,
    SettingRefused,
    UnknownWorker,
    UnusableUrl,
)
"""Why a system does not start; each says it in one sentence."""


def serve(
    *,
    host: str,
    port: int,
    data_dir: Path,
    database_url: str | None,
    artifacts_url: str | None,
    workers: tuple[str, ...] | None,
) -> None:
    """Run until SIGINT or SIGTERM. Exits with one sentence if the system cannot start."""
    logs.configure()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        settings = Settings.of(
            os.environ,
            host=host,
            port=port,
            data_dir=data_dir.resolve(),
            database_url=database_url,
            artifacts_url=artifacts_url,
        )
        _runner()(System(settings).run(workers))
    except REFUSALS as error:
        sys.exit(f"baton up: {error}")


class System:
    """Everything that one `baton up` runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data_dir = settings.data_dir
        self._clock: Clock = SystemClock()
        self._ids = TimeOrderedIds()
        self._random = SystemRandom()
        self._tasks = Tasks()

    async def run(self, workers: tuple[str, ...] | None) -> None:
        bundled = chosen(workers)
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Unstartable(f"the data folder {self._data_dir} cannot be made: {error.strerror}") from None
        async with AsyncExitStack() as stack:
            stopped = asyncio.create_task(stopping.wait())
            starting = asyncio.create_task(self._start(stack, bundled))
            await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
            # Who is told to stop while it waits for its database does not wait any longer.
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
            await stopped
            log.info("system.stopping")
        log.info("system.stopped")

    async def _start(self, stack: AsyncExitStack, bundled: Mapping[str, str]) -> None:
        """Start the parts in the order in which they need each other; the stack stops them in reverse."""
        replica_id = stack.enter_context(_replica_name(self._data_dir, self._ids.new("replica")))
        listening = stack.enter_context(_bound(self._settings.host, self._settings.port))
        url = f"http://{self._settings.host}:{listening.getsockname()[1]}"
        public_url = (self._settings.public_url or url).rstrip("/")
        database = await stack.enter_async_context(self._open_database())
        stack.push_async_callback(self._tasks.close)
        tables, passwords = AccountTables(database), Passwords()
        stack.callback(passwords.close)
        blobs = ObjectBlobs.at(self._settings.artifacts_url or (self._data_dir / "artifacts").as_uri(), self._ids)
        templates = Templates(database, self._clock)
        with _needing_the_database():
            await settle_artifact_store(database, blobs, self._ids)
            credentials = await first_credentials(
                self._data_dir, os.environ, tables, passwords, self._ids, self._random
            )
            await _publish_shipped(templates)
        self._tasks.create_task(blobs.discard_abandoned(self._clock.now()))
        session = await stack.enter_async_context(worker_session())
        replica = Replica(
            replica_id=replica_id,
            store=postgres_store(database, templates, blobs, replica_id, self._clock),
            reach=Reach(
                HttpTransport(session, credentials.worker_secret, self._settings.pace.call_timeout),
                public_url,
                dialler(session, credentials.worker_secret, replica_id, self._settings.pace.lease / 3),
            ),
            clock=self._clock,
            ids=self._ids,
            random=self._random,
            failpoints=NoFailpoints(),
            pace=self._settings.pace,
        )
        services = self._services(replica, database, blobs, templates, tables, passwords)
        runner = runner_of(services)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        with _needing_the_database():
            await replica.start()
        stack.push_async_callback(replica.stop)
        retention = Retention(
            database, blobs, self._clock, replica_id, self._settings.retention, replica.fleet.in_reach
        )
        self._tasks.create_task(retention.run())
        self._tasks.create_task(runner.app[STREAMS].keep())
        await web.SockSite(runner, listening).start()
        _write_address(self._data_dir, url)
        workers = [
            BundledWorker(name, module, self._data_dir / "workers", url, credentials.worker_secret, self._clock)
            for name, module in bundled.items()
        ]
        for worker in workers:
            self._tasks.create_task(worker.supervise())
        stack.push_async_callback(_stop_all, workers)
        # What stands now stands until the end: no collection need look at it again.
        gc.collect()
        gc.freeze()
        log.info("system.ready", url=url, docs=f"{url}/docs", workers=sorted(bundled))

    @asynccontextmanager
    async def _open_database(self) -> AsyncIterator[Database]:
        async with AsyncExitStack() as stack:
            dsn = self._settings.database_url
            if dsn is None:
                postgres = EmbeddedPostgres(self._data_dir)
                dsn = await postgres.start()
                stack.push_async_callback(postgres.stop)
                watch = asyncio.create_task(_keep_alive(postgres, self._clock))
                stack.callback(watch.cancel)
            database = Database(dsn, Breaker(self._clock, self._random))
            await _opened(database, self._clock)
            stack.push_async_callback(database.close)
            yield database

    def _services(
        self,
        replica: Replica,
        database: Database,
        blobs: Blobs,
        templates: Templates,
        tables: AccountTables,
        passwords: Passwords,
    ) -> Services:
        authenticator = Authenticator(tables, self._clock)
        return Services(
            authenticator=authenticator,
            accounts=Accounts(tables, authenticator, passwords, self._clock, self._ids, self._random),
            commands=replica.commands,
            queue_check=BuiltInCheck(replica.commands, templates, tables),
            executions=replica.executions,
            outlook=replica.outlook,
            templates=templates,
            workers=replica.workers,
            reports=replica.reports,
            artifacts=Artifacts(database, blobs),
            hub=replica.hub,
            health=Readiness(replica, database),
            clock=self._clock,
            ids=self._ids,
            version=version("baton-orchestrator"),
            max_artifact_bytes=self._settings.max_artifact_bytes,
        )


class BuiltInCheck:
    """Submits the check's execution for the first client."""

    def __init__(self, commands: Commands, templates: Templates, tables: AccountTables) -> None:
        self._commands = commands
        self._templates = templates
        self._tables = tables

    async def submit(self) -> Queued:
        client = await self._tables.client_named(FIRST_CLIENT)
        if client is None:
            raise UnknownTemplate(f"the client {FIRST_CLIENT} is gone, to whom the check belongs")
        published = await self._templates.find(SHIPPED, check_template().name)
        template = await self._templates.version(SHIPPED, published.name, published.version)
        return await self._commands.execute(ExecuteRequest(client.client_id, template, SHIPPED, {}, priority=100))


class Readiness:
    """Whether this replica can take work: its database takes writes, and it holds its lease."""

    def __init__(self, replica: Replica, database: Database) -> None:
        self._replica = replica
        self._database = database

    async def checks(self) -> Sequence[Check]:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                why = None if await self._database.takes_writes() else "is read-only"
        except UNAVAILABLE as error:
            why = f"does not answer: {error!r}"
        if why is None and self._replica.journal.is_stuck:
            why = "answers, but does not get what waits to be written done"
        reached = Check("database", why is None, why or "answers")
        alive = self._replica.is_alive
        return (reached, Check("lease", alive, "held" if alive else "lost; a new one is being taken"))


async def _opened(database: Database, clock: Clock) -> None:
    """Open it; one that is just starting, recovering or failing over is waited for."""
    deadline = clock.monotonic() + DATABASE_SECONDS
    while True:
        try:
            await database.open()
        except UNAVAILABLE as error:
            if clock.monotonic() >= deadline:
                raise Unstartable(f"the database cannot be reached: {error or type(error).__name__}") from None
            log.warning("database.awaited", error=repr(error), seconds_left=round(deadline - clock.monotonic()))
            await clock.sleep(RESTART_SECONDS)
        else:
            return


@contextmanager
def _needing_the_database() -> Iterator[None]:
    try:
        yield
    except UNAVAILABLE as error:
        raise Unstartable(f"the database went away while the system started: {error!r}") from None


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    if sys.platform == "win32":
        return asyncio.run
    import uvloop

    return uvloop.run


async def _keep_alive(postgres: EmbeddedPostgres, clock: Clock) -> None:
    """Bring the embedded server back whenever it ends, however often that takes: its disk may be full."""
    while True:
        await postgres.ended()
        log.error("postgres.ended")
        try:
            await postgres.start()
        except (EmbeddedPostgresError, OSError) as error:
            log.error("postgres.not_started", why=str(error))
            await clock.sleep(RESTART_SECONDS)


async def _stop_all(workers: Sequence[BundledWorker]) -> None:
    await asyncio.gather(*(worker.stop() for worker in workers))


async def _publish_shipped(templates: Templates) -> None:
    sources = [CHECK_TEMPLATE]
    for entry in sorted(shipped("templates").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            sources.append(entry.read_text(encoding="utf-8"))
    # What stands there already was checked when it was published.
    published = await templates.latest_sources(SHIPPED)
    for source in sources:
        if source in published:
            continue
        await templates.publish(SHIPPED, parse_template(source), source)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """The listening address, taken before anything starts: it is known, and nobody else can have it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Unstartable(f"cannot listen on {host}:{port}: {error.strerror}") from None
    try:
        yield listening
    finally:
        listening.close()


@contextmanager
def _replica_name(data_dir: Path, fresh: str) -> Iterator[str]:
    """This process's replica id: the first of the folder's names that no living process has.

    The same name after a crash means that its executions are taken up at once instead of after a lease. The kernel
    releases the lock with the process, however it ends.
    """
    folder = data_dir / "replicas"
    folder.mkdir(exist_ok=True)
    for number in range(REPLICAS_OF_A_FOLDER):
        descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            name = os.read(descriptor, 200).decode() or fresh
            os.pwrite(descriptor, name.encode(), 0)
            yield name
        finally:
            os.close(descriptor)
        return
    raise Unstartable(f"{REPLICAS_OF_A_FOLDER} replicas live on {data_dir} already")


def _write_address(data_dir: Path, url: str) -> None:
    """Tell the command line where this system is: whoever sees the file, sees all of it."""
    path = data_dir / "orchestrator.json"
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(orjson.dumps({"url": url, "pid": os.getpid()}))
    unfinished.replace(path)
