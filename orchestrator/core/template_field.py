"""Reads one field of a template as the type it must have.

Invariant: a value of the wrong type is a fault at its place and reads as a stand-in, so that the reading goes on.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orchestrator.core.json_value import Path, clipped
from orchestrator.core.template_fault import Faults, Position
from orchestrator.core.template_node import ListNode, MapNode, Node, ScalarNode

LONGEST_DURATION: Final = timedelta(days=366)
_DURATION: Final = re.compile(r"([0-9]{1,12})(ms|s|m|h)")
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_NO_DURATION: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Field:
    """A value in the template: its path, where its key (or, in a list, it) stands, and its node."""

    path: Path
    position: Position
    node: Node


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Reads fields, noting in `faults` whatever is not as it must be."""

    faults: Faults

    def refuse(self, field: Field, message: str) -> None:
        """Notes a fault of the value itself."""
        self.faults.add(field.path, field.node.position, message)

    def map(self, field: Field) -> Mapping[str, Field]:
        """The fields of a map, by their keys."""
        if not isinstance(field.node, MapNode):
            self.refuse(field, "must be a map")
            return {}
        return {
            key: Field((*field.path, key), entry.key_position, entry.value) for key, entry in field.node.entries.items()
        }

    def fields(self, field: Field, known: Collection[str], required: Collection[str] = ()) -> Mapping[str, Field]:
        """The fields of a map that has none but the known ones, and all of the required."""
        fields = self.map(field)
        for name, unknown in fields.items():
            if name not in known:
                hint = self.faults.suggestion(name, known) or f"; known here: {', '.join(known)}"
                self.faults.add(unknown.path, unknown.position, f'unknown field "{clipped(name)}"{hint}')
        if isinstance(field.node, MapNode):
            for name in required:
                if name not in fields:
                    self.faults.add(field.path, field.position, f'the field "{name}" is missing')
        return {name: fields[name] for name in known if name in fields}

    def items(self, field: Field) -> list[Field]:
        """The items of a list."""
        if not isinstance(field.node, ListNode):
            self.refuse(field, "must be a list")
            return []
        return [Field((*field.path, index), item.position, item) for index, item in enumerate(field.node.items)]

    def text(self, field: Field) -> str:
        if isinstance(field.node, ScalarNode) and isinstance(field.node.value, str):
            return field.node.value
        self.refuse(field, "must be text")
        return ""

    def name(self, field: Field, pattern: re.Pattern[str], rule: str) -> str:
        """Text that matches the whole pattern; `rule` says the pattern in words."""
        if isinstance(field.node, ScalarNode) and isinstance(field.node.value, str):
            if pattern.fullmatch(field.node.value):
                return field.node.value
            self.refuse(field, f'"{clipped(field.node.value)}" must be {rule}')
        else:
            self.refuse(field, f"must be {rule}")
        return ""

    def whole(self, field: Field, least: int, most: int) -> int:
        """A whole number in bounds; a boolean is none."""
        value = field.node.value if isinstance(field.node, ScalarNode) else None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.refuse(field, f"must be a whole number from {least} to {most}")
        return least

    def choice(self, field: Field, options: tuple[str, ...]) -> str:
        value = field.node.value if isinstance(field.node, ScalarNode) else None
        if isinstance(value, str) and value in options:
            return value
        self.refuse(field, f"must be {' or '.join(options)}")
        return options[0]

    def duration(self, field: Field) -> timedelta:
        """A duration such as `30s`, longer than nothing."""
        value = field.node.value if isinstance(field.node, ScalarNode) else None
        duration = _parsed_duration(value) if isinstance(value, str) else None
        if duration is None:
            self.refuse(field, 'must be a duration such as "500ms", "30s", "10m" or "2h", at most "8784h"')
            return _NO_DURATION
        return duration

    def duration_range(self, field: Field) -> tuple[timedelta, timedelta]:
        """Two durations such as `500ms..60s`, the first no longer than the second."""
        value = field.node.value if isinstance(field.node, ScalarNode) else None
        ends = [_parsed_duration(end) for end in value.split("..")] if isinstance(value, str) else []
        match ends:
            case [timedelta() as first, timedelta() as last] if first <= last:
                return first, last
            case _:
                self.refuse(field, 'must be the first and the longest rest, such as "500ms..60s"')
                return _NO_DURATION, _NO_DURATION


def _parsed_duration(text: str) -> timedelta | None:
    parts = _DURATION.fullmatch(text)
    if parts is None:
        return None
    duration = int(parts[1]) * _UNITS[parts[2]]
    return duration if _NO_DURATION < duration <= LONGEST_DURATION else None
