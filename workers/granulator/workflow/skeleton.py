"""A workflow from a topic alone: phases and steps that any piece of work has, labelled as such."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from workers.granulator.course.titles import sentence_case
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import usable_topic
from workers.granulator.workflow.structure import Branch, Phase, Step, Workflow


@dataclass(frozen=True, slots=True)
class _Stub:
    """A step to be filled, in which {} is the topic; `on` makes it the answer to the question before it."""

    title: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    asks: bool = False
    on: str | None = None


# In each phase the steps that a short brief can do without come last.
_SCAFFOLD: Final[dict[str, tuple[_Stub, ...]]] = {
    "Prepare {}": (
        _Stub("State the result that {} must have", ("request",), ("goal",)),
        _Stub("Gather what {} needs", ("goal",), ("materials",)),
        _Stub("Name those who do the work", ("goal",), ("assignments",)),
    ),
    "Carry out {}": (
        _Stub("Perform the work in order", ("materials", "assignments"), ("first result",)),
        _Stub("Record every deviation", ("first result",), ("record",)),
        _Stub("Tell those concerned how far it is", ("record",), ("notice",)),
    ),
    "Check {}": (
        _Stub("Compare the result with the goal", ("goal", "first result"), ("comparison",)),
        _Stub("Decide whether the result is good enough", ("comparison",), ("decision",), asks=True),
        _Stub("Correct what falls short", ("comparison", "first result"), ("result",), on="if it is not"),
    ),
    "Close {}": (
        _Stub("Hand over the result", ("result",), ("receipt",)),
        _Stub("Write down what to do better", ("record",), ("lessons",)),
        _Stub("File the record", ("record", "lessons"), ("archive",)),
    ),
}


def skeleton(topic: str, brief: Brief) -> Workflow:
    """The scaffold for a topic, cut to what the brief allows; raises UnusableTopic as `usable_topic` does."""
    given = usable_topic(topic)
    rows = list(_rows(brief))
    stubs = [(f"{row}.{column}", stub) for row, group in enumerate(rows, 1) for column, stub in enumerate(group, 1)]
    steps = [_step(place, stub, stubs[index + 1 :], given.named) for index, (place, stub) in enumerate(stubs)]
    phases = tuple(
        Phase(
            id=str(row),
            title=sentence_case(title.format(given.named)),
            children=tuple(step for step in steps if step.id.startswith(f"{row}.")),
        )
        for row, title in enumerate(_SCAFFOLD, 1)
    )
    return Workflow(
        title=sentence_case(given.text),
        description="A scaffold without content; give a source text to have it filled.",
        sourced=False,
        notice=NOTICE,
        starts=(steps[0].id,),
        ends=(steps[-1].id,),
        children=phases,
    )


def _rows(brief: Brief) -> Iterator[tuple[_Stub, ...]]:
    """What of each phase fits the brief: as many steps as its share of the room, and fewer at the coarsest level."""
    room = (brief.max_elements - len(_SCAFFOLD)) // len(_SCAFFOLD)
    for stubs in _SCAFFOLD.values():
        wanted = min(room, 2 if brief.granularity_level == 1 else len(stubs))
        kept = stubs[: max(1, wanted)]
        # A question without its answer leads nowhere.
        yield kept if not kept[-1].asks else kept[:-1]


def _step(place: str, stub: _Stub, behind: list[tuple[str, _Stub]], topic: str) -> Step:
    following = tuple(other for other, after in behind if after.on is None)[:1]
    branches = tuple(Branch(condition=after.on, to=other) for other, after in behind[:1] if stub.asks and after.on)
    return Step(
        type="decision" if stub.asks else "step",
        id=place,
        title=stub.title.format(topic),
        inputs=stub.inputs,
        outputs=stub.outputs,
        branches=branches,
        next=following,
    )
