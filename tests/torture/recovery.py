"""How long it took to come back: from a fault to the first commit that needed what it had hurt.

What other parts can take over is counted from the fault on. A path that the storm itself kept shut for a while, and
that has no other, is counted from its opening. An attempt that lived through the fault has nothing to come back to.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.torture.evidence import FINAL_STAGE, Evidence, Row
from tests.torture.faults import LANES, Fault, Lane
from tests.torture.storm import Hurt, Wound

Times = Mapping[tuple[str, str], Sequence[float]]
"""By kind of event and link: when, in order."""

_MOST_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class Recovery:
    """One wound that has closed after so long."""

    fault: Fault
    target: str
    at: float
    seconds: float
    what: str


def recoveries(wounds: Sequence[Wound], evidence: Evidence, times: Times) -> list[Recovery]:
    """Those of the wounds that had hurt anything; what was idle has nothing to come back to."""
    executions, stages = _executions(evidence), _stages(evidence)
    closed = []
    for wound in wounds:
        moments = [
            _first_after(wound.at, times.get((wound.event, wound.link), ())),
            *(_first_after(wound.at, executions[execution_id]) for execution_id in wound.executions),
            *(_taken_up(wound, stage, stages[stage[:2]], wounds) for stage in wound.stages),
        ]
        known = [moment for moment in moments if moment is not None]
        if known:
            what = wound.link or str(wound.stages or wound.executions)[:_MOST_SHOWN]
            closed.append(Recovery(wound.fault, wound.target, wound.at, min(known) - wound.at, what))
    return closed


def _executions(evidence: Evidence) -> Mapping[str, list[float]]:
    """When something of each execution was committed, in order."""
    changed: defaultdict[str, list[float]] = defaultdict(list)
    for change in (*evidence.execution_changes, *evidence.stage_changes):
        changed[change["execution_id"]].append(change["at"].timestamp())
    for moments in changed.values():
        moments.sort()
    return changed


def _stages(evidence: Evidence) -> Mapping[tuple[str, str], list[Row]]:
    """The changes of each stage, in order."""
    changed: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for change in evidence.stage_changes:
        changed[change["execution_id"], change["name"]].append(change)
    return changed


def _taken_up(wound: Wound, stage: Hurt, changes: Sequence[Row], wounds: Sequence[Wound]) -> float | None:
    """When the attempt was given up; None if it went on.

    It did if its own end was the stage's; and, where only a link was hurt, if it was still there to be hurt again.
    """
    after = [change for change in changes if change["at"].timestamp() > wound.at]
    if not after or (after[0]["settled_fence"] == stage[2] and after[0]["status"] in FINAL_STAGE):
        return None
    moment: float = after[0]["at"].timestamp()
    again = any(wound.at < later.at < moment and stage in later.stages for later in wounds)
    return None if again and wound.fault in LANES[Lane.NETWORK] else moment


def _first_after(at: float, moments: Sequence[float]) -> float | None:
    place = bisect_right(moments, at)
    return moments[place] if place < len(moments) else None
