"""What a scene is about as drama, in the source's own sentences: who wants what, what stands against it, what comes.

Nothing is made up: what no sentence says is left open, and said to be.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workers.granulator.novel.plot import Beat, SceneDraft
from workers.granulator.novel.structure import OpenField

OPEN_GOAL: Final = "Open: the source does not say what is wanted here."
OPEN_CONFLICT: Final = "Open: the source names nothing that stands against it here."
OPEN_OUTCOME: Final = "Open: the source does not say what comes of it."

_WANTING: Final = re.compile(
    r"\b(?:want|wish|hope|need|try|tries|tried|seek|sought|plan|decide|intend|mean[st]? to|meant|ask|beg|search|"
    r"look(?:ed|s)? for|in order|so that|must|had to|has to|order(?:ed|s) |promise|demand|set out|go(?:es)? to|"
    r"went to|long(?:ed|s) for)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Drama:
    """The three sentences of a scene, "Open: ..." where the source has none; `open` names those."""

    goal: str
    conflict: str
    outcome: str
    open: tuple[OpenField, ...]


def drama_of(scene: SceneDraft) -> Drama:
    """The drama of a scene: what is wanted before the conflict if possible, and how it ends behind that."""
    beats = list(scene.beats)
    conflict = _strongest(beats[:-1]) or _strongest(beats)
    place = len(beats) if conflict is None else beats.index(conflict)
    outcome = beats[-1] if beats[-1] is not conflict and len(beats) > 1 else None
    before = beats[:place] or beats[place + 1 :]
    goal = _goal([beat for beat in before if beat is not outcome])
    found: dict[OpenField, Beat | None] = {"goal": goal, "conflict": conflict, "outcome": outcome}
    return Drama(
        goal=goal.text if goal else OPEN_GOAL,
        conflict=conflict.text if conflict else OPEN_CONFLICT,
        outcome=outcome.text if outcome else OPEN_OUTCOME,
        open=tuple(name for name, beat in found.items() if beat is None),
    )


def _goal(beats: Sequence[Beat]) -> Beat | None:
    """The first sentence of somebody who wants something, else the first of all."""
    return next((beat for beat in beats if _WANTING.search(beat.text)), beats[0] if beats else None)


def _strongest(beats: Sequence[Beat]) -> Beat | None:
    """The sentence that speaks most of conflict, the weightier of equals; None where none does."""
    most = max(beats, key=lambda beat: (beat.strife, beat.weight, -beat.sentence), default=None)
    return most if most and most.strife else None
