"""A model's answer, which nobody vouches for, read as the structure that was ordered or refused with its faults.

What comes out has passed the protocol's gate and the kind's own model; it cites only places that the source has, and
who made it and from what is said by us.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from protocol.codec import loads
from protocol.errors import ProtocolError
from workers.granulator.kinds import KINDS
from workers.granulator.providers.provider import Order
from workers.granulator.source.outline import Outline
from workers.granulator.structure import NOTICE, Element, Structure

LONGEST_ANSWER_CHARACTERS: Final = 1_000_000
LONGEST_TEXT_CHARACTERS: Final = 4_000
LONGEST_FAULT_CHARACTERS: Final = 300
FAULTS_NAMED: Final = 10

_FENCE: Final = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\Z", re.DOTALL)

Json = dict[str, Any]


class UnusableAnswer(ValueError):
    """An answer is not the structure that was ordered; `faults` says where and why."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def read_answer(text: str, order: Order, provider: str) -> Structure:
    """The structure in a model's answer; raises UnusableAnswer."""
    document = _document(text)
    if document.get("type", order.type) != order.type:
        raise UnusableAnswer(f"its type is {_quoted(document['type'])}, not “{order.type}”")
    if faults := tuple(_long_texts(document)):
        raise UnusableAnswer(*faults[:FAULTS_NAMED])
    origin = {"provider": provider, "sourced": order.outline is not None, "notice": None if order.outline else NOTICE}
    cited = _with_true_sources(document, _Places.of(order.outline))
    try:
        structure: Structure = KINDS[order.type].structure.model_validate({**cited, "type": order.type, **origin})
    except ValidationError as error:
        raise UnusableAnswer(*_faults(error)) from None
    if (elements := _count(structure) - 1) > order.brief.max_elements:
        raise UnusableAnswer(f"it has {elements} elements, and at most {order.brief.max_elements} are wanted")
    return structure


@dataclass(frozen=True, slots=True)
class _Places:
    """What an element may cite: the sections' headings or none of them, and sentences up to the last."""

    headings: frozenset[str | None]
    sentences: int

    @classmethod
    def of(cls, outline: Outline | None) -> "_Places":
        if outline is None:
            return cls(frozenset(), 0)
        return cls(frozenset([None, *(section.heading for section in outline.sections)]), outline.sentences)

    def has(self, source: Json) -> bool:
        match source:
            case {"section": str() | None as section, "sentences": [int(first), int(last)]}:
                return section in self.headings and 1 <= first <= last <= self.sentences
        return False


def _document(text: str) -> Json:
    fenced = _FENCE.match(text.strip())
    json = fenced.group(1) if fenced else text.strip()
    if not json.startswith("{"):
        raise UnusableAnswer("it is prose, not a JSON object" if json else "it is empty")
    try:
        document = loads(json.encode(errors="replace"), max_bytes=4 * LONGEST_ANSWER_CHARACTERS)
    except ProtocolError as error:
        raise UnusableAnswer(f"it is no JSON that can be used: {error.message}") from None
    if not isinstance(document, dict):
        raise UnusableAnswer("it is not a JSON object")
    return document


def _long_texts(value: Any, path: str = "") -> Iterator[str]:
    match value:
        case str() if len(value) > LONGEST_TEXT_CHARACTERS:
            yield f"{path}: {len(value)} characters, and at most {LONGEST_TEXT_CHARACTERS} are allowed"
        case dict():
            for name, part in value.items():
                yield from _long_texts(part, f"{path}/{name[:60]}")
        case list():
            for place, part in enumerate(value):
                yield from _long_texts(part, f"{path}/{place}")


def _with_true_sources(value: Any, places: _Places) -> Any:
    """The value without the citations of what the source does not have. A string of that name is no citation."""
    match value:
        case dict():
            parts = {name: _with_true_sources(part, places) for name, part in value.items()}
            cited = parts.get("source")
            return {**parts, "source": None} if isinstance(cited, dict) and not places.has(cited) else parts
        case list():
            return [_with_true_sources(part, places) for part in value]
        case _:
            return value


def _faults(error: ValidationError) -> Iterator[str]:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    for fault in faults[:FAULTS_NAMED]:
        path = "".join(f"/{part}" for part in fault["loc"])
        yield f"{path or 'the whole'}: {fault['msg']}"[:LONGEST_FAULT_CHARACTERS]
    if len(faults) > FAULTS_NAMED:
        yield f"and {len(faults) - FAULTS_NAMED} faults more"


def _count(element: Element) -> int:
    return 1 + sum(_count(child) for child in element.children)


def _quoted(value: Any) -> str:
    return f"“{str(value)[:60]}”"
