"""What workers say of time, tokens and money, as the core counts it."""

from decimal import Decimal

from orchestrator.core.amounts import Amounts
from orchestrator.core.stage import NOTHING_USED, Usage
from protocol.packets import Accept, Metrics


def estimated(packet: Accept) -> Amounts:
    """What a worker says that the attempt will take."""
    needs = packet.resource_requirements
    if needs is None:
        return Amounts(packet.estimated_completion_ms)
    return Amounts(packet.estimated_completion_ms, needs.estimated_tokens, needs.cost_usd)


def used(metrics: Metrics) -> Usage:
    """What a worker's metrics say was spent."""
    if metrics.cost_usd is None and metrics.tokens_used is None:
        return NOTHING_USED
    return Usage(metrics.cost_usd or Decimal(0), metrics.tokens_used or 0)
