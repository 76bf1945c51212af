"""The progress of watched executions: bars that move on a terminal, lines elsewhere.

Each execution has a pane of its own. What is said in one stands out from the others by the pane's name.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import RenderableType
from rich.live import Live

from orchestrator.cli.changes import changes
from orchestrator.cli.stage_view import stage_board
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watched import Watched

ALONE: Final = ("",)
"""The names of the panes where there is only one."""


class Pane(Protocol):
    """Where one execution is shown."""

    def show(self, watched: Watched) -> None:
        """Its state as it is now."""

    def say(self, line: str) -> None:
        """A line that stays."""


@contextmanager
def progress_view(terminal: Terminal, names: Sequence[str] = ALONE) -> Iterator[list[Pane]]:
    """A pane for each of these executions: with bars where somebody looks, in lines where not.

    The terminal's notes scroll by above the bars.
    """
    console = terminal.beside
    if console.file.isatty() and not console.is_dumb_terminal:
        panes = [_Bars(terminal, name) for name in names]

        def board() -> RenderableType:
            documents = [(pane.name, pane.watched.document) for pane in panes if pane.watched is not None]
            return stage_board(documents, terminal.clock.now())

        with Live(console=console, get_renderable=board, refresh_per_second=8):
            yield list(panes)
    else:
        yield [_Lines(terminal, name) for name in names]


class _Bars:
    """The latest state, which the thread of `Live` draws whenever it likes; states are values, so it needs no lock."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self.name = name
        self.watched: Watched | None = None
        self._terminal = terminal

    def show(self, watched: Watched) -> None:
        self.watched = watched

    def say(self, line: str) -> None:
        self._terminal.note(_named(self.name, line))


class _Lines:
    """The state before, to which the next one is compared."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self._terminal = terminal
        self._name = name
        self._watched: Watched | None = None

    def show(self, watched: Watched) -> None:
        for line in changes(self._watched, watched):
            self.say(line)
        self._watched = watched

    def say(self, line: str) -> None:
        self._terminal.note(_named(self._name, line))


def _named(name: str, line: str) -> str:
    return f"{name}  {line}" if name else line
