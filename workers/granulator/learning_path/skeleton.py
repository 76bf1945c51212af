"""A learning path from a topic alone: five milestones to be filled, labelled as such, that claim no knowledge of it."""

from typing import NamedTuple

from workers.granulator.course.titles import sentence_case
from workers.granulator.learning_path.structure import LearningPath, Milestone, Step
from workers.granulator.pacing import ANSWER_MINUTES, EXERCISE_MINUTES
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import usable_topic


class _Stub(NamedTuple):
    """A milestone to be filled, in which {} is the topic: its title, what is read, its outcome, how it is checked."""

    title: str
    read: str
    outcome: str
    check: str


# Each asks for the one before it; nothing is said of what the topic holds.
_SCAFFOLD = (
    _Stub(
        "The terms of {}",
        "Find out which terms belong to {}",
        "Define the main terms of {}.",
        "Explain three of the terms without notes",
    ),
    _Stub(
        "The parts of {}",
        "Find out what {} is made up of",
        "Name the main parts of {} and say what each is for.",
        "Draw the parts from memory",
    ),
    _Stub(
        "How {} works as a whole",
        "Follow one case through all the parts",
        "Explain how each part of {} serves the others.",
        "Predict what follows when one part fails",
    ),
    _Stub(
        "{} in practice",
        "Study a worked example from beginning to end",
        "Apply {} to a small case.",
        "Solve a new case alone",
    ),
    _Stub(
        "Judging {}",
        "Compare what several sources say for and against",
        "Say where {} helps and where it does not.",
        "Defend a judgement against an objection",
    ),
)
_STEPS = 3


def skeleton(topic: str, brief: Brief) -> LearningPath:
    """The scaffold for a topic, as much of it as the brief allows; raises UnusableTopic as `usable_topic` does."""
    given = usable_topic(topic)
    stubs = _SCAFFOLD[: brief.max_elements // (1 + _STEPS)]
    milestones = tuple(_milestone(place, stub, given.named) for place, stub in enumerate(stubs, 1))
    return LearningPath(
        title=sentence_case(given.text),
        description="A scaffold of milestones without content; give a source text to have it filled.",
        sourced=False,
        notice=NOTICE,
        duration_minutes=sum(milestone.duration_minutes for milestone in milestones),
        children=milestones,
    )


def _milestone(place: int, stub: _Stub, topic: str) -> Milestone:
    outcome = stub.outcome.format(topic)
    steps = (
        Step(activity="read", title=stub.read.format(topic), duration_minutes=EXERCISE_MINUTES),
        Step(activity="practise", title=outcome.rstrip("."), duration_minutes=EXERCISE_MINUTES),
        Step(activity="check", title=stub.check, duration_minutes=ANSWER_MINUTES),
    )
    return Milestone(
        id=f"m{place}",
        title=sentence_case(stub.title.format(topic)),
        outcomes=(outcome,),
        requires=(f"m{place - 1}",) if place > 1 else (),
        duration_minutes=sum(step.duration_minutes for step in steps),
        children=steps,
    )
