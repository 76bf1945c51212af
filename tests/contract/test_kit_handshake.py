"""The handshake over the link: offers, starts, results and cancels, as an orchestrator sees them."""

import asyncio
import threading
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import structlog
from pydantic import BaseModel

from protocol.errors import RefusalCode
from protocol.packets import Accept, Failure, Log, Progress, Reject, Result
from tests.contract.gate import Gate
from tests.contract.orchestrator_double import (
    PATIENT,
    OrchestratorDouble,
    cancel,
    key_of,
    offer,
    process,
    serving,
)
from workers.kit import ActionError, Context, Estimate, Worker, runner


class Text(BaseModel):
    text: str


class ThreadsGate(Gate):
    """Handlers in threads stop here as well until the test lets them through."""

    def __init__(self) -> None:
        super().__init__()
        self.threads_entered = threading.Event()


def worker_at(gate: ThreadsGate) -> Worker:
    worker = Worker("tester", version="1.0", slots=4)

    @worker.action("shout", estimate=5)
    async def shout(given: Text, context: Context) -> Text:
        await context.progress(50, "half way")
        context.log("nearly there")
        context.report_usage(tokens=3, cost_usd=0.5)
        return Text(text=given.text.upper())

    @worker.action("plain")
    def plain(given: Text, context: Context) -> dict[str, Any]:
        context.progress(25)
        return {"text": given.text, "inAThread": threading.current_thread() is not threading.main_thread()}

    @worker.action("wait", estimate=lambda given: Estimate(ms=60_000))
    async def wait(given: Any) -> int:
        gate.runs += 1
        gate.entered.set()
        await gate.opened.wait()
        return gate.runs

    @worker.action("wait_in_thread")
    def wait_in_thread(given: Any, context: Context) -> str:
        gate.threads_entered.set()
        return "cancelled in time" if context.cancelled.wait(10) else "never cancelled"

    @worker.action("fail")
    async def fail(given: Any) -> None:
        raise ActionError("no_such_page", "page 7 is missing", retryable=True)

    @worker.action("crash")
    async def crash(given: Any) -> None:
        raise KeyError("x\n  y")

    @worker.action("stop_iteration")
    def stop_iteration(given: Any) -> Any:
        return next(iter(()))

    @worker.action("leave")
    async def leave(given: Any) -> None:
        raise SystemExit(3)

    @worker.action("cancel_itself")
    async def cancel_itself(given: Any) -> None:
        raise asyncio.CancelledError

    return worker


@pytest.fixture
def gate() -> ThreadsGate:
    return ThreadsGate()


@pytest.fixture
async def orchestrator(gate: ThreadsGate) -> AsyncIterator[OrchestratorDouble]:
    async with OrchestratorDouble() as double, serving(double, worker_at(gate), timing=PATIENT):
        await double.linked()
        yield double


def ended(stage: str, status: str, result: Any = None, error: Failure | None = None) -> dict[str, Any]:
    """A result but for its metrics."""
    given = {"execution_id": "execution", "stage_id": stage, "fence": 1, "status": status}
    return Result.model_validate({**given, "result": result, "error": error}).model_dump(exclude={"metrics"})


def without_metrics(result: Result) -> dict[str, Any]:
    return result.model_dump(exclude={"metrics"})


async def test_a_worker_registers_with_all_that_it_is(orchestrator: OrchestratorDouble) -> None:
    registration = orchestrator.registrations[0].model_dump(exclude={"instance_id", "capabilities"})

    assert registration == {
        "worker_id": "worker-1",
        "display_name": "tester",
        "version": "1.0",
        "url": None,
        "max_concurrent_executions": 4,
        "packet_arrays": False,
        "running": (),
        "labels": {},
        "resources": {},
        "protocol": 1,
    }


async def test_an_accepted_offer_runs_when_it_is_started_and_answers_with_its_result(
    orchestrator: OrchestratorDouble,
) -> None:
    given = offer(action="shout", given={"text": "hello"})

    accept = await orchestrator.accepted(given)
    await orchestrator.send(process(given))
    result = await orchestrator.next(Result)

    ids = {"execution_id": "execution", "stage_id": "stage", "fence": 1}
    assert accept == Accept.model_validate({**ids, "worker_id": "worker-1", "estimated_completion_ms": 5})
    assert await orchestrator.next(Progress) == Progress(**ids, progress=50, message="half way")
    assert await orchestrator.next(Log) == Log(**ids, message="nearly there")
    assert without_metrics(result) == ended("stage", "completed", {"text": "HELLO"})
    assert (result.metrics.tokens_used, result.metrics.cost_usd) == (3, Decimal("0.5"))
    assert result.metrics.processing_time_ms is not None


