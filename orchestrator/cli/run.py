"""`baton run`: submit an execution, watch it, and hand over its result."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import click
from rich.text import Text

from orchestrator.cli.execution_view import ending_view
from orchestrator.cli.failures import exit_unless_completed
from orchestrator.cli.printable import plain
from orchestrator.cli.remote import Remote, client_options
from orchestrator.cli.result_file import output_option, write_result
from orchestrator.cli.run_input import FileToUpload, Input, InputFile, InputObject, Priority
from orchestrator.cli.watch import watch
from orchestrator.cli.wording import when
from orchestrator.client import BatonClient, Document

Submit = Callable[[BatonClient], Awaitable[Document]]


@click.command()
@click.argument("template")
@click.option(
    "--input",
    "input_option",
    type=InputObject(),
    help="The input, a JSON object. Beside --input-file, fields that stand over those of the file.",
)
@click.option(
    "--input-file",
    type=InputFile(),
    help="A file with the input. A .json file is the input object itself; a UTF-8 text of at most 1 MiB becomes "
    '{"text": <its content>, "title": <its first Markdown heading, or its name without the suffix>}; any other file '
    'is uploaded and becomes {"documents": [{"name": ..., "artifact": ...}]}.',
)
@click.option("--template-version", metavar="N", type=click.IntRange(min=1), help="Its version.  [default: the latest]")
@click.option(
    "--priority",
    metavar="low|normal|high|critical|0..100",
    type=Priority(),
    help="How urgent it is.  [default: normal]",
)
@click.option("--idempotency-key", help="Makes it harmless to send the same request again: it is executed once.")
@click.option("--watch/--no-watch", "watching", default=True, show_default=True, help="Wait for the end of it.")
@output_option
@client_options
def run(
    remote: Remote,
    template: str,
    input_option: Input | None,
    input_file: Input | FileToUpload | None,
    template_version: int | None,
    priority: str | int | None,
    idempotency_key: str | None,
    watching: bool,
    output: Path | None,
) -> None:
    """Execute a template and watch it.

    Ctrl-C stops the watching, not the execution.
    """
    if output is not None and not watching:
        raise click.UsageError("--output needs the result, and --no-watch does not wait for it")

    async def submit(client: BatonClient) -> Document:
        return await client.execute(
            template,
            await _given(client, input_file, input_option),
            version=template_version,
            priority=priority,
            idempotency_key=idempotency_key,
        )

    if watching:
        _execute_to_the_end(remote, submit, output)
    else:
        remote.terminal.show(remote.call(submit), acceptance_line)


def acceptance_line(accepted: Document, now: datetime) -> Text:
    """The id to ask for, and as much of place and time as the server could derive."""
    line = f"Execution {accepted.get('executionId')} is {accepted.get('status', 'queued')}"
    if accepted.get("queuePosition") is not None:
        line += f" at position {accepted['queuePosition']}"
    if accepted.get("estimatedCompletionAt") is not None:
        line += f", to be completed {when(accepted['estimatedCompletionAt'], now)}"
    return plain(line + ".")


def _execute_to_the_end(remote: Remote, submit: Submit, output: Path | None) -> None:
    terminal = remote.terminal

    async def submit_and_watch(client: BatonClient) -> Document:
        accepted = await submit(client)
        terminal.note(acceptance_line(accepted, terminal.clock.now()).plain)
        return await watch(client, accepted["executionId"], terminal)

    document = remote.call(submit_and_watch)
    terminal.show(document, ending_view)
    exit_unless_completed(document)
    if output is not None:
        write_result(document.get("result"), output)


async def _given(client: BatonClient, file: Input | FileToUpload | None, fields: Input | None) -> Input | None:
    """The input: what the file is, and over it the fields of the command line."""
    if isinstance(file, FileToUpload):
        file = file.input(await client.upload_artifact(file.file, file.content_type))
    return fields if file is None else {**file, **(fields or {})}
