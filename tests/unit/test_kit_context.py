"""What a handler may report, and what becomes of it."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from protocol.packets import AttemptKey, Log, Metrics, Progress
from workers.kit import Context
from workers.kit.context import Report

KEY = AttemptKey(execution_id="e", stage_id="s", attempt=2, fence=7)


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def context(reports: list[Report]) -> Context:
    return Context(KEY, "paint", reports.append)


def progress(percent: float, message: str | None = None, metrics: Metrics | None = None) -> Progress:
    return Progress(execution_id="e", stage_id="s", fence=7, progress=percent, message=message, metrics=metrics)


def test_a_context_names_its_attempt(context: Context) -> None:
    named = (context.execution_id, context.stage_id, context.attempt, context.fence, context.action)

    assert named == ("e", "s", 2, 7, "paint")


def test_progress_may_be_reported_without_awaiting_it(context: Context, reports: list[Report]) -> None:
    context.progress(50, "half way", {"pixels": 3})

    assert reports == [progress(50, "half way", Metrics.model_validate({"pixels": 3}))]


async def test_to_await_progress_lets_others_have_a_turn(context: Context, reports: list[Report]) -> None:
    await context.progress(1)

    assert reports == [progress(1)]


def test_progress_stays_between_0_and_100(context: Context, reports: list[Report]) -> None:
    context.progress(-1)
    context.progress(100.5)

    assert reports == [progress(0), progress(100)]


def test_progress_never_falls(context: Context, reports: list[Report]) -> None:
    context.progress(60)
    context.progress(10, "the second half")

    assert reports == [progress(60), progress(60, "the second half")]


def test_a_log_line_is_made_fit_for_the_wire(context: Context, reports: list[Report]) -> None:
    context.log("a\0b\ud800" + "x" * 20_000, "warning")

    text = "a\ufffdb\ufffd" + "x" * 9_996
    assert reports == [Log(execution_id="e", stage_id="s", fence=7, level="warning", message=text)]


def test_usage_adds_up_and_flows_into_the_metrics(context: Context) -> None:
    context.report_usage(tokens=100, cost_usd=0.1)
    context.report_usage(tokens=20, cost_usd=0.2)
    context.report_usage(cost_usd=Decimal("0.003"))

    assert context.metrics(12.5) == Metrics(tokens_used=120, cost_usd=Decimal("0.303"), processing_time_ms=12.5)


def test_usage_that_was_not_reported_is_not_claimed(context: Context) -> None:
    assert context.metrics(1) == Metrics(processing_time_ms=1)


@pytest.mark.parametrize("usage", [{"tokens": -1}, {"cost_usd": -0.01}])
def test_usage_cannot_be_negative(context: Context, usage: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative"):
        context.report_usage(**usage)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [10**9 + 1, 10**30, float("inf"), "a lot"])
def test_an_amount_that_the_protocol_cannot_carry_is_refused_and_not_counted(
    context: Context, amount: float | str
) -> None:
    context.report_usage(cost_usd="0.0000000001")

    with pytest.raises(ValueError, match=r"money|cost_usd"):
        context.report_usage(cost_usd=amount)

    assert context.metrics(1) == Metrics(cost_usd=Decimal("0.0000000001"), processing_time_ms=1)


def test_a_handler_sees_that_it_is_cancelled(context: Context) -> None:
    assert not context.is_cancelled

    context.cancelled.set()

    assert context.is_cancelled


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def asked_for(context: Context, together: threading.Barrier) -> threading.Event:
    together.wait(60)
    return context.cancelled


@pytest.mark.usefixtures("hasty_threads")
def test_however_many_threads_ask_at_once_an_attempt_has_one_event_for_its_cancel() -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(200):
            context = Context(KEY, "paint", lambda _: None)
            together = threading.Barrier(8)
            asked = [threads.submit(asked_for, context, together) for _ in range(8)]

            assert {each.result() for each in asked} == {context.cancelled}


def test_numbers_of_an_attempts_own_may_be_reported_by_any_name(context: Context, reports: list[Report]) -> None:
    context.progress(40, metrics={"loss": 0.25, "val_accuracy": 1, "epoch": 3, "share": Fraction(1, 4), "best": True})

    [sent] = reports
    measured = {"loss": 0.25, "val_accuracy": 1, "epoch": 3, "share": 0.25, "best": True}
    assert sent.document()["metrics"] == measured


def test_what_was_measured_last_stays_with_the_result_beside_what_it_took(context: Context) -> None:
    context.progress(40, metrics={"loss": 0.5, "step": 1})
    context.progress(80, metrics={"loss": 0.25})
    context.progress(90)
    context.report_usage(tokens=7)

    assert context.metrics(12.5).document() == {"loss": 0.25, "tokensUsed": 7, "processingTimeMs": 12.5}


def test_a_context_tells_its_folder_its_time_and_whether_its_worker_stops(tmp_path: Path) -> None:
    draining = threading.Event()
    context = Context(
        KEY, "paint", lambda _: None, open_folder=lambda: tmp_path, draining=draining, time_left_s=lambda: 1.5
    )
    draining.set()

    assert (context.folder, context.deadline, context.draining.is_set()) == (tmp_path, 1.5, True)


def test_a_context_made_for_a_test_has_a_folder_only_if_it_is_given_one(context: Context) -> None:
    with pytest.raises(RuntimeError, match="open_folder="):
        _ = context.folder
    assert context.deadline is None
    assert not context.draining.is_set()