async def test_a_plain_function_runs_in_a_thread_and_reports_from_there(orchestrator: OrchestratorDouble) -> None:
    result = await orchestrator.result_of(offer(action="plain", given={"text": "hello"}))

    assert without_metrics(result) == ended("stage", "completed", {"text": "hello", "inAThread": True})
    assert (await orchestrator.next(Progress)).progress == 25


@pytest.mark.parametrize(
    ("action", "failure"),
    [
        ("fail", Failure(code="no_such_page", message="page 7 is missing", retryable=True)),
        ("crash", Failure(code="worker_error", message="KeyError: 'x\\n y'")),
        ("stop_iteration", Failure(code="worker_error", message="RuntimeError: coroutine raised StopIteration")),
        ("leave", Failure(code="worker_error", message="SystemExit: 3")),
        (
            "cancel_itself",
            Failure(
                code="worker_error", message="the action was cancelled from inside, though nobody had asked for it"
            ),
        ),
    ],
)
async def test_whatever_a_handler_raises_is_a_failed_result(
    orchestrator: OrchestratorDouble, action: str, failure: Failure
) -> None:
    with structlog.testing.capture_logs():
        result = await orchestrator.result_of(offer(action=action))

    assert without_metrics(result) == ended("stage", "failed", error=failure)


async def test_an_unexpected_error_is_logged_once_with_its_ids_and_traceback(orchestrator: OrchestratorDouble) -> None:
    with structlog.testing.capture_logs() as logs:
        await orchestrator.result_of(offer(action="crash", attempt=3, fence=9))

    (failure,) = [entry for entry in logs if entry["event"] == "attempt.failed"]
    error = failure.pop("exc_info")
    ids = {"execution_id": "execution", "stage_id": "stage", "attempt": 3, "fence": 9, "action": "crash"}
    assert failure == {"event": "attempt.failed", "log_level": "error", **ids}
    assert (type(error), error.__traceback__ is not None) == (KeyError, True)


