"""The stages of an execution: as rows with bars while it is watched, as a table afterwards. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, JustifyMethod
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.printable import plain
from orchestrator.cli.watched import Watched
from orchestrator.cli.wording import NOTHING, duration, instant, milliseconds_between, when
from orchestrator.client import Document

STATUS_STYLES: Final[Mapping[str, str]] = {
    "queued": "dim",
    "pending": "dim",
    "offered": "cyan",
    "running": "blue",
    "waiting": "yellow",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "skipped": "dim",
    "cancelled": "magenta",
}

_BAR_WIDTH: Final = 20
_JUSTIFIED: Final[tuple[JustifyMethod, ...]] = ("left", "left", "right", "right", "left")


def status_text(status: object) -> Text:
    """A status in the colour that it has everywhere."""
    return plain(status or NOTHING, STATUS_STYLES.get(str(status), ""))


def percent(progress: object) -> str:
    return f"{progress:.0f} %" if isinstance(progress, int | float) else NOTHING


def elapsed(thing: Mapping[str, Any], now: datetime) -> str:
    """How long an execution or a stage has taken so far, or took."""
    spent = milliseconds_between(thing.get("startedAt"), thing.get("finishedAt") or now)
    return NOTHING if spent is None else duration(spent)


def time_left(stage: Mapping[str, Any], now: datetime) -> str:
    """What the worker promised, else what the pace so far comes to; nothing for a stage that is not at work."""
    if stage.get("status") != "running":
        return ""
    promised = instant(stage.get("estimatedCompletionAt"))
    if promised is not None and promised > now:
        return f"~{duration(milliseconds_between(now, promised) or 0)} left"
    spent, progress = milliseconds_between(stage.get("startedAt"), now), stage.get("progress")
    if not spent or not isinstance(progress, int | float) or not 0 < progress < 100:
        return ""
    return f"~{duration(spent * (100 - progress) / progress)} left"


def attempt_note(stage: Mapping[str, Any]) -> str:
    """Which try it is, from the second on."""
    attempt = stage.get("attempt")
    return f" (attempt {attempt})" if isinstance(attempt, int) and attempt > 1 else ""


def stage_board(watched: Watched, now: datetime) -> Group:
    """A row for each stage (name, worker, status, bar, elapsed, left) and for the whole, then what is being said."""
    document = watched.document
    board = Table.grid(padding=(0, 2, 0, 0))
    # Names have no spaces to break at: where the terminal is narrow they lose their ends, and nothing else its place.
    for _ in ("name", "worker"):
        board.add_column(overflow="ellipsis")
    for justify in _JUSTIFIED:
        board.add_column(justify=justify, no_wrap=True)
    for stage in document.get("stages") or []:
        board.add_row(
            plain(_name(stage)),
            plain(stage.get("workerId") or "", "dim"),
            status_text(stage.get("status")).append(attempt_note(stage), "yellow"),
            _bar(stage),
            percent(stage.get("progress")),
            elapsed(stage, now),
            Text(time_left(stage, now), "dim"),
        )
    board.add_row(
        Text("execution", "bold"),
        "",
        status_text(document.get("status")),
        _bar(document),
        percent(document.get("progress")),
        elapsed(document, now),
        Text(_promise(document, now), "dim"),
    )
    return Group(board, *_messages(watched))


def _messages(watched: Watched) -> Iterator[Text]:
    for stage in watched.document.get("stages") or []:
        message = watched.messages.get(stage.get("stageId", ""))
        if message and stage.get("status") == "running":
            line = plain(f"{_name(stage)}: {message}".replace("\n", " "), "dim")
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line


def _name(stage: Mapping[str, Any]) -> str:
    return str(stage.get("name") or stage.get("stageId"))


def _bar(thing: Mapping[str, Any]) -> ProgressBar:
    progress = thing.get("progress")
    return ProgressBar(total=100, completed=progress if isinstance(progress, int | float) else 0, width=_BAR_WIDTH)


def _promise(document: Document, now: datetime) -> str:
    promised = document.get("estimatedCompletionAt")
    return "" if promised is None or document.get("finishedAt") else f"done {when(promised, now)}"


def stage_table(document: Document, now: datetime) -> Table:
    """What became of each stage."""
    table = Table("Stage", "Action", "Worker", "Status", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("Attempt", "Progress", "Took"):
        table.add_column(name, justify="right")
    table.add_column("Error")
    for stage in document.get("stages") or []:
        error = stage.get("error") or {}
        table.add_row(
            plain(_name(stage)),
            plain(stage.get("action") or NOTHING),
            plain(stage.get("workerId") or NOTHING),
            status_text(stage.get("status")),
            plain(stage.get("attempt") or NOTHING),
            percent(stage.get("progress")),
            elapsed(stage, now),
            plain(error.get("message", "") if isinstance(error, Mapping) else error, "red"),
        )
    return table
