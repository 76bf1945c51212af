"""A learning path: milestones in the order they are reached, each with its steps and the earlier ones it requires.

A milestone lasts as long as its steps together, and the path as long as its milestones.
"""

from typing import Literal

from pydantic import NonNegativeInt

from workers.granulator.quiz.structure import Question
from workers.granulator.structure import Element, Structure

Activity = Literal["read", "practise", "check"]


class Step(Element):
    """Something to do on the way to a milestone."""

    type: Literal["step"] = "step"
    activity: Activity
    duration_minutes: NonNegativeInt = 0


class Milestone(Element):
    """What a learner has reached when the checkpoint is passed; `requires` are ids of earlier milestones."""

    type: Literal["milestone"] = "milestone"
    id: str
    outcomes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    duration_minutes: NonNegativeInt = 0
    checkpoint: Question | None = None
    children: tuple[Step, ...] = ()


class LearningPath(Structure):
    """A whole path."""

    type: Literal["learning_path"] = "learning_path"
    duration_minutes: NonNegativeInt = 0
    children: tuple[Milestone, ...] = ()
