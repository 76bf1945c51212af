"""Amounts of time, tokens and money: what an attempt was expected to take, what it took, and how the two compare.

An amount that nobody said is None, and so is a ratio that it would take.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple


class Amounts(NamedTuple):
    """Whole milliseconds, tokens and US dollars; None for what is not known."""

    ms: int | None = None
    tokens: int | None = None
    cost_usd: Decimal | None = None


UNKNOWN: Final = Amounts()


def amounts_document(amounts: Amounts) -> dict[str, Any]:
    """`{ms, tokens, costUsd}`, each a number or None."""
    ms, tokens, cost_usd = amounts
    return {"ms": ms, "tokens": tokens, "costUsd": None if cost_usd is None else float(cost_usd)}


def amounts_from(document: Mapping[str, Any]) -> Amounts:
    """The amounts that became this document."""
    cost_usd = document["costUsd"]
    return Amounts(document["ms"], document["tokens"], None if cost_usd is None else Decimal(str(cost_usd)))


def ratio_document(estimate: Amounts, actual: Amounts) -> dict[str, float | None]:
    """`{ms, tokens, costUsd}`: each actual amount divided by its estimate, to three places."""
    return {
        "ms": _ratio(estimate.ms, actual.ms),
        "tokens": _ratio(estimate.tokens, actual.tokens),
        "costUsd": _ratio(estimate.cost_usd, actual.cost_usd),
    }


def _ratio(estimate: float | Decimal | None, actual: float | Decimal | None) -> float | None:
    if actual is None or not estimate:
        return None
    return round(float(actual) / float(estimate), 3)
