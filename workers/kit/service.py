"""One running worker: the only file that knows all of the kit's parts, and the order in which they start and stop."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
import structlog
from yarl import URL

from protocol.packets import Registration
from workers.kit.artifacts import Transfers
from workers.kit.engine import Engine
from workers.kit.folder import WorkerFolder
from workers.kit.heartbeat import HeartbeatThread
from workers.kit.home import Home
from workers.kit.learning import Experience
from workers.kit.lesson_file import LessonKeeper
from workers.kit.link import Link
from workers.kit.membership import Membership, Transport
from workers.kit.orchestrators import Orchestrators
from workers.kit.posts import Posts
from workers.kit.race import first_to_end
from workers.kit.seams import Seams
from workers.kit.timing import Timing
from workers.kit.worker import Worker

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process runs a worker. Without a `port` it serves no HTTP, without a `data_dir` nothing outlives it.

    `others` are further replicas of the orchestrator, for when that one does not answer.
    """

    orchestrator: URL
    secret: str = field(repr=False)
    worker_id: str
    slots: int
    transport: Literal["websocket", "http"] = "websocket"
    host: str = "127.0.0.1"
    port: int | None = None
    url: str | None = None
    data_dir: Path | None = None
    timing: Timing = field(default_factory=Timing)
    others: tuple[URL, ...] = ()


class CannotListen(Exception):
    """The worker's own port is not to be had."""


