"""The rules that every learning path keeps, whoever made it; each break of one is a finding with its place."""

from collections.abc import Iterator

from workers.granulator.graph import find_cycle
from workers.granulator.learning_path.structure import LearningPath, Milestone, Step
from workers.granulator.quality.finding import Finding, Severity
from workers.granulator.quality.reference_rules import Identified, dangling, id_findings
from workers.granulator.quality.title_rules import Titled, title_findings

FEWEST_MILESTONES = 5


def check(path: LearningPath) -> tuple[Finding, ...]:
    """What is wrong with a path: its size, its times, its order, then each milestone; empty where nothing is."""
    placed = [(milestone, f"/children/{place}") for place, milestone in enumerate(path.children)]
    steps = [
        (step, f"{place}/children/{index}")
        for milestone, place in placed
        for index, step in enumerate(milestone.children)
    ]
    return (
        *_size(path),
        *_times(path, placed, steps),
        *id_findings(Identified(milestone.id, place) for milestone, place in placed),
        *_order(placed),
        *title_findings([Titled(milestone.title, place) for milestone, place in placed]),
        *title_findings([Titled(step.title, place) for step, place in steps]),
        *_outcomes(placed),
        *(finding for milestone, place in placed for finding in _milestone(milestone, place, sourced=path.sourced)),
    )


def _size(path: LearningPath) -> Iterator[Finding]:
    if not path.children:
        yield _finding("empty_structure", "error", "", "The path has no milestone.")
    elif len(path.children) < FEWEST_MILESTONES:
        message = f"The path has {len(path.children)} milestones; {FEWEST_MILESTONES} or more are usual."
        yield _finding("unusual_size", "info", "", message)


def _times(path: LearningPath, placed: list[tuple[Milestone, str]], steps: list[tuple[Step, str]]) -> Iterator[Finding]:
    yield from _sum("", path.duration_minutes, [milestone.duration_minutes for milestone, _ in placed])
    for milestone, place in placed:
        yield from _sum(place, milestone.duration_minutes, [step.duration_minutes for step in milestone.children])
    for step, place in steps:
        if not step.duration_minutes:
            message = f"The step “{step.title}” takes no time."
            yield _finding("duration_missing", "error", f"{place}/durationMinutes", message)


def _sum(place: str, minutes: int, parts: list[int]) -> Iterator[Finding]:
    if minutes != sum(parts):
        message = f"Lasts {minutes} minutes where its parts last {sum(parts)}."
        yield _finding("durations_do_not_add_up", "error", f"{place}/durationMinutes", message)


def _order(placed: list[tuple[Milestone, str]]) -> Iterator[Finding]:
    """What a milestone requires is there, and is reached before it."""
    first: dict[str, int] = {}
    for index, (milestone, _) in enumerate(placed):
        first.setdefault(milestone.id, index)
    for index, (milestone, place) in enumerate(placed):
        for number, id_ in enumerate(milestone.requires):
            yield from dangling(id_, first, f"{place}/requires/{number}")
            if first.get(id_, -1) >= index:
                message = f"“{milestone.title}” requires “{id_}”, which is not reached before it."
                yield _finding("requires_later", "error", f"{place}/requires/{number}", message)
    cycle = find_cycle({milestone.id: milestone.requires for milestone, _ in placed})
    if cycle:
        message = f"No milestone can be reached first: {' → '.join(cycle)}."
        yield _finding("requirements_circular", "error", f"/children/{first[cycle[0]]}/requires", message)


def _outcomes(placed: list[tuple[Milestone, str]]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for milestone, place in placed:
        if not any(outcome.strip() for outcome in milestone.outcomes):
            message = f"“{milestone.title}” does not say what is learnt."
            yield _finding("outcome_missing", "warning", f"{place}/outcomes", message)
        for number, outcome in enumerate(milestone.outcomes):
            here = f"{place}/outcomes/{number}"
            earlier = seen.setdefault(outcome.casefold(), here)
            if earlier != here:
                yield _finding("outcome_repeated", "warning", here, f"“{outcome}” is the outcome at {earlier} too.")


def _milestone(milestone: Milestone, place: str, *, sourced: bool) -> Iterator[Finding]:
    activities = [step.activity for step in milestone.children]
    if not activities:
        yield _finding("milestone_without_steps", "error", place, f"No step leads to “{milestone.title}”.")
        return
    if "check" not in activities:
        message = f"Nothing tells a learner whether “{milestone.title}” is reached: no step checks it."
        yield _finding("check_missing", "warning", place, message)
    elif "practise" not in activities and "read" not in activities:
        yield _finding("nothing_to_learn", "warning", place, f"“{milestone.title}” is checked and never learnt.")
    if sourced and (milestone.checkpoint is None or not milestone.checkpoint.stem.strip()):
        message = f"“{milestone.title}” has no question at its end."
        yield _finding("checkpoint_missing", "warning", f"{place}/checkpoint", message)
    elif milestone.checkpoint and milestone.checkpoint.options:
        right = milestone.checkpoint.options.count(milestone.checkpoint.answer)
        if right != 1:
            message = f"The answer stands among the options {right} times, and not once."
            yield _finding("answer_not_one_option", "error", f"{place}/checkpoint/options", message)
    if sourced and milestone.source is None:
        message = f"“{milestone.title}” names no part of the source."
        yield _finding("source_missing", "warning", f"{place}/source", message)


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
