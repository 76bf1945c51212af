"""What this replica has seen of each action: how long its attempts hold their slots, and how good the estimates are."""

from collections.abc import Mapping

from orchestrator.core.estimate import History, Offering, expected_hold, history_after
from orchestrator.core.stage import Stage
from orchestrator.dispatch.fleet import Assignment, Fleet


class Histories:
    """One history an action, begun by what the database remembers."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._by_action: dict[str, History] = {}

    def begin(self, durations_ms: Mapping[str, float]) -> None:
        """What earlier lives have measured, where nothing was seen yet."""
        for action, milliseconds in durations_ms.items():
            self._by_action.setdefault(action, History(milliseconds))

    def ended(self, assignment: Assignment, stage: Stage, now: float) -> None:
        """An attempt succeeded and frees its slot, at this monotonic time."""
        held_ms = (now - assignment.offered_at) * 1000
        before = self._by_action.get(assignment.action)
        self._by_action[assignment.action] = history_after(before, held_ms, stage.estimate.ms)

    def expected_ms(self, action: str) -> float | None:
        """How long a stage of this action will hold a slot; None if neither a living worker nor history tells."""
        offerings = [
            Offering(worker.facts.slots, worker.facts.expected_ms.get(action))
            for worker in self._fleet.offering(action)
            if worker.facts.connected
        ]
        return expected_hold(offerings, self._by_action.get(action))

    def left_ms(self, assignment: Assignment, stage: Stage, now: float) -> float | None:
        """How much longer an attempt is expected to hold its slot."""
        if stage.estimate.ms is None:
            expected = self.expected_ms(assignment.action)
        else:
            expected = expected_hold([Offering(1, stage.estimate.ms)], self._by_action.get(assignment.action))
        return None if expected is None else max(expected - (now - assignment.offered_at) * 1000, 0.0)
