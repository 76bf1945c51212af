"""Runs one handler to its result: an async one in the attempt's own asyncio task, a plain one in a thread of its own.

However a handler ends, it ends in a result packet; nothing that it raises reaches the worker around it.
"""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import structlog

from protocol.errors import FailureCode
from protocol.packets import Failure, Result
from workers.kit.answers import ActionError, Yield, describe
from workers.kit.attempts import Attempt, Work
from workers.kit.context import Context
from workers.kit.results import NotSendable, completed, failed, given_back, stopped
from workers.kit.seams import Clock

log = structlog.get_logger()

_CANCELLED_ITSELF = Failure(
    code=FailureCode.WORKER_ERROR, message="the action was cancelled from inside, though nobody had asked for it"
)


async def run(attempt: Attempt, work: Work, context: Context, clock: Clock) -> Result:
    """The result of an attempt that has just been started, with the time it took in its metrics."""
    began_at = attempt.began_at = clock.monotonic()
    value: Any = None
    failure: Failure | None = None
    try:
        if attempt.stop_reason is None:
            value = await _begun(work, context)
    except ActionError as error:
        failure = error.failure
    except Yield as given_up:
        failure = given_back(given_up.reason, context.draining.is_set())
    except asyncio.CancelledError:
        failure = _CANCELLED_ITSELF
    except (Exception, SystemExit) as error:
        failure = Failure(code=FailureCode.WORKER_ERROR, message=describe(error))
        _tell(attempt, error)
    metrics = context.metrics(round((clock.monotonic() - began_at) * 1000, 3))
    if attempt.stop_reason is not None:
        return stopped(attempt.key, attempt.stop_reason, metrics)
    if failure is not None:
        return failed(attempt.key, failure, metrics)
    try:
        return completed(attempt.key, value, metrics)
    except NotSendable as error:
        return failed(attempt.key, error.failure, metrics)


def _tell(attempt: Attempt, error: BaseException) -> None:
    """Logs what nobody expected, from outside of the attempt: a log that cannot be written must not cost the result."""
    say = partial(log.error, "attempt.failed", exc_info=error, action=attempt.action, **attempt.key.model_dump())
    asyncio.get_running_loop().call_soon(say)


def _begun(work: Work, context: Context) -> Awaitable[Any]:
    """What to await for the handler's return value; raises what it raises."""
    action = work.action
    arguments = (work.given, context) if action.wants_context else (work.given,)
    if action.is_async:
        coroutine: Awaitable[Any] = action.function(*arguments)
        return coroutine
    return _in_thread(partial(action.function, *arguments), f"{action.name} {context.stage_id}")


async def _in_thread(call: Callable[[], Any], name: str) -> Any:
    """What `call` returns or raises, in a daemon thread: a handler which never ends cannot keep the process alive.

    An exception travels as a value: an asyncio future refuses to hold a StopIteration and would wait for ever.
    """
    ended: Future[tuple[Any, BaseException | None]] = Future()

    def body() -> None:
        try:
            ended.set_result((call(), None))
        except BaseException as error:
            ended.set_result((None, error))

    threading.Thread(target=contextvars.copy_context().run, args=(body,), name=name, daemon=True).start()
    value, error = await asyncio.wrap_future(ended)
    if error is not None:
        raise error
    return value
