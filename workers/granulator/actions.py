"""The granulator's actions as the wire knows them: a validated input in, plain JSON out, and nothing else happens.

An input that cannot be used raises a ValueError whose message says why in a sentence, never a silent fallback.
"""

from typing import Any

from workers.granulator.course.skeleton import skeleton
from workers.granulator.course.structure import granulate
from workers.granulator.inputs import GranulateInput, ReadInput, ValidateInput
from workers.granulator.quality.validation import validate
from workers.granulator.quality.yardstick import Yardstick, from_index, from_outline
from workers.granulator.source.outline import Outline, outline
from workers.granulator.source.terms import index_terms
from workers.granulator.wire import WireValue

Json = dict[str, Any]


def outline_document(given: ReadInput) -> Json:
    """The action `outline`: an `Outline`; raises UnreadableText."""
    return _json(outline(given.source.text, given.source.title))


def index_document(given: ReadInput) -> Json:
    """The action `index_terms`: a `TermIndex`; raises UnreadableText."""
    return _json(index_terms(given.source.text, given.source.title))


def make_course(given: GranulateInput) -> Json:
    """The action `granulate`: `{structure, qualityScore}`, the score measured against what the course was made from.

    Raises UnreadableText, EmptyOutline or UnusableTopic.
    """
    source = _outline_of(given)
    course = granulate(source) if source is not None else skeleton(given.topic or "")
    quality = validate(course, None if source is None else from_outline(source))
    return {"structure": _json(course), "qualityScore": quality.score}


def measure_structure(given: ValidateInput) -> Json:
    """The action `validate`: a `Quality`."""
    return _json(validate(given.structure, _yardstick_of(given)))


def _outline_of(given: GranulateInput) -> Outline | None:
    document = given.given
    if given.outline is not None or document is None:
        return given.outline
    return outline(document.text, document.title)


def _yardstick_of(given: ValidateInput) -> Yardstick | None:
    if given.terms is not None:
        return from_index(given.terms)
    return None if given.outline is None else from_outline(given.outline)


def _json(value: WireValue) -> Json:
    return value.model_dump(mode="json", by_alias=True)
