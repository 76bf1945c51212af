"""What a structure's score means for its commission: whether it passes, and whether it is worth correcting.

A structure is corrected at most once, and the better of the two versions stands.
"""

from dataclasses import dataclass, replace

from workers.granulator.actions import document
from workers.granulator.commission import Commission
from workers.granulator.granulations.job import Judgement
from workers.granulator.granulations.templates import Validation
from workers.granulator.providers.chain import Outcome
from workers.granulator.providers.provider import Order
from workers.granulator.quality.finding import SEVERITIES
from workers.granulator.quality.validation import Quality, validate
from workers.granulator.quality.yardstick import Yardstick
from workers.granulator.structure import Structure
from workers.granulator.wire import WireValue
from workers.kit import ActionError

QUALITY_TOO_LOW = "quality_too_low"


class Correction(WireValue):
    """What the one correction round came to: the scores before and after it, and whether its structure is given.

    `after` is null where the provider made no other structure; `reason` then says why.
    """

    before: float
    after: float | None
    changed: bool
    provider: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What was made with its quality, by the validation that was asked for."""

    outcome: Outcome
    quality: Quality
    validation: Validation

    @property
    def structure(self) -> Structure:
        return self.outcome.made.structure

    @property
    def judgement(self) -> Judgement:
        """The judgement as the book keeps it."""
        return Judgement(document(self.quality), self.quality.score, self.validation.level, self.validation.threshold)

    @property
    def falls_short(self) -> bool:
        """Whether another version could do what this one does not.

        Without a source no structure reaches the usual thresholds, so it is held against what it could have scored.
        """
        return (
            self.validation.enabled and 100 * self.quality.score < self.validation.threshold * self.quality.attainable
        )


def judged(outcome: Outcome, yardstick: Yardstick | None, commission: Commission) -> Judged:
    """The quality of what was made, at the commission's level; what its template misses is a finding too."""
    structure, validation = outcome.made.structure, commission.validation
    quality = validate(structure, yardstick, validation.level, commission.brief.audience)
    shortfalls = commission.template.shortfalls(structure) if commission.template else ()
    findings = sorted((*quality.findings, *shortfalls), key=lambda finding: SEVERITIES.index(finding.severity))
    return Judged(outcome, quality.model_copy(update={"findings": tuple(findings)}), validation)


def correcting(order: Order, first: Judged) -> Order:
    """The order for the correction round: the first version, and what was found wrong with it."""
    return replace(order, findings=first.quality.findings, previous=first.structure)


def better(first: Judged, second: Judged) -> tuple[Judged, Correction]:
    """The version that scores higher, the first where they score alike, and what the round came to."""
    kept = second if second.quality.score > first.quality.score else first
    return kept, Correction(
        before=first.quality.score,
        after=second.quality.score,
        changed=kept is second,
        provider=second.outcome.made.provider,
    )


def check_passed(judged: Judged, commission: Commission) -> None:
    """Raises ActionError where the request has no use for a structure that does not pass, and this one does not."""
    score, threshold = judged.quality.score, judged.validation.threshold
    if not (judged.validation.enabled and judged.validation.required) or score >= threshold:
        return
    worst = next(iter(judged.quality.findings), None)
    kind = commission.type.replace("_", " ")
    found = f"; the worst that was found, at {worst.path or 'the whole'}: {worst.message}" if worst else "."
    message = f"The {kind} scores {score:g} of 100 and must score {threshold:g}{found}"
    raise ActionError(QUALITY_TOO_LOW, message)
