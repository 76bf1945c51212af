"""JSON values, the paths into them, and the one way in which faults and references write both.

Invariant: `dotted` of two different paths is never the same text.
"""

import re
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
Path: TypeAlias = tuple[str | int, ...]

IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_-]*"
_IDENTIFIER = re.compile(IDENTIFIER)


def dotted(path: Path) -> str:
    """A path as text: `stages.again.needs[0]`; a key that is no identifier stands as `["any key"]`."""
    return "".join(map(_step, path)).removeprefix(".")


def clipped(text: str, longest: int = 80) -> str:
    """A text that came from outside, short enough to stand in a message."""
    return text if len(text) <= longest else text[:longest] + "…"


def _step(segment: str | int) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    if _IDENTIFIER.fullmatch(segment):
        return f".{segment}"
    escaped = segment.replace("\\", "\\\\").replace('"', '\\"')
    return f'["{escaped}"]'
