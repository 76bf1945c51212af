"""`baton status`: where an execution is, why it is there, and what was said between orchestrator and workers."""

from datetime import datetime
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.cli.conversation_view import explanation_view, packets_view
from orchestrator.cli.execution_view import ending_view, execution_view
from orchestrator.cli.failures import exit_unless_completed
from orchestrator.cli.remote import Remote, client_options
from orchestrator.cli.result_file import output_option, write_result
from orchestrator.cli.watch import watch
from orchestrator.client import TERMINAL_STATUSES, BatonClient, Document


@click.command()
@click.argument("execution_id")
@click.option("--watch", "watching", is_flag=True, help="Show its progress until it ends.")
@click.option("--packets", is_flag=True, help="Show its handshake packets too; in JSON as `packets`.")
@click.option("--explain", is_flag=True, help="Show too why it is where it is; in JSON as `explain`.")
@output_option
@client_options
def status(
    remote: Remote, execution_id: str, watching: bool, packets: bool, explain: bool, output: Path | None
) -> None:
    """Show where an execution is.

    With --watch, Ctrl-C stops the watching, not the execution.
    """

    async def ask(client: BatonClient) -> Document:
        if watching:
            document = await watch(client, execution_id, remote.terminal)
        else:
            document = await client.execution(execution_id)
        if packets:
            document = document | await client.packets(execution_id)
        if explain:
            document = document | {"explain": await client.explain(execution_id)}
        return document

    document = remote.call(ask)
    remote.terminal.show(document, ending if watching else standing)
    if watching:
        exit_unless_completed(document)
    if output is not None:
        _write(document, output)


def _write(document: Document, output: Path) -> None:
    status = document.get("status")
    if status == "completed":
        write_result(document.get("result"), output)
    elif status in TERMINAL_STATUSES:
        raise click.ClickException(f"the execution is {status}: there is no result to write into {output}")
    else:
        raise click.ClickException(f"the execution is {status}, without a result as yet; with --watch it is awaited")


def standing(document: Document, now: datetime) -> RenderableType:
    """An execution with whatever more was asked for."""
    return Group(execution_view(document, now), *_beyond(document, now))


def ending(document: Document, now: datetime) -> RenderableType:
    """The end of a watched execution with whatever more was asked for."""
    return Group(ending_view(document, now), *_beyond(document, now))


def _beyond(document: Document, now: datetime) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if "packets" in document:
        parts += [Text("\nPackets", "bold underline"), packets_view(document["packets"], now)]
    if "explain" in document:
        parts += [Text("\nExplanation", "bold underline"), explanation_view(document["explain"], now)]
    return parts
