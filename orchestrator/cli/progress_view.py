"""The progress of a watched execution: bars that move on a terminal, lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from orchestrator.cli.changes import changes
from orchestrator.cli.stage_view import stage_board
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watched import Watched
from orchestrator.event_stream import Event


class ProgressView(Protocol):
    """Is shown each state of an execution, and each log line on the way."""

    def show(self, watched: Watched) -> None: ...

    def log(self, line: str) -> None: ...


class Bars:
    """A row with a bar for each stage, drawn again as time goes by; what is logged scrolls above them."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._watched: Watched | None = None
        # The thread of `live` reads the latest state whenever it draws; states are values, so it needs no lock.
        self.live = Live(console=terminal.beside, get_renderable=self._board, refresh_per_second=8)

    def _board(self) -> RenderableType:
        return Text() if self._watched is None else stage_board(self._watched, self._terminal.clock.now())

    def show(self, watched: Watched) -> None:
        self._watched = watched

    def log(self, line: str) -> None:
        self._terminal.note(line)


class Lines:
    """A line for each change."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._watched: Watched | None = None

    def show(self, watched: Watched) -> None:
        for line in changes(self._watched, watched):
            self._terminal.note(line)
        self._watched = watched

    def log(self, line: str) -> None:
        self._terminal.note(line)


@contextmanager
def progress_view(terminal: Terminal) -> Iterator[ProgressView]:
    """Bars where somebody looks, lines where not."""
    console = terminal.beside
    if console.file.isatty() and not console.is_dumb_terminal:
        bars = Bars(terminal)
        with bars.live:
            yield bars
    else:
        yield Lines(terminal)


def log_line(event: Event) -> str | None:
    """What a `log` event says, with the stage that said it; None for every other event."""
    match event.name, event.data:
        case "log", {"message": message, **rest}:
            level = "" if rest.get("level") in (None, "info") else f"{rest['level']}: "
            return f"{rest.get('name') or rest.get('stageId') or 'log'} | {level}{message}"
        case _:
            return None
