"""`baton cancel`, `pause`, `resume` and `retry`: what a client may ask of an execution that it has submitted."""

from datetime import datetime

import click
from rich.text import Text

from orchestrator.cli.printable import plain
from orchestrator.cli.remote import Remote, client_options
from orchestrator.cli.terminal import View
from orchestrator.client import Document


@click.command()
@click.argument("execution_id")
@client_options
def cancel(remote: Remote, execution_id: str) -> None:
    """Cancel an execution.

    What is under way is stopped; what is done is undone where the template says how.
    """
    answer = remote.call(lambda client: client.cancel(execution_id))
    remote.terminal.show(answer, _told("Cancel", execution_id))


@click.command()
@click.argument("execution_id")
@client_options
def pause(remote: Remote, execution_id: str) -> None:
    """Pause an execution.

    What is under way goes on; nothing new is started until it is resumed.
    """
    answer = remote.call(lambda client: client.pause(execution_id))
    remote.terminal.show(answer, _told("Pause", execution_id))


@click.command()
@click.argument("execution_id")
@client_options
def resume(remote: Remote, execution_id: str) -> None:
    """Resume a paused execution."""
    answer = remote.call(lambda client: client.resume(execution_id))
    remote.terminal.show(answer, _told("Resume", execution_id))


@click.command()
@click.argument("execution_id")
@click.option("--idempotency-key", help="Makes it harmless to send the same request again: it is executed once.")
@client_options
def retry(remote: Remote, execution_id: str, idempotency_key: str | None) -> None:
    """Execute again what failed or was cancelled.

    It becomes a new execution, which keeps the stages that were completed.
    """
    answer = remote.call(lambda client: client.retry(execution_id, idempotency_key=idempotency_key))
    remote.terminal.show(answer, _retried)


def _told(verb: str, execution_id: str) -> View:
    def view(answer: Document, now: datetime) -> Text:
        status = answer.get("status")
        return plain(f"{verb} is accepted; execution {execution_id}" + (f" is {status}." if status else "."))

    return view


def _retried(answer: Document, now: datetime) -> Text:
    return plain(f"Execution {answer.get('executionId')} retries {answer.get('retryOf')}.")
