"""A bar chart as SVG: horizontal bars, each with its label and its number. No library, no script, no style sheet."""

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from tests.bench.report import Report, shown

WIDTH: Final = 720
LABEL_WIDTH: Final = 260
NUMBER_WIDTH: Final = 90
BAR_HEIGHT: Final = 18
STEP: Final = 26
TOP: Final = 40
COLOUR: Final = "#4a7ebb"


def plot_of(report: Report) -> str | None:
    """The report's plot as an SVG document, or None if it has none."""
    plot = report.plot
    if plot is None:
        return None
    bars = [
        (" ".join(shown(row[label]) for label in plot.labels), float(row[plot.column] or 0.0)) for row in report.rows
    ]
    return bar_chart(f"{report.name}: {plot.column}", bars)


def bar_chart(title: str, bars: Sequence[tuple[str, float]]) -> str:
    """Bars from the left, the longest as long as there is room for; values are 0 or more."""
    longest = max((value for _, value in bars), default=0.0) or 1.0
    height = TOP + STEP * len(bars) + 10
    drawn = "".join(
        _bar(TOP + STEP * place, label, value, (WIDTH - LABEL_WIDTH - NUMBER_WIDTH) * value / longest)
        for place, (label, value) in enumerate(bars)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="10" y="22" font-weight="bold">{escape(title)}</text>\n{drawn}</svg>\n'
    )


def _bar(top: int, label: str, value: float, length: float) -> str:
    middle = top + BAR_HEIGHT - 5
    return (
        f'<text x="{LABEL_WIDTH - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>\n'
        f'<rect x="{LABEL_WIDTH}" y="{top}" width="{max(length, 1):.1f}" height="{BAR_HEIGHT}" fill="{COLOUR}"/>\n'
        f'<text x="{LABEL_WIDTH + length + 6:.1f}" y="{middle}">{escape(shown(value))}</text>\n'
    )
