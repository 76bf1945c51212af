"""The one thread that tinygrad lives on. What touches it is made, used and let go on this thread.

tinygrad keeps its state in globals, and its cache of kernels in a connection that belongs to one thread. On one thread
two trainings take turns step by step and never meet.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

from workers.training.compiler import NoCompiler, find_compiler

Made = TypeVar("Made")
Held = TypeVar("Held")
Held_co = TypeVar("Held_co", covariant=True)

LOOK_UP_S: Final = 0.1
"""How often a waiting action looks whether it was told to stop."""


class Stopped(Exception):
    """The wait was given up; what had begun on the device ends there by itself."""


class Hand(Protocol[Held_co]):
    """Does something with what is held, on the device's thread, and returns what came of it."""

    def __call__(self, call: Callable[[Held_co], Made], /) -> Made: ...


class Device:
    """tinygrad, loaded on first use with its compiler and its cache in a folder. There is one for each process."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tinygrad")
        self._is_ready = False

    @contextmanager
    def opened(self, folder: Path) -> Iterator[None]:
        """Works in `folder` until it is left, which waits for what is under way on the thread."""
        self._folder = folder
        try:
            yield
        finally:
            self._thread.shutdown(cancel_futures=True)

    @contextmanager
    def holding(self, make: Callable[[], Held], stop: threading.Event) -> Iterator[Hand[Held]]:
        """Makes something there, and lets go of it in the end.

        Raises what `make` raises; NoCompiler; and Stopped, here and from each use, as soon as `stop` is set.
        """
        held: list[Held] = []
        self._do(lambda: held.append(make()), stop)

        def use(call: Callable[[Held], Made]) -> Made:
            return self._do(lambda: call(held[0]), stop)

        try:
            yield use
        finally:
            self._thread.submit(held.clear)

    def _do(self, call: Callable[[], Made], stop: threading.Event) -> Made:
        future = self._thread.submit(self._ready, call)
        while True:
            try:
                return future.result(LOOK_UP_S)
            except TimeoutError:
                if future.done():  # it was the call that timed out
                    raise
                if stop.is_set():
                    future.cancel()
                    raise Stopped from None

    def _ready(self, call: Callable[[], Made]) -> Made:
        if not self._is_ready:
            if self._folder is None:
                raise RuntimeError("the device is used before it was opened")
            _load(find_compiler(self._folder), self._folder / "kernels.db")
            self._is_ready = True
        return call()


def _load(compiler: Path, cache: Path) -> None:
    """Loads tinygrad and makes one kernel: what can fail for want of a compiler fails here."""
    # tinygrad reads these once and remembers them. PARALLEL=0 keeps it from starting processes of its own.
    with _environment({"CC": str(compiler), "CACHEDB": str(cache.resolve()), "DEV": "CPU", "PARALLEL": "0"}):
        from tinygrad.tensor import Tensor

        try:
            Tensor.ones(2).contiguous().realize()
        except Exception as error:
            raise NoCompiler(f"training cannot begin: {compiler} makes no working code: {error}") from error


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
