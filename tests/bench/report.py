"""What a measurement found, as a value: a table for people, one line of JSON for programs, a plot for the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars of one column over another: which column is drawn, and which ones name a bar."""

    column: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`rows` have the same names in each, units in the names. `faults` are what verification found: none if right."""

    name: str
    title: str
    target: str
    rows: Sequence[Mapping[str, Cell]]
    notes: Sequence[str] = ()
    faults: Sequence[str] = ()
    plot: Plot | None = None

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "measure": self.name,
            "title": self.title,
            "target": self.target,
            "rows": [dict(row) for row in self.rows],
            "notes": list(self.notes),
            "faults": list(self.faults),
        }

    def text(self) -> str:
        """As a terminal has it: columns aligned, numbers to the right."""
        names = list(self.rows[0])
        cells = [names, *([shown(row[name]) for name in names] for row in self.rows)]
        widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
        is_text = [isinstance(self.rows[0][name], str) for name in names]
        lines = [
            "  ".join(
                cell.ljust(width) if text else cell.rjust(width)
                for cell, width, text in zip(line, widths, is_text, strict=True)
            ).rstrip()
            for line in cells
        ]
        notes = [f"  {note}" for note in self.notes]
        faults = [f"FAULT: {fault}" for fault in self.faults]
        return "\n".join([f"{self.name}: {self.title}", f"  target: {self.target}", *lines, *notes, *faults]) + "\n"

    def markdown(self) -> str:
        """As RESULTS.md has it."""
        names = list(self.rows[0])
        table = [f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
        table += [f"| {' | '.join(shown(row[name]) for name in names)} |" for row in self.rows]
        told = [f"- {line}" for line in (*self.notes, *(f"**Fault**: {fault}" for fault in self.faults))]
        return "\n".join([f"## {self.name}: {self.title}", "", f"Target: {self.target}.", "", *table, "", *told]) + "\n"


def shown(cell: Cell) -> str:
    """A number with as many digits as say something."""
    match cell:
        case None:
            return "–"
        case str():
            return cell
        case int():
            return f"{cell:,}"
        case _ if abs(cell) >= 100:
            return f"{cell:,.0f}"
        case _:
            return f"{cell:.3g}"


def percentiles(values: Sequence[float], *places: int) -> dict[str, float]:
    """`p50` and so on of the values, by nearest rank."""
    ordered = sorted(values)
    return {f"p{place}": ordered[max(0, -(-len(ordered) * place // 100) - 1)] for place in places}
