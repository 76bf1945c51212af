"""An event loop without a world: no sockets, no threads, and time that jumps to the next timer when nothing is ready.

Callbacks that are ready run in the order in which they were made so, as in production: code may rely on that. What
is really concurrent (messages, statements, timers of different processes) is put in another order by every seed
through the delays that are drawn for it.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")


class Stalled(Exception):
    """Everything waits for something that will never come."""


class Call:
    """A callback that is due, at once or at a virtual second. It stands in for `asyncio.TimerHandle`, whose
    construction costs more than most callbacks here."""

    __slots__ = ("_args", "_callback", "_context", "_when")

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self._when = when
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._context = context

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self._callback, self._args = None, ()

    def cancelled(self) -> bool:
        return self._callback is None

    def make(self) -> None:
        if self._callback is not None:
            self._context.run(self._callback, *self._args)


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks and timers; `time()` is virtual seconds from 0.

    Of its base it keeps what makes tasks and futures, and the handler of what nobody caught.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._due: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._set = 0

    # ------------------------------------------------------------------------------------------- callbacks and timers

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        call = Call(self._now, callback, args, copy_context() if context is None else context)
        self._due.append(call)
        return call

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        call = Call(when, callback, args, copy_context() if context is None else context)
        self._set += 1
        heappush(self._timers, (when, self._set, call))
        return call

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        return self.call_at(self._now + delay, callback, *args, context=context)

    # ---------------------------------------------------------------------------------------------------- its own life

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until the future is done. Raises `Stalled` when it never will be."""
        awaited: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]
        due, is_over = self._due, awaited.done
        with self._running():
            while not is_over():
                if not due:
                    self._jump()
                call = due.popleft()
                try:
                    call.make()
                except Exception as error:
                    self.call_exception_handler({"message": "a callback failed", "exception": error})
        return awaited.result()

    def close(self) -> None:
        """Cancel what is left, so that nothing is destroyed while it waits."""
        left = asyncio.all_tasks(self)
        for one in left:
            one.cancel()
        self.run_until_complete(_ended(left))
        super().close()

    def _jump(self) -> None:
        """Nothing is due: let it be the next timer's time."""
        timers = self._timers
        if not timers:
            raise Stalled
        self._now = now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= now:
            self._due.append(heappop(timers)[2])

    @contextmanager
    def _running(self) -> Iterator[None]:
        """This is the thread's loop."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=self._abandoned)
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def _abandoned(self, generator: AsyncGenerator[object, object]) -> None:
        self.call_soon(self.create_task, generator.aclose())


async def _ended(tasks: "set[asyncio.Task[Any]]") -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