class Service:
    """Entered, it listens and has its former results back; `run` registers and works until it is drained."""

    def __init__(self, worker: Worker, settings: Settings, seams: Seams | None = None) -> None:
        self.port: int | None = None
        self.engine: Engine
        self._lessons: LessonKeeper
        self._worker = worker
        self._settings = settings
        self._seams = seams or Seams()
        self._instance_id = self._seams.fresh_id()
        self._orchestrators = Orchestrators((settings.orchestrator, *settings.others))
        self._headers = {
            "Authorization": f"Bearer {settings.secret}",
            "X-Worker-ID": settings.worker_id,
            "Content-Type": "application/json",
        }
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run(self) -> None:
        """Returns when the worker was asked to drain and has; raises `RegistrationRefused`."""
        settings = self._settings
        timeout = aiohttp.ClientTimeout(total=settings.timing.request_s)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
            is_unknown = asyncio.Event()
            heartbeat = self._heartbeat(is_unknown)
            membership = Membership(
                session,
                self._orchestrators,
                self._transport(session),
                registration=self._registration,
                on_registered=lambda registered: heartbeat.follow(registered.heartbeat_interval_ms),
                is_unknown=is_unknown,
                seams=self._seams,
                timing=settings.timing,
            )
            try:
                await first_to_end(
                    membership.run(), self._drain(heartbeat), self._forget_old_folders(), self._lessons.run()
                )
            finally:
                await asyncio.to_thread(heartbeat.stop)

    def _transport(self, session: aiohttp.ClientSession) -> Transport:
        settings = self._settings
        if settings.transport == "http":
            return Posts(session, self._orchestrators, self.engine, self._seams.clock, settings.timing)
        return Link(session, self._orchestrators, self.engine, self._seams.clock, settings.timing)

    def _heartbeat(self, is_unknown: asyncio.Event) -> HeartbeatThread:
        loop = asyncio.get_running_loop()
        settings = self._settings
        return HeartbeatThread(
            lambda: str(self._orchestrators.current / "api/workers" / settings.worker_id / "heartbeat"),
            self._headers,
            state=lambda: self.engine.attempts.heartbeat(self.engine.now(), self.engine.is_draining),
            on_directives=lambda directives: _hand_over(loop, self.engine.obey, directives),
            on_unknown=lambda: _hand_over(loop, is_unknown.set),
            on_silence=lambda: self._on_silence(loop, is_unknown),
        )

    def _on_silence(self, loop: asyncio.AbstractEventLoop, is_unknown: asyncio.Event) -> None:
        """The home stands still: where there is another one, it is not waited for until a ping of the link fails."""
        if self._orchestrators.has_others:
            _hand_over(loop, is_unknown.set)

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        settings = self._settings
        data_dir = settings.data_dir
        if data_dir is None:
            made = TemporaryDirectory(prefix="baton-worker-", ignore_cleanup_errors=True)
            data_dir = Path(stack.enter_context(made))
        folder = await asyncio.to_thread(WorkerFolder.lock, data_dir, settings.worker_id)
        stack.callback(folder.release)
        files = None if settings.data_dir is None else folder.results
        experience = Experience(await asyncio.to_thread(folder.lessons.load))
        self._lessons = LessonKeeper(folder.lessons, experience, self._seams.clock, settings.timing.lessons_s)
        stack.push_async_callback(self._lessons.save)
        transfers = Transfers(self._orchestrators, self._headers, self._seams, settings.timing)
        self.engine = Engine(
            settings.worker_id,
            settings.slots,
            self._worker.actions,
            seams=self._seams,
            timing=settings.timing,
            folders=folder.stages,
            files=files,
            transfers=await stack.enter_async_context(transfers),
            experience=experience,
        )
        if files is not None:
            self.engine.restore(await asyncio.to_thread(files.load))
        for hook in self._worker.start_hooks:
            await _begin(stack, hook(Home(settings.worker_id, folder.data)))
        if settings.port is not None:
            await self._listen(stack, settings.port)

    async def _listen(self, stack: contextlib.AsyncExitStack, port: int) -> None:
        # Most workers only dial: the server is loaded only by who listens.
        from workers.kit.http_server import HttpServer

        settings = self._settings
        server = HttpServer(
            self.engine,
            secret=settings.secret,
            version=self._worker.version,
            default_action=self._worker.default_action,
            is_asked=settings.transport == "http",
            routes=self._worker.routes,
            seams=self._seams,
        )
        stack.push_async_callback(server.stop)
        try:
            self.port = await server.start(settings.host, port)
        except OSError as error:
            raise CannotListen(f"cannot listen on {settings.host}:{port}: {error.strerror}") from None
        log.info("worker.listening", host=settings.host, port=self.port)

    def _registration(self) -> Registration:
        settings = self._settings
        url = None
        if settings.transport == "http":
            url = settings.url or f"http://{settings.host}:{self.port}"
        return Registration(
            worker_id=settings.worker_id,
            display_name=self._worker.name,
            version=self._worker.version,
            url=url,
            packet_arrays=url is not None,
            capabilities=tuple(self._worker.actions),
            max_concurrent_executions=settings.slots,
            instance_id=self._instance_id,
            running=self.engine.attempts.owed(),
            labels=self._worker.labels,
            resources=self._worker.resources,
        )

    async def _forget_old_folders(self) -> None:
        timing = self._settings.timing
        while True:
            await self.engine.forget_old_folders(timing.folder_kept_s)
            await self._seams.clock.sleep(timing.folders_swept_s)

    async def _drain(self, heartbeat: HeartbeatThread) -> None:
        """Ends when everything accepted has ended and been acked, or when the patience for it has."""
        timing = self._settings.timing
        await self.engine.drain_asked.wait()
        log.info("worker.draining", attempts=self.engine.attempts.slots - self.engine.attempts.free(self.engine.now()))
        heartbeat.beat_now()
        if not await _within(timing.drain_s, self.engine.until_idle()):
            self.engine.stop_all()
            if not await _within(timing.stop_s, self.engine.until_idle()):
                log.error("worker.attempts_abandoned", attempts=[key.stage_id for key in self.engine.attempts.owed()])
        if not await _within(timing.flush_s, self.engine.until_flushed()):
            log.warning("worker.results_unacked", results=len(self.engine.outbox))
        log.info("worker.drained")


async def _begin(stack: contextlib.AsyncExitStack, begun: Any) -> None:
    """What an author's hook returned: something to wait for, something to end with the worker, or nothing."""
    if inspect.isawaitable(begun):
        begun = await begun
    if isinstance(begun, contextlib.AbstractAsyncContextManager):
        await stack.enter_async_context(begun)
    elif isinstance(begun, contextlib.AbstractContextManager):
        stack.enter_context(begun)


def _hand_over(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    """From the heartbeat's thread to the event loop, which deals with it as soon as nothing blocks it."""
    loop.call_soon_threadsafe(call, *arguments)


async def _within(seconds: float, awaited: Awaitable[None]) -> bool:
    """Whether it ended in time; it is cancelled when not."""
    try:
        async with asyncio.timeout(seconds):
            await awaited
    except TimeoutError:
        return False
    return True
