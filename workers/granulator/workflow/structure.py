"""A workflow: phases of steps, and between the steps a graph that says which follows which, and on what condition.

The tree is for reading; `next`, `branches`, `starts` and `ends` are what is followed.
"""

from typing import Literal

from workers.granulator.structure import Element, Structure
from workers.granulator.wire import WireValue


class Branch(WireValue):
    """A way on that is taken on its condition only; `to` is a step's id."""

    condition: str
    to: str


class Step(Element):
    """Something to do, or to decide; without a branch that applies, the work goes on with every step in `next`.

    `actions` are the source's instructions in full, `inputs` what is taken and `outputs` what comes of it.
    """

    type: Literal["step", "decision"] = "step"
    id: str
    actor: str | None = None
    actions: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()
    next: tuple[str, ...] = ()
    children: tuple[()] = ()

    @property
    def ways_on(self) -> tuple[str, ...]:
        """The ids of all steps that may come next."""
        return (*self.next, *(branch.to for branch in self.branches))


class Phase(Element):
    """Steps that belong together."""

    type: Literal["phase"] = "phase"
    id: str = ""
    children: tuple[Step, ...] = ()


class Workflow(Structure):
    """A whole one; `procedural` is False where the source gives no procedure and the steps are those of its study."""

    type: Literal["workflow"] = "workflow"
    procedural: bool = True
    actors: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    children: tuple[Phase, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in reading order."""
        return tuple(step for phase in self.children for step in phase.children)
