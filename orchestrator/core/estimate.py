"""When work is likely to be done: derived from accepted estimates and from history, or not said at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.core.template import Template

SMOOTHING: Final = 0.2
"""Weight of the newest duration in an action's moving average: about the last ten attempts count."""


@dataclass(frozen=True, slots=True)
class Offering:
    """One worker's part in an action: its slots and its last accepted estimate in milliseconds."""

    slots: int
    expected_ms: float | None


def moving_average(before: float | None, newest: float) -> float:
    """The exponentially weighted mean of an action's measured durations, in milliseconds."""
    return newest if before is None else before + SMOOTHING * (newest - before)


def expected_duration(offerings: Sequence[Offering], history_ms: float | None) -> float | None:
    """Milliseconds one stage takes: the mean of the living workers' estimates by slots, else the history, else None."""
    said = [(offering.expected_ms, offering.slots) for offering in offerings if offering.expected_ms is not None]
    if said:
        return sum(ms * slots for ms, slots in said) / sum(slots for _, slots in said)
    return history_ms


def critical_path(template: Template, remaining: Mapping[str, float | None]) -> float | None:
    """Milliseconds of the longest chain of stages, where `remaining` has what each still takes (0 if it is done).

    None as soon as one stage's duration is unknown: an estimate with a hole in it is no estimate.
    """
    finish: dict[str, float] = {}
    for spec in template.stages:
        duration = remaining[spec.name]
        if duration is None:
            return None
        finish[spec.name] = duration + max((finish[need] for need in spec.needs), default=0.0)
    return max(finish.values(), default=0.0)
