"""`baton workers` and `baton queue`: who works, and what waits."""

from datetime import datetime

import click
from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.cli.document_view import rows_view
from orchestrator.cli.remote import Remote, client_options
from orchestrator.client import Document

_WORKER_FIELDS = ("workerId", "displayName", "status", "slots", "load", "capabilities", "version", "url")
_QUEUE_FIELDS = ("position", "executionId", "priority", "estimatedStartAt", "reason")
_COUNTS = (("queued", "queued"), ("running", "running"), ("highPriority", "of high priority"), ("blocked", "blocked"))


@click.command()
@client_options
def workers(remote: Remote) -> None:
    """List the registered workers."""
    remote.terminal.show(remote.call(lambda client: client.workers()), workers_view)


@click.command()
@client_options
def queue(remote: Remote) -> None:
    """List what waits in the queue."""
    remote.terminal.show(remote.call(lambda client: client.queue()), queue_view)


def workers_view(document: Document, now: datetime) -> RenderableType:
    """A row a worker; its slots as `free of total`."""
    workers = [row | {"slots": _slots(row.get("slots"))} for row in document.get("workers") or []]
    rows = [{name: row.get(name) for name in _WORKER_FIELDS} for row in workers]
    return rows_view(rows, now) if rows else Text("No worker is registered.")


def queue_view(document: Document, now: datetime) -> RenderableType:
    """A row for each that waits, then the counts."""
    rows = [{name: row.get(name) for name in _QUEUE_FIELDS} for row in document.get("queue") or []]
    stats = document.get("stats") or {}
    counts = ", ".join(f"{stats[name]} {word}" for name, word in _COUNTS if name in stats)
    table: RenderableType = rows_view(rows, now) if rows else Text("Nothing waits.")
    return Group(table, Text(), Text(counts)) if counts else table


def _slots(slots: object) -> str:
    match slots:
        case {"free": free, "total": total}:
            return f"{free} of {total} free"
        case _:
            return ""
