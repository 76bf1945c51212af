"""From units in reading order to a graph: every step is reached, and every step but the ends leads on.

A loop is drawn only where the source says to repeat, to do again or to return, and always beside a way out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from workers.granulator.workflow.procedure import Choice, Deed, PhaseDraft, words_in
from workers.granulator.workflow.structure import Branch

_STOPS: Final = re.compile(
    r"\b(?:stop (?:here|there)|and stop$|end (?:here|there)|no further (?:action|steps?)|nothing (?:more|else) to do)"
)
_RETURNS: Final = re.compile(r"\b(?:return|go back|step back|start again|begin again|start over) (?:to|with|at|from)\s")
_REPEATS: Final = re.compile(r"\brepeat\b|\bagain\b|\bstart over\b")
_NEGATING: Final = frozenset({"no", "not", "none", "unless", "cannot", "never"})
_UNTIL: Final = re.compile(r"\b(?P<condition>until\s[^,;]+)")


@dataclass(frozen=True, slots=True)
class Node:
    """A step in the graph: the question of a choice, or a deed; `phase` counts from 0."""

    id: str
    phase: int
    what: Deed | Choice
    next: tuple[str, ...]
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes in reading order, with the ids at which the work starts and may end."""

    nodes: tuple[Node, ...]
    starts: tuple[str, ...]
    ends: tuple[str, ...]


@dataclass(slots=True)
class _Wire:
    """A node while it is being wired up; the question of a choice has no deed."""

    id: str
    phase: int
    unit: Deed | Choice
    next: list[str] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)

    @property
    def deed(self) -> Deed | None:
        return self.unit if isinstance(self.unit, Deed) else None

    def node(self) -> Node:
        return Node(self.id, self.phase, self.unit, tuple(self.next), tuple(self.branches))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A unit's nodes: the one it is entered by, and the deeds that hang from it if that is a question."""

    entry: _Wire
    deeds: tuple[_Wire, ...]


def wired(phases: Sequence[PhaseDraft]) -> Graph:
    """The graph of some phases, of which each has a unit; ids are "2.3", the third step of the second phase."""
    units = [placed for number, phase in enumerate(phases) for placed in _placed(phase, number)]
    wires: list[_Wire] = []
    ends: list[str] = []
    for place, unit in enumerate(units):
        following = units[place + 1].entry if place + 1 < len(units) else None
        if isinstance(unit.entry.unit, Deed):
            ends += _wire_deed(unit.entry, unit.entry.unit, following, wires)
        else:
            ends += _wire_choice(unit, following, wires)
        wires += [unit.entry, *unit.deeds]
    return Graph(tuple(wire.node() for wire in wires), (wires[0].id,), tuple(ends))


def _placed(phase: PhaseDraft, number: int) -> Iterator[_Placed]:
    numbers = count(1)
    for unit in phase.units:
        deeds = unit.deeds if isinstance(unit, Choice) else ()
        entry, *hanging = (_Wire(f"{number + 1}.{next(numbers)}", number, part) for part in (unit, *deeds))
        yield _Placed(entry, tuple(hanging))


def _wire_deed(node: _Wire, deed: Deed, following: _Wire | None, before: Sequence[_Wire]) -> list[str]:
    """Lead a deed on to what follows, and back where it says to repeat until something is so."""
    until = _UNTIL.search(deed.text)
    if until and _REPEATS.search(deed.text):
        # Commands that were joined into one step are repeated together.
        near = [other for other in before if other.phase == node.phase] if len(deed.commands) == 1 else []
        target = _meant(deed.text, near) or node
        node.branches.append(Branch(condition=until["condition"], to=target.id))
    return _lead_on(node, following)


def _wire_choice(unit: _Placed, following: _Wire | None, before: Sequence[_Wire]) -> list[str]:
    """Lead from a question to each of its deeds, and past them unless the conditions leave no other case."""
    ends: list[str] = []
    goes_on = False
    for node in unit.deeds:
        deed = node.deed
        assert deed is not None, "what hangs from a question is a deed"
        condition = deed.condition.text if deed.condition else ""
        unit.entry.branches.append(Branch(condition=condition, to=node.id))
        target = _returned_to(deed, unit.entry, before)
        if target is not None:
            node.next.append(target.id)
        elif _STOPS.search(deed.text):
            ends.append(node.id)
        else:
            goes_on = True
            ends += _lead_on(node, following)
    if not (goes_on and _leaves_no_other_case(unit.deeds)):
        ends += _lead_on(unit.entry, following)
    return ends


def _lead_on(node: _Wire, following: _Wire | None) -> list[str]:
    """Lead a node to the next one, on the condition for which that one waits; the ids that end here, else none."""
    if following is None:
        return [node.id]
    waits = following.deed.condition if following.deed else None
    if waits is None:
        node.next.append(following.id)
    else:
        node.branches.append(Branch(condition=waits.text, to=following.id))
    return []


def _returned_to(deed: Deed, question: _Wire, before: Sequence[_Wire]) -> _Wire | None:
    """Where a deed leads back: to what it names, or to the question that it answers; None where it goes on."""
    returns = _RETURNS.search(deed.text)
    if returns and before:
        return _meant(deed.text[returns.end() :], before) or question
    return question if _REPEATS.search(deed.text) else None


def _meant(text: str, before: Sequence[_Wire]) -> _Wire | None:
    """The earlier step that shares most words with a text, the latest of equals; None where none shares any."""
    words = words_in(text)
    shared = [(len(words & words_in(node.deed.text)), place) for place, node in enumerate(before) if node.deed]
    most, place = max(shared, default=(0, 0))
    return before[place] if most else None


def _leaves_no_other_case(deeds: Sequence[_Wire]) -> bool:
    """ "Otherwise", or the same said with and without "no", "not" or "unless"."""
    conditions = [node.deed.condition for node in deeds if node.deed and node.deed.condition]
    if any(condition.word == "otherwise" for condition in conditions):
        return len(conditions) > 1
    negated = {bool(_negations(condition.text) % 2) for condition in conditions}
    words = [words_in(condition.clause) - _NEGATING for condition in conditions]
    return len(negated) == 2 and all(one <= other or other <= one for one in words for other in words)


def _negations(text: str) -> int:
    return sum(word in _NEGATING or word.endswith("n't") for word in text.lower().split())
