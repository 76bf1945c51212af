"""The provider that needs nobody: the kinds' own builders, numpy and rules, the same answer every time."""

import asyncio
from typing import Final

from workers.granulator.correction.correct import correct
from workers.granulator.estimates import estimate_ms
from workers.granulator.kinds import KINDS
from workers.granulator.providers.provider import NOTHING, Expectation, Made, Order, Report
from workers.granulator.structure import Structure

OFFLINE: Final = "offline"


class Offline:
    """The builders as a Provider. They run in a thread, which a cancel leaves to end by itself."""

    name = OFFLINE
    model = None

    async def make(self, order: Order, report: Report) -> Made:
        report(0.0, f"making the {order.type.replace('_', ' ')}")
        return Made(await asyncio.to_thread(_built, order), self.name, None, NOTHING)

    def expect(self, order: Order, unread_words: int = 0) -> Expectation:
        words = unread_words if order.outline is None else order.outline.word_count
        return Expectation(self.name, estimate_ms("granulate", words), NOTHING.tokens or 0, NOTHING.cost_usd)


def _built(order: Order) -> Structure:
    if order.previous is not None:
        return correct(order.type, order.previous, order.outline, order.brief)
    kind = KINDS[order.type]
    structure: Structure = (
        kind.skeleton(order.topic or "", order.brief)
        if order.outline is None
        else kind.build(order.outline, order.brief)
    )
    return structure
