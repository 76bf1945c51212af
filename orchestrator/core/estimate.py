"""How long a stage will hold its slot: derived from accepted estimates and from history, or not said at all."""

from collections.abc import Sequence
from typing import Final, NamedTuple

SMOOTHING: Final = 0.1
"""Weight of the newest attempt in an action's moving averages: about the last twenty count."""
MOST_STRETCH: Final = 10.0
"""One attempt says no more than that an estimate was this much too short, or too long."""


class Offering(NamedTuple):
    """One worker's part in an action: its slots and its last accepted estimate in milliseconds."""

    slots: int
    expected_ms: float | None


class History(NamedTuple):
    """An action's attempts so far, as moving averages: for how many milliseconds each held its slot, and how many
    times as long that was as its estimate.

    A slot is held from the offer to the commit; an estimate is of the attempt alone, and may be wrong besides.
    """

    held_ms: float
    stretch: float = 1.0


def history_after(before: History | None, held_ms: float, estimate_ms: float | None) -> History:
    """The history with one more attempt, which held its slot for so long and had this estimate, if any."""
    before = before or History(held_ms)
    stretch = before.stretch
    if estimate_ms:
        newest = min(max(held_ms / estimate_ms, 1 / MOST_STRETCH), MOST_STRETCH)
        stretch += SMOOTHING * (newest - stretch)
    return History(before.held_ms + SMOOTHING * (held_ms - before.held_ms), stretch)


def expected_hold(offerings: Sequence[Offering], history: History | None) -> float | None:
    """Milliseconds that one stage holds a slot: the mean of the workers' estimates by their slots, stretched as before.

    Without estimates the history alone, and without either None. A worker of a peer that grants none of its slots has
    no say.
    """
    said = [(offering.expected_ms, offering.slots) for offering in offerings if offering.expected_ms is not None]
    slots = sum(slots for _, slots in said)
    if not slots:
        return None if history is None else history.held_ms
    mean = sum(ms * slots for ms, slots in said) / slots
    return mean if history is None else mean * history.stretch
