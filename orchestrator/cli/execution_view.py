"""An execution for people: where it stands, its stages, and what came of it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.printable import json_text, plain
from orchestrator.cli.stage_view import elapsed, percent, stage_table, status_text
from orchestrator.cli.structure import find_structured
from orchestrator.cli.structure_view import structure_view
from orchestrator.cli.wording import NOTHING, money, when
from orchestrator.client import Document


def execution_view(document: Document, now: datetime) -> RenderableType:
    """All of it: the summary, a table of the stages, the outcome."""
    parts: list[RenderableType] = [_summary(document, now)]
    if document.get("stages"):
        parts += [Text(), stage_table(document, now)]
    return Group(*parts, *_spaced(outcome_view(document)))


def ending_view(document: Document, now: datetime) -> RenderableType:
    """For those who watched it: how it ended, in one line, and the outcome."""
    return Group(ending_line(document, now), *_spaced(outcome_view(document)))


def ending_line(document: Document, now: datetime) -> Text:
    """How it ended, how long it took and what it cost."""
    line = status_text(document.get("status"))
    line.stylize("bold")
    line.append(f" after {elapsed(document, now)}" if document.get("startedAt") else "")
    cost = cost_line(document.get("cost"))
    line.append(f", {cost}" if cost != NOTHING else "")
    return line


def outcome_view(document: Document) -> RenderableType | None:
    """The result, as a tree where it is one; or the error; or None while there is neither."""
    error, result = document.get("error"), document.get("result")
    if error is not None:
        return _error_line(error)
    if result is None:
        return None
    structured = find_structured(result)
    return (
        structure_view(structured)
        if structured is not None
        else Text(json_text(result), no_wrap=True, overflow="ignore")
    )


def cost_line(cost: Any) -> str:
    """`$0.0030, 1,500 tokens`"""
    if not isinstance(cost, Mapping):
        return NOTHING
    words = [money(cost["costUsd"])] if cost.get("costUsd") is not None else []
    tokens = cost.get("tokens")
    words += [f"{tokens:,} tokens"] if isinstance(tokens, int) else []
    return ", ".join(words) or NOTHING


def _summary(document: Document, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    template, version = document.get("template") or NOTHING, document.get("version")
    rows: list[tuple[str, Text]] = [
        ("Execution", plain(document.get("executionId"))),
        ("Template", plain(f"{template}, version {version}" if version is not None else template)),
        ("Status", status_text(document.get("status"))),
        ("Progress", Text(percent(document.get("progress")))),
        ("Stage", plain(document.get("currentStage") or NOTHING)),
        ("Created", plain(when(document.get("createdAt"), now))),
        ("Took" if document.get("finishedAt") else "Running for", plain(elapsed(document, now))),
        ("Cost", plain(cost_line(document.get("cost")))),
    ]
    for name, text in rows:
        grid.add_row(Text(name, "bold"), text)
    return grid


def _error_line(error: Any) -> Text:
    if not isinstance(error, Mapping):
        return plain(error, "red")
    message, code = error.get("message") or "no reason was given", error.get("code")
    return plain(f"{message} ({code})" if code else message, "red")


def _spaced(view: RenderableType | None) -> list[RenderableType]:
    return [] if view is None else [Text(), view]
