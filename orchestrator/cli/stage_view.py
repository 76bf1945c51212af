"""The stages of an execution: as rows with bars while it is watched, as a table afterwards. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, JustifyMethod, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.printable import plain
from orchestrator.cli.wording import NOTHING, duration, milliseconds_between
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


def time_left(thing: Mapping[str, Any], now: datetime) -> str:
    """What is left of the worker's estimate, else what the pace so far comes to; nothing for what is not at work."""
    spent, progress = milliseconds_between(thing.get("startedAt"), now), thing.get("progress")
    if not _is_at_work(thing) or not spent:
        return ""
    estimate = thing.get("estimatedCompletionMs")
    if isinstance(estimate, int | float) and estimate > spent:
        return f"~{duration(estimate - spent)} left"
    if isinstance(progress, int | float) and 0 < progress < 100:
        return f"~{duration(spent * (100 - progress) / progress)} left"
    return ""


def ratios(stage: Mapping[str, Any]) -> str:
    """`1.08, tokens 0.97, cost 0.90`: what the stage took for each unit that was estimated."""
    known = stage.get("ratio") or {}
    named = (("ms", ""), ("tokens", "tokens "), ("costUsd", "cost "))
    said = [f"{name}{known[unit]:.2f}" for unit, name in named if isinstance(known.get(unit), int | float)]
    return ", ".join(said) or NOTHING


def attempt_note(stage: Mapping[str, Any]) -> str:
    """Which try it is, from the second on."""
    attempt = stage.get("attempt")
    return f" (attempt {attempt})" if isinstance(attempt, int) and attempt > 1 else ""


def stage_board(executions: Iterable[tuple[str, Document]], now: datetime) -> Group:
    """For each execution a row for each stage (name, worker, status, bar, elapsed, left) and one for the whole.

    Several have names, which stand for the whole. Below them all is what is being said.
    """
    board = Table.grid(padding=(0, 2, 0, 0))
    # Names have no spaces to break at: where the terminal is narrow they lose their ends, and nothing else its place.
    for _ in ("name", "worker"):
        board.add_column(overflow="ellipsis")
    for justify in _JUSTIFIED:
        board.add_column(justify=justify, no_wrap=True)
    said: list[Text] = []
    for name, document in executions:
        stages = document.get("stages") or []
        for stage in stages:
            board.add_row(plain(_name(stage)), plain(stage.get("workerId") or "", "dim"), *_standing(stage, now))
        board.add_row(plain(name or "execution", "bold"), "", *_standing(document, now), end_section=bool(name))
        said += [_message(stage) for stage in stages if stage.get("message") and _is_at_work(stage)]
    return Group(board, *said)


def _standing(thing: Mapping[str, Any], now: datetime) -> tuple[RenderableType, ...]:
    progress = thing.get("progress")
    return (
        status_text(thing.get("status")).append(attempt_note(thing), "yellow"),
        ProgressBar(total=100, completed=progress if isinstance(progress, int | float) else 0, width=_BAR_WIDTH),
        percent(progress),
        elapsed(thing, now),
        Text(time_left(thing, now), "dim"),
    )


def _estimated(stage: Mapping[str, Any]) -> str:
    expected = (stage.get("estimate") or {}).get("ms")
    return duration(expected) if isinstance(expected, int | float) else NOTHING


def _message(stage: Mapping[str, Any]) -> Text:
    line = plain(f"{_name(stage)}: {stage['message']}".replace("\n", " "), "dim")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _is_at_work(thing: Mapping[str, Any]) -> bool:
    return thing.get("status") == "running"


def _name(stage: Mapping[str, Any]) -> str:
    return str(stage.get("name") or stage.get("stageId"))


def stage_table(document: Document, now: datetime) -> Table:
    """What became of each stage."""
    table = Table("Stage", "Action", "Worker", "Status", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("Attempt", "Progress", "Took", "Estimate", "Ratio"):
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
            _estimated(stage),
            ratios(stage),
            plain(error.get("message", "") if isinstance(error, Mapping) else error, "red"),
        )
    return table
