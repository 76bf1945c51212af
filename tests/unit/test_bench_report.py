"""What the bench tells: percentiles, tables, plots."""

from xml.etree import ElementTree

import pytest

from tests.bench.report import Cell, Plot, Report, percentiles, shown
from tests.bench.svg import plot_of

SVG = "{http://www.w3.org/2000/svg}"


def a_report(plot: Plot | None = None, faults: tuple[str, ...] = ()) -> Report:
    rows: list[dict[str, Cell]] = [{"how": "a & b", "perSecond": 1234.5}, {"how": "c", "perSecond": 617.25}]
    return Report("made", "what was measured", "fast", rows, notes=("a note",), faults=faults, plot=plot)


def test_a_percentile_is_a_value_that_was_measured_and_the_last_is_the_largest() -> None:
    assert percentiles([float(value) for value in range(1, 201)], 50, 99, 100) == {"p50": 100, "p99": 198, "p100": 200}
    assert percentiles([3.0], 50, 99) == {"p50": 3, "p99": 3}


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "–"), ("x", "x"), (1234567, "1,234,567"), (1234.5, "1,234"), (1.23456, "1.23")]
)
def test_a_number_is_shown_with_as_many_digits_as_say_something(cell: Cell, text: str) -> None:
    assert shown(cell) == text


def test_a_table_aligns_text_to_the_left_and_numbers_to_the_right() -> None:
    assert a_report(faults=("one is lost",)).text() == (
        "made: what was measured\n"
        "  target: fast\n"
        "how    perSecond\n"
        "a & b      1,234\n"
        "c            617\n"
        "  a note\n"
        "FAULT: one is lost\n"
    )


def test_a_plot_has_a_bar_for_each_row_as_long_as_its_number_says() -> None:
    drawn = plot_of(a_report(Plot("perSecond", ("how",))))

    assert drawn is not None
    root = ElementTree.fromstring(drawn)
    _, longest, half = [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect")]
    assert half == pytest.approx(longest / 2, abs=0.1)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts == ["made: perSecond", "a & b", "1,234", "c", "617"]


def test_a_report_without_a_plot_draws_nothing() -> None:
    assert plot_of(a_report()) is None
