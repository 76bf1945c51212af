"""JSON documents of any shape, readable: fields as lines, lists of objects as tables. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.cli.printable import plain
from orchestrator.cli.wording import NOTHING, heading, value


def fields_view(document: Mapping[str, Any], now: datetime) -> Group:
    """The simple fields side by side with their headings, then what is nested, below its own heading."""
    nested = {name: content for name, content in document.items() if _is_nested(content)}
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, content in document.items():
        if name not in nested:
            grid.add_row(Text(heading(name), "bold"), plain(value(name, content, now)))
    parts: list[RenderableType] = [grid] if grid.row_count else []
    for name, content in nested.items():
        view = fields_view(content, now) if isinstance(content, Mapping) else rows_view(content, now)
        parts += [Text(heading(name), "bold underline"), Padding(view, (0, 0, 0, 2))]
    return Group(*parts)


def rows_view(rows: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    """A table of the fields that any row fills, in the order in which the rows have them."""
    filled = {name: any(row.get(name) not in (None, "", [], {}) for row in rows) for row in rows for name in row}
    names = [name for name, is_filled in filled.items() if is_filled]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        amounts = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(heading(name), justify="right" if amounts else "left")
    for row in rows:
        table.add_row(*(plain(value(name, row.get(name), now)) if name in row else NOTHING for name in names))
    return table


def _is_nested(content: Any) -> bool:
    match content:
        case Mapping():
            return bool(content)
        case [*items]:
            return bool(items) and all(isinstance(item, Mapping) for item in items)
        case _:
            return False
