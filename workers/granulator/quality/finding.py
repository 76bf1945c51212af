"""What a measure found wrong with a structure, and where."""

from dataclasses import dataclass
from typing import Literal

from workers.granulator.wire import WireValue

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class Finding(WireValue):
    """One thing wrong; `path` is a JSON pointer into the structure, "" for the whole of it."""

    code: str
    severity: Severity
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure's value, 0..1 and None where it cannot be taken, with what speaks against it."""

    value: float | None
    findings: tuple[Finding, ...] = ()


def share(part: float, whole: float) -> float:
    """A part of a whole, 0..1; the whole of nothing is 0."""
    return part / whole if whole else 0.0
