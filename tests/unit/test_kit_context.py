"""What a handler may report, and what becomes of it."""

from decimal import Decimal

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
