"""`baton demo`: a whole Baton in a folder of its own makes lessons of a shipped text, trains a model, and is gone.

Everything is real: the embedded PostgreSQL, the orchestrator and the bundled workers as processes, both executions over
HTTP and at the same time. The folder and the processes go with the command, however it ends.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType

from orchestrator.bundled import how_to_install, missing
from orchestrator.cli.demo_view import handshake_view, lesson_view, model_view
from orchestrator.cli.execution_view import ending_line, ending_view
from orchestrator.cli.failures import exit_unless_completed
from orchestrator.cli.own_system import own_system
from orchestrator.cli.remote import Remote
from orchestrator.cli.run_input import first_heading, text_input
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watch import watch_together
from orchestrator.client import BatonClient, Document
from orchestrator.shipped import shipped

EXAMPLE: Final = "course_from_document.md"
HANDSHAKE_OF: Final = "course"


@dataclass(frozen=True, slots=True)
class Order:
    """What the demo has executed: the template, what it is about, the actions it needs, and how its result is shown."""

    template: str
    about: str
    actions: frozenset[str]
    view: Callable[[Document, datetime], RenderableType]


PIPELINE: Final = "pipeline"
ORDERS: Final[Mapping[str, Order]] = {
    PIPELINE: Order(
        "complete_education_pipeline",
        f"a course, a quiz, a knowledge map and a learning path, all of {EXAMPLE}",
        frozenset({"outline", "granulate", "validate", "assemble"}),
        lesson_view,
    ),
    "training": Order(
        "train_digits",
        "a network that learns to read handwritten digits",
        frozenset({"prepare", "train", "evaluate", "accept"}),
        model_view,
    ),
}
"""By the names that they go by while they run; one that is a bundled worker's needs what that worker needs."""


@click.command()
def demo() -> None:
    """Make lessons of a shipped text and train a model, side by side.

    On a system of its own, which is started for it and stopped after it.
    """
    terminal = Terminal(as_json=False)
    orders = {name: order for name, order in ORDERS.items() if not missing(name)}
    for name in ORDERS.keys() - orders.keys():
        terminal.note(
            f"{ORDERS[name].template} is left out: it needs {', '.join(missing(name))}; {how_to_install(name)}"
        )
    terminal.note("Starting PostgreSQL, the orchestrator and the bundled workers ...")
    with tempfile.TemporaryDirectory(prefix="baton-demo-") as folder, own_system(Path(folder)) as system:
        actions = frozenset[str]().union(*(order.actions for order in orders.values()))
        remote = Remote(asyncio.run(system.until_offered(actions, terminal.clock)), terminal)
        documents = remote.call(lambda client: _executed(client, orders, terminal))
        _show(documents, remote)
        for document in documents.values():
            exit_unless_completed(document)
        url = remote.connection.url
    terminal.note(f"\nWhile it ran it was at {url}, its API described at {url}/docs. All of it is stopped now.")
    terminal.note("Your own: `baton up`, and beside it")
    terminal.note("  baton run complete_education_pipeline --input-file YOUR.pdf --output course.md")


async def _executed(client: BatonClient, orders: Mapping[str, Order], terminal: Terminal) -> dict[str, Document]:
    text = (shipped("templates") / "examples" / EXAMPLE).read_text(encoding="utf-8")
    inputs: Mapping[str, Any] = {PIPELINE: text_input(text, first_heading(text) or EXAMPLE)}
    executions: dict[str, str] = {}
    terminal.note("")
    for name, order in orders.items():
        accepted = await client.execute(order.template, inputs.get(name, {}))
        executions[name] = accepted["executionId"]
        terminal.note(f"{name}  {order.template} makes {order.about}.")
    return await watch_together(client, executions, terminal)


def _show(documents: Mapping[str, Document], remote: Remote) -> None:
    for name, document in documents.items():
        remote.terminal.note(f"\n{ORDERS[name].template} ({document['executionId']})")
        completed = document["status"] == "completed"
        remote.terminal.show(document, ending_line if completed else ending_view)
        if completed:
            remote.terminal.show(document, ORDERS[name].view)
    told = remote.call(lambda client: client.packets(documents[PIPELINE]["executionId"]))
    remote.terminal.show(told, lambda packets, _: handshake_view(packets["packets"], HANDSHAKE_OF))
