"""What an attempt was expected to take and what it took stand beside each other, wherever both are known."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.core.amounts import UNKNOWN, Amounts, amounts_document, amounts_from, ratio_document
from orchestrator.core.document import stage_document
from orchestrator.core.events import Completed, Failed
from orchestrator.core.stage import Stage, StageStatus
from protocol.packets import Failure
from tests.factories import NOON, a_running, an_execution, happen

NOTHING = {"ms": None, "tokens": None, "costUsd": None}


def compared(stage: Stage) -> dict[str, Any]:
    document = stage_document(an_execution(), stage)
    return {name: document[name] for name in ("estimate", "actual", "ratio")}


def test_a_completed_stage_shows_its_estimate_what_it_took_and_their_ratio() -> None:
    stage = Stage(
        "a",
        StageStatus.COMPLETED,
        estimate=Amounts(2000, 1500, Decimal("0.003")),
        metrics={"tokensUsed": 3000, "costUsd": 0.0015, "processingTimeMs": 1.0},
        started_at=NOON,
        finished_at=NOON + timedelta(milliseconds=2500.4),
    )

    assert compared(stage) == {
        "estimate": {"ms": 2000, "tokens": 1500, "costUsd": 0.003},
        "actual": {"ms": 2500, "tokens": 3000, "costUsd": 0.0015},
        "ratio": {"ms": 1.25, "tokens": 2.0, "costUsd": 0.5},
    }


def test_what_takes_less_than_a_millisecond_takes_one() -> None:
    at_once = Stage("a", StageStatus.COMPLETED, estimate=Amounts(ms=1), started_at=NOON, finished_at=NOON)

    assert (at_once.actual, compared(at_once)["ratio"]["ms"]) == (Amounts(ms=1), 1.0)


def test_of_a_stage_that_has_not_ended_only_the_estimate_is_known() -> None:
    execution = a_running(an_execution(), "a")

    assert compared(execution.stages["a"]) == {
        "estimate": {"ms": 10, "tokens": None, "costUsd": None},
        "actual": NOTHING,
        "ratio": NOTHING,
    }


def test_the_estimate_of_an_attempt_that_failed_is_not_that_of_the_next() -> None:
    execution = a_running(an_execution(), "a")

    happen(execution, Failed("a", 1, Failure(code="flaky", message="again", retryable=True), 0.0))

    assert execution.stages["a"].estimate is UNKNOWN


def test_a_stage_keeps_the_estimate_that_it_was_accepted_with() -> None:
    execution = a_running(an_execution(), "a")

    happen(execution, Completed("a", 1, {}))

    assert execution.stages["a"].estimate == Amounts(ms=10)


@pytest.mark.parametrize(
    ("estimate", "actual", "ratio"),
    [
        (Amounts(), Amounts(5, 5, Decimal(5)), NOTHING),
        (Amounts(5, 5, Decimal(5)), Amounts(), NOTHING),
        (Amounts(0, 0, Decimal(0)), Amounts(5, 5, Decimal(5)), NOTHING),
        (Amounts(5, 5, Decimal(5)), Amounts(0, 0, Decimal(0)), {"ms": 0.0, "tokens": 0.0, "costUsd": 0.0}),
        (Amounts(3, 3, Decimal(3)), Amounts(2, 1, Decimal(4)), {"ms": 0.667, "tokens": 0.333, "costUsd": 1.333}),
    ],
)
def test_a_ratio_takes_both_amounts_and_an_estimate_above_nothing(
    estimate: Amounts, actual: Amounts, ratio: dict[str, float | None]
) -> None:
    assert ratio_document(estimate, actual) == ratio


@pytest.mark.parametrize("amounts", [UNKNOWN, Amounts(250, 7, Decimal("0.000000123")), Amounts(ms=1)])
def test_amounts_survive_as_a_document(amounts: Amounts) -> None:
    assert amounts_from(amounts_document(amounts)) == amounts
