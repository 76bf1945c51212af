"""Which worker a stage is offered to, and why each other one is not.

A worker is asked only if it offers the action, is healthy, has a free slot, and has not refused this stage or this
action for now. Among those the ones in the best standing come first, and one that was lost with this very stage comes
last; of equals the one that is expected to finish first is asked, and of about equals one that is at home here before
a guest, and then the emptier one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator.core.standing import GOOD, Standing

ABOUT_EQUAL: Final = 1.5
"""Estimates that are not this many times apart are taken to be equal: they are learned, and vary."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What keeps a worker from being asked: a code and a sentence, until a monotonic time in seconds (None: open).

    `lasting_since` is when it first refused this stage for what the stage is, not for how the worker is just now.
    """

    code: str
    reason: str
    until: float | None = None
    lasting_since: float | None = None

    def has_lasted(self, seconds: float, now: float) -> bool:
        return self.lasting_since is not None and now - self.lasting_since >= seconds


@dataclass(slots=True)
class Candidate:
    """What placement needs to know of a worker. `expected_ms` is its last accepted estimate for each action; `resting`
    is why it is asked for nothing at all for now."""

    worker_id: str
    capabilities: frozenset[str]
    slots: int
    free: int
    connected: bool = True
    draining: bool = False
    one_stage_of_an_execution: bool = False
    is_guest: bool = False
    executions: dict[str, int] = field(default_factory=dict)
    expected_ms: dict[str, float] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    resting: Refusal | None = None
    standing: Standing = GOOD


NO_REFUSALS: Mapping[str, Refusal] = {}


def objection(
    candidate: Candidate, action: str, execution_id: str, refused: Mapping[str, Refusal], now: float
) -> Refusal | None:
    """Why this worker is not asked now, or None. `refused`: this stage's own refusals by worker; `now` in seconds."""
    if action not in candidate.capabilities:
        return Refusal("unsupported", f"does not offer {action}")
    if not candidate.connected:
        return Refusal("unreachable", "is not connected")
    if candidate.draining:
        return Refusal("draining", "takes no new work")
    for refusal in (candidate.resting, candidate.refusals.get(action), refused.get(candidate.worker_id)):
        if refusal is not None and (refusal.until is None or refusal.until > now):
            return refusal
    if candidate.free <= 0:
        if candidate.is_guest:
            return Refusal("busy", "its home has no slot for it now")
        return Refusal("busy", f"all {candidate.slots} slots are taken")
    if candidate.one_stage_of_an_execution and candidate.executions.get(execution_id):
        return Refusal("busy", "takes one stage of an execution at a time")
    return None


def choose(
    candidates: Iterable[Candidate],
    action: str,
    execution_id: str,
    refused: Mapping[str, Refusal],
    now: float,
    lost: Collection[str] = (),
) -> Candidate | None:
    """The worker to ask, or None if none can be asked now. `lost` are the workers that were lost with the stage."""
    able = [each for each in candidates if objection(each, action, execution_id, refused, now) is None]
    if len(able) < 2:
        return able[0] if able else None
    ranks = [(each.worker_id in lost, each.standing.demerit(now)) for each in able]
    best = min(ranks)
    able = [each for each, rank in zip(able, ranks, strict=True) if rank == best]
    slowest = ABOUT_EQUAL * min(each.expected_ms.get(action, 0.0) for each in able)
    return min(
        (each for each in able if each.expected_ms.get(action, 0.0) <= slowest),
        key=lambda each: (
            each.is_guest,
            -each.free / each.slots,
            each.expected_ms.get(action, 0.0),
            each.worker_id,
        ),
    )
