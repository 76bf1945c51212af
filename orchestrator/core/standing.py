"""What a worker did that no honest one does, and how far that sets it back when work is placed. Pure.

Nothing that a worker says harms an execution; its standing only tells whom to ask first. An offence fades: a worker
that behaves for long enough stands as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from orchestrator.core.fading import NOTHING, Fading

HALF_LIFE_SECONDS: Final = 600.0


class Offence(StrEnum):
    """What is refused, and the code that it is refused with."""

    ANOTHERS_ATTEMPT = "anothers_attempt"
    UNKNOWN_FENCE = "unknown_fence"
    NOT_ACCEPTED = "not_accepted"
    SECOND_RESULT = "second_result"
    PROGRESS_FELL = "progress_fell"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"


SAID_OF: Final[Mapping[Offence, str]] = {
    Offence.ANOTHERS_ATTEMPT: "the attempt is not this worker's, or not of this stage",
    Offence.UNKNOWN_FENCE: "no offer was ever made under this fence",
    Offence.NOT_ACCEPTED: "the offer was not accepted, so it has no result",
    Offence.SECOND_RESULT: "another result was reported under this fence before",
    Offence.PROGRESS_FELL: "progress never falls",
    Offence.TOO_LARGE: "it is larger than what is taken",
    Offence.MALFORMED: "it cannot be understood",
}


class Dishonest(Exception):
    """What a worker reported is refused for what it is."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(SAID_OF[offence])
        self.offence = offence


@dataclass(frozen=True, slots=True)
class Standing:
    """How often each offence was seen, and what still counts of them."""

    offences: Mapping[Offence, int] = field(default_factory=dict)
    weight: Fading = NOTHING

    def after(self, offence: Offence, now: float) -> "Standing":
        counted = {**self.offences, offence: self.offences.get(offence, 0) + 1}
        return Standing(counted, self.weight.one_more(now, HALF_LIFE_SECONDS))

    def demerit(self, now: float) -> int:
        """0 in good standing; one more with each doubling of what counts against the worker."""
        return round(self.weight.now(now, HALF_LIFE_SECONDS)).bit_length()


GOOD: Final = Standing()


def standing_document(standing: Standing, now: float) -> dict[str, Any]:
    """`{demerit, offences}` as `GET /api/workers` shows it."""
    offences = {offence.value: count for offence, count in standing.offences.items()}
    return {"demerit": standing.demerit(now), "offences": offences}
