"""The rules of every workflow, whoever made it: its graph holds together, and each step says what it is for.

Anything that parses is judged; each break of a rule is a finding with its place.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from workers.granulator.quality.finding import Finding, Severity
from workers.granulator.quality.title_rules import title_findings, titled
from workers.granulator.workflow.instructions import opens_with_verb
from workers.granulator.workflow.structure import Step, Workflow

# Fewer steps leave the work to guessing, and more are not kept in mind.
FEWEST_STEPS: Final = 10
MOST_STEPS: Final = 25


class _Placed(NamedTuple):
    step: Step
    path: str


def check(workflow: Workflow) -> tuple[Finding, ...]:
    """What breaks a rule, the graph first; empty where the workflow keeps every rule."""
    placed = [
        _Placed(step, f"/children/{row}/children/{column}")
        for row, phase in enumerate(workflow.children)
        for column, step in enumerate(phase.children)
    ]
    if not placed:
        return (_finding("no_steps", "error", "", "The workflow has no step."),)
    return (
        *_ids(placed),
        *_references(workflow, placed),
        *_ways(workflow, placed),
        *(finding for one in placed for finding in _form(one)),
        *_size(workflow, len(placed)),
        *title_findings(list(titled(workflow))),
    )


def _ids(placed: Sequence[_Placed]) -> Iterator[Finding]:
    times = Counter(one.step.id for one in placed)
    for step, path in placed:
        if not step.id.strip():
            yield _finding("missing_id", "error", f"{path}/id", f"{_named(step)} has no id to be reached by.")
        elif times[step.id] > 1:
            yield _finding(
                "duplicate_id", "error", f"{path}/id", f"The id “{step.id}” belongs to {times[step.id]} steps."
            )


def _references(workflow: Workflow, placed: Sequence[_Placed]) -> Iterator[Finding]:
    known = {one.step.id for one in placed}
    named = [
        *((f"/starts/{index}", name) for index, name in enumerate(workflow.starts)),
        *((f"/ends/{index}", name) for index, name in enumerate(workflow.ends)),
        *((f"{path}/next/{index}", name) for step, path in placed for index, name in enumerate(step.next)),
        *(
            (f"{path}/branches/{index}/to", branch.to)
            for step, path in placed
            for index, branch in enumerate(step.branches)
        ),
    ]
    for path, name in named:
        if name not in known:
            yield _finding("unknown_step", "error", path, f"There is no step “{name}”.")
    if not workflow.starts:
        yield _finding("no_start", "error", "/starts", "Nothing says at which step the work starts.")
    if not workflow.ends:
        yield _finding("no_end", "error", "/ends", "Nothing says at which step the work ends.")


def _ways(workflow: Workflow, placed: Sequence[_Placed]) -> Iterator[Finding]:
    """Every step is reached from a start, leads on unless it is an end, and leads to an end at last."""
    ways = {step.id: step.ways_on for step, _ in placed}
    back: dict[str, list[str]] = {}
    for name, targets in ways.items():
        for target in targets:
            back.setdefault(target, []).append(name)
    reached, ending = _reachable(workflow.starts, ways), _reachable(workflow.ends, back)
    for step, path in placed:
        if workflow.starts and step.id not in reached:
            yield _finding("unreachable_step", "error", path, f"{_named(step)} is reached from no start.")
        if not step.ways_on and step.id not in workflow.ends:
            yield _finding("dead_end", "error", path, f"{_named(step)} leads nowhere and is no end.")
        elif workflow.ends and step.id not in ending:
            yield _finding("endless_loop", "error", path, f"From {_named(step)} no end can be reached.")


def _reachable(origins: Iterable[str], ways: Mapping[str, Collection[str]]) -> set[str]:
    reached: set[str] = set()
    pending = list(origins)
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += ways.get(name, ())
    return reached


def _form(placed: _Placed) -> Iterator[Finding]:
    """What a step owes to whoever follows it."""
    step, path = placed
    if step.type == "decision" and not step.branches:
        yield _finding("decision_without_branch", "error", path, f"{_named(step)} decides nothing: it has no branch.")
    for index, branch in enumerate(step.branches):
        if not branch.condition.strip():
            message = f"A branch of {_named(step)} does not say when it is taken."
            yield _finding("branch_without_condition", "error", f"{path}/branches/{index}/condition", message)
    conditions = Counter(branch.condition.casefold().strip() for branch in step.branches)
    if any(times > 1 for condition, times in conditions.items() if condition):
        message = f"Two branches of {_named(step)} have the same condition."
        yield _finding("ambiguous_branches", "error", f"{path}/branches", message)
    if step.title.strip() and not opens_with_verb(step.title):
        message = f"The title “{step.title}” does not say what to do; begin it with a verb."
        yield _finding("title_not_imperative", "warning", f"{path}/title", message)


def _size(workflow: Workflow, steps: int) -> Iterator[Finding]:
    for row, phase in enumerate(workflow.children):
        if not phase.children:
            yield _finding("empty_phase", "warning", f"/children/{row}", f"The phase “{phase.title}” has no step.")
    if not FEWEST_STEPS <= steps <= MOST_STEPS:
        message = f"The workflow has {steps} steps; {FEWEST_STEPS} to {MOST_STEPS} are usual."
        yield _finding("unusual_size", "info", "", message)
    if all(not step.inputs and not step.outputs for step in workflow.steps):
        message = "No step says what it takes or what it makes."
        yield _finding("nothing_handed_on", "warning", "", message)


def _named(step: Step) -> str:
    return f"Step “{step.title or step.id}”"


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
