"""A course from a topic alone: a scaffold to be filled, labelled as such, that claims no knowledge of the topic."""

from dataclasses import dataclass

from workers.granulator.course.structure import DEFAULT_BRIEF, Course, Node
from workers.granulator.course.titles import sentence_case
from workers.granulator.language.words import words_of
from workers.granulator.pacing import study_minutes
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import usable_topic


@dataclass(frozen=True, slots=True)
class _Stub:
    """A lesson to be filled: its title and its objectives, in which {} is the topic."""

    title: str
    objectives: tuple[str, ...]


_SCAFFOLD: dict[str, tuple[_Stub, ...]] = {
    "Foundations of {}": (
        _Stub("Terms and definitions", ("List the main terms of {}.", "Define each of these terms.")),
        _Stub("Scope and purpose", ("Say what {} deals with and what it leaves out.",)),
    ),
    "The parts of {}": (
        _Stub("Main parts", ("Name the main parts of {}.", "Describe what each part is for.")),
        _Stub("How the parts work together", ("Explain how the parts of {} depend on each other.",)),
    ),
    "{} in practice": (
        _Stub("Worked examples", ("Follow an example of {} from beginning to end.",)),
        _Stub("Common mistakes", ("Recognise common mistakes in {}.", "Say how each mistake is avoided.")),
    ),
    "Review of {}": (
        _Stub("Summary of the course", ("Summarise {} in a few sentences.",)),
        _Stub("Test and next steps", ("Apply {} to a case of one's own.",)),
    ),
}


def skeleton(topic: str, brief: Brief = DEFAULT_BRIEF) -> Course:
    """The scaffold for a topic, cut to what the brief allows; raises UnusableTopic as `usable_topic` does."""
    given = usable_topic(topic)
    named = given.named
    overview = Node(
        type="overview",
        title=f"Overview: {given.text}",
        objectives=(f"Say what is to be learnt about {named}.",),
        duration_minutes=study_minutes(0, 1),
    )
    children = (overview, *(_module(title, stubs, named) for title, stubs in _scaffold(brief).items()))
    return Course(
        title=sentence_case(given.text),
        sourced=False,
        notice=NOTICE,
        description="A scaffold without content; give a source text to have it filled.",
        duration_minutes=sum(child.duration_minutes for child in children),
        key_terms=tuple(dict.fromkeys(words_of(given.text))),
        children=children,
    )


def _scaffold(brief: Brief) -> dict[str, tuple[_Stub, ...]]:
    """What of the scaffold fits the brief: every module, and a second lesson for as many as there is room for."""
    room = 0 if brief.granularity_level == 1 else brief.max_elements - 1 - 2 * len(_SCAFFOLD)
    return {title: stubs[: 2 if place < room else 1] for place, (title, stubs) in enumerate(_SCAFFOLD.items())}


def _module(title: str, stubs: tuple[_Stub, ...], topic: str) -> Node:
    lessons = tuple(
        Node(
            type="lesson",
            title=stub.title,
            objectives=tuple(objective.format(topic) for objective in stub.objectives),
            duration_minutes=study_minutes(0, len(stub.objectives)),
        )
        for stub in stubs
    )
    return Node(
        type="module",
        title=sentence_case(title.format(topic)),
        objectives=(f"Complete the lessons on {', '.join(stub.title.lower() for stub in stubs)}.",),
        duration_minutes=sum(lesson.duration_minutes for lesson in lessons),
        children=lessons,
    )
