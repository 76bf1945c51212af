"""The virtual loop: what is due is called in order, and time passes only when nothing is."""

import asyncio
from collections.abc import Iterator
from contextvars import Context, ContextVar

import pytest

from tests.simulation.loop import Stalled, VirtualLoop

name: ContextVar[str] = ContextVar("name", default="nobody")


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_time_jumps_to_the_next_timer_and_timers_of_one_moment_go_off_in_the_order_in_which_they_were_set(
    loop: VirtualLoop,
) -> None:
    seen: list[tuple[str, float]] = []

    def see(what: str) -> None:
        seen.append((what, loop.time()))

    async def scenario() -> None:
        over = loop.create_future()
        loop.call_later(3600, over.set_result, None)
        loop.call_later(2, see, "second")
        loop.call_later(2, see, "third")
        loop.call_later(1, see, "never").cancel()
        loop.call_soon(see, "first")
        await over

    loop.run_until_complete(scenario())

    assert seen == [("first", 0.0), ("second", 2.0), ("third", 2.0)]
    assert loop.time() == 3600.0


def test_a_wait_for_what_never_comes_is_told(loop: VirtualLoop) -> None:
    async def scenario() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled):
        loop.run_until_complete(scenario())


def test_what_a_task_sets_in_its_context_is_there_when_it_goes_on_and_nowhere_else(loop: VirtualLoop) -> None:
    async def called(own: str, seconds: float) -> str:
        name.set(own)
        over = loop.create_future()
        loop.call_later(seconds, over.set_result, None)
        await over
        return name.get()

    async def scenario() -> list[str]:
        return [*await asyncio.gather(called("one", 2), called("other", 1)), name.get()]

    # An empty context is false, and yet it is the task's own.
    assert Context().run(loop.run_until_complete, scenario()) == ["one", "other", "nobody"]


def test_a_callback_that_fails_is_handed_to_the_handler_and_ends_nothing(loop: VirtualLoop) -> None:
    faults: list[object] = []
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    fault = LookupError("gone")

    def fail() -> None:
        raise fault

    async def scenario() -> float:
        loop.call_later(1, fail)
        async with asyncio.timeout(5):
            over = loop.create_future()
            loop.call_later(2, over.set_result, None)
            await over
        return loop.time()

    assert loop.run_until_complete(scenario()) == 2.0
    assert faults == [fault]
