"""Watching executions to their ends: by its event stream, and by asking again where the stream cannot be had."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from orchestrator.call_faults import StreamUnavailable
from orchestrator.cli.changes import log_line
from orchestrator.cli.progress_view import Pane, progress_view
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watched import Watched
from orchestrator.client import BatonClient, Document
from orchestrator.event_stream import Event


async def watch(client: BatonClient, execution_id: str, terminal: Terminal) -> Document:
    """The terminal document of an execution, whose progress is shown meanwhile.

    Ctrl-C ends the watching and says that the execution goes on.
    """
    try:
        with progress_view(terminal) as [pane]:
            return await _watch_to_the_end(client, execution_id, pane)
    except asyncio.CancelledError:
        terminal.note(
            f"Stopped watching; execution {execution_id} goes on. "
            f"`baton status {execution_id} --watch` watches it again, `baton cancel {execution_id}` stops it."
        )
        raise


async def watch_together(client: BatonClient, executions: Mapping[str, str], terminal: Terminal) -> dict[str, Document]:
    """The terminal documents of executions, given by their names and ids, side by side; each is told under its name."""
    with progress_view(terminal, list(executions)) as panes:
        watching = [
            asyncio.ensure_future(_watch_to_the_end(client, execution_id, pane))
            for execution_id, pane in zip(executions.values(), panes, strict=True)
        ]
        try:
            documents = await asyncio.gather(*watching)
        finally:
            for one in watching:
                one.cancel()
    return dict(zip(executions, documents, strict=True))


async def _watch_to_the_end(client: BatonClient, execution_id: str, pane: Pane) -> Document:
    watched = Watched.of(await client.execution(execution_id))
    pane.show(watched)
    if watched.final:
        return watched.document
    async with aclosing(_followed(client, execution_id)) as events:
        async for event in events:
            if (line := log_line(event)) is not None:
                pane.say(line)
            watched = watched.after(event)
            pane.show(watched)
            if watched.final:
                return watched.document
    # The stream ended on a word that is not a whole document.
    return await client.execution(execution_id)


async def _followed(client: BatonClient, execution_id: str) -> AsyncGenerator[Event, None]:
    try:
        async with aclosing(client.events(execution_id)) as events:
            async for event in events:
                yield event
    except StreamUnavailable:
        async with aclosing(client.polled(execution_id)) as documents:
            async for document in documents:
                yield Event("execution", document)
