"""Where a command speaks: standard output for what was asked, standard error beside it.

With `--json`, standard output carries one JSON document and nothing else.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import click
import orjson
from rich.console import Console, RenderableType

from orchestrator.cli.printable import plain
from orchestrator.client import Document
from orchestrator.core.seams import Clock
from orchestrator.system import SystemClock

View = Callable[[Document, datetime], RenderableType]

# A pipe has no width; rich would take 80 and cut the lines that a script reads.
_PIPE_WIDTH: Final = 200


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)


@dataclass(frozen=True, slots=True)
class Terminal:
    """`as_json`: is it a document that was asked for, or something for people?"""

    as_json: bool
    out: Console = field(default_factory=_console)
    err: Console = field(default_factory=lambda: _console(stderr=True))
    clock: Clock = field(default_factory=SystemClock)

    def show(self, document: Document, view: View) -> None:
        """The command's answer."""
        if self.as_json:
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        else:
            self.out.print(view(document, self.clock.now()), crop=False)

    def note(self, text: str) -> None:
        """A word beside the answer."""
        self.beside.print(plain(text), soft_wrap=True)

    @property
    def beside(self) -> Console:
        """Where notes and progress go: out of the way of a document."""
        return self.err if self.as_json else self.out