async def test_a_log_that_cannot_be_written_costs_no_result(
    orchestrator: OrchestratorDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    monkeypatch.setattr(runner.log, "error", broken, raising=False)

    result = await orchestrator.result_of(offer(action="crash"))

    assert result.status == "failed"
    assert [type(context["exception"]) for context in unheard] == [BrokenPipeError]


async def test_an_invalid_input_is_refused_as_such_naming_the_path(orchestrator: OrchestratorDouble) -> None:
    await orchestrator.send(offer(action="shout", given={}))

    refused = await orchestrator.next(Reject, "stage")
    assert (refused.code, refused.reason) == ("invalid_input", "text: Field required")


async def test_the_same_offer_asked_twice_is_answered_twice_and_takes_one_slot(
    orchestrator: OrchestratorDouble,
) -> None:
    given = offer(action="wait")
    others = [offer(f"other-{number}", "wait") for number in range(3)]

    await orchestrator.send(given, given, *others)

    first, again = [await orchestrator.next(Accept, "stage") for _ in range(2)]
    assert first == again
    for other in others:
        await orchestrator.next(Accept, other.stage_id)


async def test_a_start_that_comes_twice_runs_once_and_is_answered_again_after_the_end(
    orchestrator: OrchestratorDouble, gate: ThreadsGate
) -> None:
    orchestrator.acks = False
    given = offer(action="wait")
    await orchestrator.started(given)
    await orchestrator.send(process(given), process(given))
    gate.opened.set()
    first = await orchestrator.next(Result)
    await orchestrator.send(process(given))

    assert await orchestrator.next(Result) == first
    assert first.result == gate.runs == 1


async def test_fifty_offers_at_once_never_get_one_slot_twice(
    orchestrator: OrchestratorDouble, gate: ThreadsGate
) -> None:
    offers = [offer(f"s{number}", "wait") for number in range(50)]
    await asyncio.gather(*(orchestrator.send(given) for given in offers))
    await orchestrator.until(lambda: len(orchestrator.packets) == 50)

    accepts = [packet for packet in orchestrator.packets if isinstance(packet, Accept)]
    refusals = [packet for packet in orchestrator.packets if isinstance(packet, Reject)]
    assert len(accepts) == 4
    assert {(refusal.code, refusal.retry_after_ms) for refusal in refusals} == {(RefusalCode.BUSY, 60_000)}


async def test_a_slot_is_free_again_after_the_result(orchestrator: OrchestratorDouble) -> None:
    for number in range(9):
        await orchestrator.result_of(offer(f"s{number}", "shout", {"text": "x"}))


async def test_a_start_of_an_offer_that_is_not_held_is_refused(orchestrator: OrchestratorDouble) -> None:
    await orchestrator.send(process(offer("unknown")))

    assert await orchestrator.next(Reject) == Reject(
        execution_id="execution",
        stage_id="unknown",
        fence=1,
        worker_id="worker-1",
        code=RefusalCode.BUSY,
        reason="no accepted offer with this fence is held here; it may have expired",
    )


@pytest.mark.parametrize("action", ["wait", "wait_in_thread"])
async def test_a_cancel_stops_the_handler_and_is_answered_with_a_cancelled_result(
    orchestrator: OrchestratorDouble, gate: ThreadsGate, action: str
) -> None:
    given = offer(action=action)
    await orchestrator.started(given)
    if action == "wait":
        await gate.entered.wait()
    else:
        await asyncio.to_thread(gate.threads_entered.wait)

    await orchestrator.send(cancel(given))

    failure = Failure(code="cancelled", message="the attempt was cancelled")
    assert without_metrics(await orchestrator.next(Result)) == ended("stage", "cancelled", error=failure)


async def test_a_cancel_in_the_same_frame_as_the_start_is_not_lost(
    orchestrator: OrchestratorDouble, gate: ThreadsGate
) -> None:
    given = offer(action="wait")
    await orchestrator.send(given, process(given), cancel(given))

    assert (await orchestrator.next(Result)).status == "cancelled"
    assert gate.runs == 0


async def test_a_cancel_of_what_is_only_accepted_frees_its_slot(orchestrator: OrchestratorDouble) -> None:
    offers = [offer(f"s{number}", "wait") for number in range(4)]
    for given in offers:
        await orchestrator.accepted(given)

    await orchestrator.send(cancel(offers[0]))

    assert (await orchestrator.next(Result)).status == "cancelled"
    await orchestrator.accepted(offer("next", "wait"))


async def test_a_cancel_of_what_is_not_held_is_answered_all_the_same(orchestrator: OrchestratorDouble) -> None:
    await orchestrator.send(cancel(offer("unknown"), "timeout"))

    failure = Failure(code="cancelled", message="the attempt ran out of time")
    assert without_metrics(await orchestrator.next(Result)) == ended("unknown", "cancelled", error=failure)


async def test_a_stale_attempt_stops_frees_its_slot_and_its_result_is_dropped(
    orchestrator: OrchestratorDouble, gate: ThreadsGate
) -> None:
    stale = offer("stale", "wait")
    await orchestrator.started(stale)
    await gate.entered.wait()

    await orchestrator.send(cancel(stale, "stale"))

    for number in range(4):
        await orchestrator.accepted(offer(f"s{number}", "wait"))
    assert not [packet for packet in orchestrator.packets if isinstance(packet, Result)]


async def test_what_a_frame_makes_the_worker_say_leaves_in_few_frames(orchestrator: OrchestratorDouble) -> None:
    before = len(orchestrator.frames)
    await orchestrator.send(*(offer(f"s{number}", "nothing") for number in range(500)))
    await orchestrator.until(lambda: sum(orchestrator.frames[before:]) == 500)

    assert len(orchestrator.frames) - before == 1


async def test_a_frame_that_breaks_the_protocol_is_logged_and_the_next_one_is_read(
    orchestrator: OrchestratorDouble,
) -> None:
    with structlog.testing.capture_logs() as logs:
        await orchestrator.send_bytes(b'[{"type":"offer","executionId":""}]')
        await orchestrator.accepted(offer(action="wait"))

    assert [entry["event"] for entry in logs] == ["link.frame_refused"]


async def test_after_a_break_the_worker_registers_as_the_same_instance_with_what_it_holds(
    orchestrator: OrchestratorDouble, gate: ThreadsGate
) -> None:
    given = offer(action="wait", attempt=2, fence=77)
    await orchestrator.started(given)
    await gate.entered.wait()

    await orchestrator.drop_link()
    await orchestrator.linked(times=2)
    gate.opened.set()

    first, again = orchestrator.registrations
    assert again == first.model_copy(update={"running": (key_of(given),)})
    assert (await orchestrator.next(Result)).fence == 77
