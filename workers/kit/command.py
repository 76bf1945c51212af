"""The command line of a worker's process: options in, exit code out. Every error of the operator's is one line."""

import argparse
import asyncio
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Final

from pydantic import TypeAdapter, ValidationError
from yarl import URL

from protocol.packets import Identifier
from workers.kit.credentials import NoSecret, worker_secret
from workers.kit.folder import FolderInUse
from workers.kit.loading import NoSuchWorker, load_worker
from workers.kit.log import configure_log
from workers.kit.membership import RegistrationRefused
from workers.kit.service import CannotListen, Service, Settings
from workers.kit.timing import Timing
from workers.kit.worker import Worker

_DESCRIPTION: Final = """Runs a worker: registers it with the orchestrator, takes offers, and stops cleanly on SIGINT or
SIGTERM (a second one ends it at once). The secret comes from WORKER_SECRET, from the file that WORKER_SECRET_FILE
names, or from DATA_DIR/credentials.json."""

_worker_id: TypeAdapter[str] = TypeAdapter(Identifier)
_DRAIN_S: Final = Timing().drain_s
_MOST_SLOTS: Final = 10_000


def run_named(arguments: Sequence[str] | None = None) -> None:
    """`python -m workers.kit MODULE[:NAME] ...`: loads a worker, runs it, exits the process."""
    parser = _parser("python -m workers.kit")
    parser.add_argument(
        "module",
        metavar="MODULE[:NAME]",
        help="dotted name of a module, or path to a .py file; NAME is needed where it holds several workers",
    )
    options = parser.parse_args(arguments)
    try:
        worker = load_worker(options.module)
    except NoSuchWorker as error:
        sys.exit(f"error: {error}")
    _run(worker, options)


def run_declared(worker: Worker, arguments: Sequence[str] | None = None) -> None:
    """The same for a worker that the running script has declared itself."""
    options = _parser(f"worker {worker.name}").parse_args(arguments)
    _run(worker, options)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=_DESCRIPTION)
    add = parser.add_argument
    add(
        "--orchestrator",
        metavar="URL[,URL]",
        required=True,
        type=_http_urls,
        help="as in http://127.0.0.1:8080; of several replicas any will do",
    )
    add("--worker-id", metavar="ID", type=_identifier, help="stays the same over restarts (default: NAME-HOSTNAME)")
    add("--slots", metavar="N", type=_slots, help="attempts at once (default: as the worker declares)")
    add(
        "--transport",
        choices=("websocket", "http"),
        default="websocket",
        help="dial the orchestrator, or be called by it; http needs --port (default: websocket)",
    )
    add(
        "--port",
        metavar="P",
        type=int,
        help="serve the handshake and the worker's endpoints over HTTP (default: no port)",
    )
    add("--host", default="127.0.0.1", help="address that --port listens on (default: 127.0.0.1)")
    add("--url", help="where the orchestrator reaches --port (default: http://HOST:PORT)")
    add(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=Path(".baton"),
        help="keeps unacked results, the checkpoints of stages and the worker's own data (default: .baton)",
    )
    add(
        "--drain-timeout",
        metavar="S",
        type=float,
        default=_DRAIN_S,
        help=f"seconds that running attempts have to end or to yield after a signal (default: {_DRAIN_S:g})",
    )
    return parser


def _http_urls(text: str) -> tuple[URL, ...]:
    return tuple(_http_url(part.strip()) for part in text.split(","))


def _http_url(text: str) -> URL:
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http or https URL")
    return url


def _identifier(text: str) -> str:
    try:
        return _worker_id.validate_python(text)
    except ValidationError:
        message = f"{text!r} is not an identifier: letters, digits and _.:-, beginning with a letter or digit"
        raise argparse.ArgumentTypeError(message) from None


def _slots(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SLOTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST_SLOTS}")
    return int(text)


def _run(worker: Worker, options: argparse.Namespace) -> None:
    if options.transport == "http" and options.port is None:
        sys.exit("error: --transport http needs --port")
    configure_log()
    try:
        settings = _settings(worker, options)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(worker, settings))
    except (NoSecret, FolderInUse, CannotListen, RegistrationRefused) as error:
        sys.exit(f"error: {error}")


def _settings(worker: Worker, options: argparse.Namespace) -> Settings:
    hostname = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())
    return Settings(
        orchestrator=options.orchestrator[0],
        others=options.orchestrator[1:],
        secret=worker_secret(os.environ, options.data_dir),
        worker_id=options.worker_id or f"{worker.name}-{hostname}",
        slots=options.slots or worker.slots,
        transport=options.transport,
        host=options.host,
        port=options.port,
        url=options.url,
        data_dir=options.data_dir,
        timing=replace(Timing(), drain_s=options.drain_timeout),
    )


async def _serve(worker: Worker, settings: Settings) -> None:
    async with Service(worker, settings) as service:
        _drain_on_signals(service.engine.drain_soon)
        await service.run()


def _drain_on_signals(drain: Callable[[], None]) -> None:
    """The first signal drains, the second one ends the process: at once, even where a handler blocks the loop.

    A thread passes the first one on. What a signal interrupts may hold the very lock that setting an event takes, and a
    `SimpleQueue` is what a signal handler may put something into.
    """
    signals: SimpleQueue[int] = SimpleQueue()
    is_asked = False

    def pass_on() -> None:
        signals.get()
        drain()

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal is_asked
        if is_asked:
            os._exit(128 + number)
        is_asked = True
        signals.put(number)

    threading.Thread(target=pass_on, name="drain on signals", daemon=True).start()
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not made for every platform
        return None
    return uvloop.new_event_loop
