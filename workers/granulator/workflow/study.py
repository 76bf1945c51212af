"""The workflow of a text that gives no procedure: its sections in order, each studied and then checked.

It says of itself that it is one, and each step is made of the source's own sentences.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workers.granulator.course.structure import Node, granulate
from workers.granulator.course.titles import TitleRegister
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Source
from workers.granulator.workflow.granularity import MOST_STEPS
from workers.granulator.workflow.structure import Phase, Step, Workflow

LABEL = "The source gives no procedure; these are the steps of studying what it says, section by section."
LONGEST_TITLE_WORDS = 12
STEP_TERMS = 4


@dataclass(frozen=True, slots=True)
class _Task:
    """A step before its id and title are settled; the first of `titles` that is still free is taken."""

    titles: tuple[str, ...]
    actions: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: Source | None


def study(outline: Outline, brief: Brief) -> Workflow:
    """The workflow of studying a text, on the lines of its course; raises EmptyOutline."""
    # A course of n elements has at most n / 3 modules, and each of these is checked in a step more.
    room = min(MOST_STEPS[brief.granularity_level], 3 * brief.max_elements // 4)
    course = granulate(outline, brief.model_copy(update={"max_elements": room}))
    overview, *modules = course.children
    opening = [_task(overview, course.title)] if overview.source else []
    tasks = [[*(opening if place == 0 else []), *_tasks(module)] for place, module in enumerate(modules)]
    register = TitleRegister()
    register.claim([course.title])
    titles = [register.claim([module.title]) for module in modules]
    ids = [f"{row}.{column}" for row, group in enumerate(tasks, 1) for column in range(1, len(group) + 1)]
    following = iter([*((step,) for step in ids[1:]), ()])
    phases = tuple(
        Phase(
            id=str(row),
            title=title,
            description=module.description,
            source=_span(group),
            children=tuple(
                _step(task, f"{row}.{column}", next(following), register) for column, task in enumerate(group, 1)
            ),
        )
        for row, (module, title, group) in enumerate(zip(modules, titles, tasks, strict=True), 1)
    )
    return Workflow(
        title=course.title, description=LABEL, procedural=False, starts=(ids[0],), ends=(ids[-1],), children=phases
    )


def _tasks(module: Node) -> Iterator[_Task]:
    """A step for each lesson's objective, and one to check what the module is for."""
    for lesson in module.children:
        yield _task(lesson, module.title)
    checks = tuple(f"Check that you can {goal[0].lower()}{goal[1:]}" for goal in module.objectives)
    yield _Task(
        titles=(*(check.rstrip(".") for check in checks), f"Check what you know of “{module.title}”"),
        actions=checks,
        inputs=module.key_terms[:STEP_TERMS],
        outputs=(),
        source=None,
    )


def _task(node: Node, heading: str) -> _Task:
    goals = [objective.rstrip(".") for objective in node.objectives]
    section = node.source.section if node.source else None
    return _Task(
        titles=tuple(sorted(goals, key=lambda goal: len(goal.split()) > LONGEST_TITLE_WORDS)),
        actions=node.objectives,
        inputs=(f"the text of “{section or heading}”",),
        outputs=node.key_terms[:STEP_TERMS],
        source=node.source,
    )


def _step(task: _Task, place: str, following: tuple[str, ...], register: TitleRegister) -> Step:
    return Step(
        id=place,
        title=register.claim(task.titles),
        actions=task.actions,
        inputs=task.inputs,
        outputs=task.outputs,
        next=following,
        source=task.source,
    )


def _span(tasks: Sequence[_Task]) -> Source | None:
    """From the first sentence to the last that the tasks draw on, under the heading of most of them."""
    sources = [task.source for task in tasks if task.source]
    if not sources:
        return None
    headings = [source.section for source in sources]
    section = max(headings, key=headings.count)
    return Source(section=section, sentences=(sources[0].sentences[0], sources[-1].sentences[1]))
