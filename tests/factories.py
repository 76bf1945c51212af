"""Values for tests: only what a test names differs from the ordinary."""

from datetime import UTC, datetime
from typing import Any

from orchestrator.core.amounts import Amounts
from orchestrator.core.decide import decide
from orchestrator.core.events import Accepted, Event, Offered, Owned
from orchestrator.core.execution import Execution, Step, evolve, prepare
from orchestrator.core.stage import Stage
from orchestrator.core.template import Template, parse_template

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)


def a_template(*stages: str, retries: int = 3, extra: str = "") -> Template:
    """Stages as `name` or `name: need need`; each has the action `work`."""
    lines = [f"template: made\nversion: 1\ndefaults: {{retry: {{max: {retries}, backoff: 1s..8s}}}}\nstages:"]
    for stage in stages or ("a",):
        name, _, needs = stage.partition(":")
        lines.append(f"  {name}: {{needs: [{', '.join(needs.split())}], action: work}}")
    return parse_template("\n".join(lines) + "\n" + extra)


def an_execution(
    template: Template | None = None, given: Any = None, kept: dict[str, Stage] | None = None
) -> Execution:
    execution = Execution(
        execution_id="exec_1",
        client_id="client_1",
        template=template or a_template(),
        template_client_id="client_1",
        input=given if given is not None else {},
        priority=50,
        created_at=NOON,
    )
    prepare(execution, kept or {})
    return execution


def happen(execution: Execution, *events: Event) -> list[Step]:
    """Let the events happen, one after the other; returns the steps."""
    steps = []
    for event in events:
        step = decide(execution, event, NOON)
        evolve(execution, step)
        steps.append(step)
    return steps


def a_running(execution: Execution, stage: str, fence: int = 1) -> Execution:
    """The execution with this stage at work at worker `w` under the fence."""
    if execution.stages[stage].status == "pending":
        happen(execution, Owned())
    happen(execution, Offered(stage, fence, "w"), Accepted(stage, fence, Amounts(ms=10)))
    return execution
