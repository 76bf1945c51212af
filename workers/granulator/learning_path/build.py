"""The learning path of an outline: its milestones in the source's order, what each requires, and how long it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.learning_path.order import required_parts
from workers.granulator.learning_path.steps import StepWriter, readings_of
from workers.granulator.learning_path.structure import LearningPath, Milestone
from workers.granulator.parts import Part, parts_of, title_of
from workers.granulator.quiz.build import difficulties_of, question_of
from workers.granulator.quiz.questions import Candidate, Questioner
from workers.granulator.source.facts import Fact, facts_of
from workers.granulator.source.lexicon import lexicon_of
from workers.granulator.source.outline import Outline
from workers.granulator.source.points import strongest
from workers.granulator.structure import Brief, Source

FEWEST_MILESTONES = 5
# To read, to practise and to be checked.
LEAST_STEPS = 3
# How many sentences of a part are tried for its checkpoint.
TRIED = 6


@dataclass(frozen=True, slots=True)
class Size:
    """How finely a path goes at one level of granularity; `fine` has each passage read by itself."""

    most_milestones: int
    outcomes: int
    readings: int
    fine: bool


SIZES: Mapping[int, Size] = {
    1: Size(5, 1, 1, False),
    2: Size(7, 2, 2, False),
    3: Size(9, 2, 3, False),
    4: Size(11, 3, 4, True),
    5: Size(14, 3, 6, True),
}


def build(outline: Outline, brief: Brief) -> LearningPath:
    """Make the path of an outline; equal outlines and briefs give equal paths. Raises EmptyOutline."""
    facts = facts_of(outline)
    if not facts:
        raise EmptyOutline("The outline has no passage to learn.")
    size = SIZES[brief.granularity_level]
    room = brief.max_elements // (1 + LEAST_STEPS)
    title = title_of(outline, facts)
    most = min(size.most_milestones, room)
    parts = parts_of(outline, facts, least=min(FEWEST_MILESTONES, room), most=most, taken=(title,))
    lexicon = lexicon_of(outline, facts)
    required = required_parts(facts, lexicon, parts, english=outline.english)
    checkpoints = _checkpoints(parts, facts, Questioner(outline, facts, lexicon), outline)
    difficulties = difficulties_of(checkpoints)
    writer = StepWriter(outline)
    milestones = []
    for place, (part, item) in enumerate(zip(parts, checkpoints, strict=True)):
        draft = _milestone(place, part, facts, item, writer, size, brief.max_elements // len(parts) - 1)
        checkpoint = question_of(item, difficulties[item.fact.number], place, outline)
        requires = tuple(_id(other) for other in required[place])
        milestones.append(draft.model_copy(update={"checkpoint": checkpoint, "requires": requires}))
    return LearningPath(
        title=title,
        description=_description(outline, brief, milestones),
        duration_minutes=sum(milestone.duration_minutes for milestone in milestones),
        children=tuple(milestones),
    )


def _milestone(
    place: int, part: Part, facts: Sequence[Fact], item: Candidate, writer: StepWriter, size: Size, room: int
) -> Milestone:
    """A milestone with at most `room` steps, without its checkpoint and what it requires."""
    outcomes = writer.outcomes(part, facts, max(1, min(size.outcomes, room - LEAST_STEPS + 1)))
    readings = readings_of(part, min(size.readings, room - len(outcomes) - 1), fine=size.fine)
    steps = (
        *(writer.reading(pieces) for pieces in readings),
        *(writer.practice(outcome, part) for outcome in outcomes),
        writer.check(part, item.fact),
    )
    own = [fact for fact in facts if part.holds(fact)]
    return Milestone(
        id=_id(place),
        title=part.title,
        description=strongest(own, 1)[0].text,
        outcomes=outcomes,
        duration_minutes=sum(step.duration_minutes for step in steps),
        source=Source(section=part.heading, sentences=part.sentences),
        children=steps,
    )


def _id(place: int) -> str:
    return f"m{place + 1}"


def _checkpoints(
    parts: Sequence[Part], facts: Sequence[Fact], questioner: Questioner, outline: Outline
) -> list[Candidate]:
    """The best question on each part; no two ask for the same."""
    chosen: list[Candidate] = []
    for part in parts:
        own = [index for index, fact in enumerate(facts) if part.holds(fact)]
        best = sorted(own, key=lambda index: (not facts[index].stands, -facts[index].weight))[:TRIED]
        asked = {item.asks for item in chosen}
        candidates = [item for index in best for item in questioner.about(index) if item.asks not in asked]
        heading = outline.sections[facts[best[0]].section].heading
        chosen.append(max(candidates, key=lambda item: item.worth, default=questioner.open(best[0], heading)))
    return chosen


def _description(outline: Outline, brief: Brief, milestones: Sequence[Milestone]) -> str:
    """How far the path goes; an audience is named, for a text says nothing of who reads it."""
    counted = "1 milestone" if len(milestones) == 1 else f"{len(milestones)} milestones"
    audience = f" For {brief.audience}." if brief.audience else ""
    return f"Leads through a text of {outline.word_count:,} words in {counted}.{audience}"
