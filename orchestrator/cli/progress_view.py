"""The progress of a watched execution: bars that move on a terminal, lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from orchestrator.cli.changes import changes
from orchestrator.cli.stage_view import stage_board
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.watched import Watched

Show = Callable[[Watched], None]


@contextmanager
def progress_view(terminal: Terminal) -> Iterator[Show]:
    """What shows each state of an execution: with bars where somebody looks, in lines where not.

    The terminal's notes scroll by above the bars.
    """
    console = terminal.beside
    if console.file.isatty() and not console.is_dumb_terminal:
        bars = _Bars(terminal)
        with Live(console=console, get_renderable=bars.board, refresh_per_second=8):
            yield bars.show
    else:
        yield _Lines(terminal).show


class _Bars:
    """The latest state, which the thread of `Live` draws whenever it likes; states are values, so it needs no lock."""

    def __init__(self, terminal: Terminal) -> None:
        self._clock = terminal.clock
        self._watched: Watched | None = None

    def show(self, watched: Watched) -> None:
        self._watched = watched

    def board(self) -> RenderableType:
        return Text() if self._watched is None else stage_board(self._watched.document, self._clock.now())


class _Lines:
    """The state before, to which the next one is compared."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._watched: Watched | None = None

    def show(self, watched: Watched) -> None:
        for line in changes(self._watched, watched):
            self._terminal.note(line)
        self._watched = watched
