"""What the granulator's actions do with a text that is at hand: plain values in, plain JSON out, nothing else happens.

A source that cannot be used raises a ValueError whose message says why in a sentence, never a silent fallback.
"""

from typing import Any

from workers.granulator.granulations.templates import THRESHOLDS
from workers.granulator.inputs import ValidateInput
from workers.granulator.intake.gathering import Gathered
from workers.granulator.quality.standards import USUAL_LEVEL, Level
from workers.granulator.quality.validation import validate
from workers.granulator.quality.yardstick import Yardstick, from_index, from_outline
from workers.granulator.source.outline import Outline, outline
from workers.granulator.source.terms import index_terms
from workers.granulator.structure import Structure
from workers.granulator.wire import WireValue

Json = dict[str, Any]


def outlined(source: Gathered) -> Outline:
    """The outline of a source; raises UnreadableText."""
    drawn = outline(source.text, source.title)
    return drawn if drawn.title or not source.spare_title else drawn.model_copy(update={"title": source.spare_title})


def outline_document(source: Gathered | None, request: Json) -> Json:
    """The action `outline`: what structures are made from, for the stages that come after; raises UnreadableText.

    `{outline, request}`: the outline of a topic alone is null, for nothing is known of it; the request is handed on.
    """
    return {"outline": None if source is None else document(outlined(source)), "request": request}


def index_document(source: Gathered) -> Json:
    """The action `index_terms`: a `TermIndex`; raises UnreadableText."""
    return document(index_terms(source.text, source.title))


def measure(given: ValidateInput) -> Json:
    """The action `validate`: the quality of a structure; of several, each one's by name, and the least of their scores.

    `validation` says whether it passes. Among several a finding's path begins with the structure's name.
    """
    yardstick = _yardstick_of(given)
    if given.structure is not None:
        return _verdict(given.structure, yardstick, given)
    measured = {name: _verdict(structure, yardstick, given) for name, structure in given.structures.items()}
    findings = [
        {**finding, "path": f"/{name}{finding['path']}"}
        for name, quality in measured.items()
        for finding in quality["findings"]
    ]
    score = min(quality["score"] for quality in measured.values())
    passed = all(quality["validation"]["passed"] for quality in measured.values())
    return {"score": score, "findings": findings, "structures": measured, "validation": {"passed": passed}}


def quality_of(
    structure: Structure, yardstick: Yardstick | None, level: Level = USUAL_LEVEL, audience: str | None = None
) -> Json:
    """A `Quality`: score, findings, measures, and at level 3 how hard it is to read."""
    return document(validate(structure, yardstick, level, audience))


def document(value: WireValue) -> Json:
    """A value as it goes over the wire."""
    return value.model_dump(mode="json", by_alias=True)


def _verdict(structure: Structure, yardstick: Yardstick | None, given: ValidateInput) -> Json:
    quality = quality_of(structure, yardstick, given.level, given.audience)
    threshold = THRESHOLDS[structure.type] if given.threshold is None else given.threshold
    passed = quality["score"] >= threshold
    return {**quality, "validation": {"level": given.level, "threshold": threshold, "passed": passed}}


def _yardstick_of(given: ValidateInput) -> Yardstick | None:
    if given.terms is not None:
        return from_index(given.terms)
    return None if given.outline is None else from_outline(given.outline)
