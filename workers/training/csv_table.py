"""Reads a CSV file of numbers and labels.

A fault is told with its line and column, counted from 1, so that it can be found in an editor.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from math import isfinite
from typing import Final

import numpy as np

from workers.training.limits import FEATURES
from workers.training.table import Floats, Table, UnusableData, check_shape, label_rows

LABEL: Final = "label"
"""The column that holds the labels unless another is named; without either it is the last one."""

_DELIMITERS: Final = (",", ";", "\t")
_LONGEST_SHOWN: Final = 40
Line = tuple[int, list[str]]


def read_csv(content: bytes, label_column: str | None) -> Table:
    """The table in a UTF-8 CSV file with comma, semicolon or tab between its cells; raises UnusableData.

    The first line is a header where `label_column` is given, and where none of its cells is a number.
    """
    lines = _lines(_text(content))
    try:
        number, first = next(lines)
    except StopIteration:
        raise UnusableData("The CSV file is empty.") from None
    has_header = label_column is not None or not any(_is_number(cell) for cell in first)
    names = [cell.strip() for cell in first] if has_header else None
    at = _label_position(names, label_column, len(first))
    rows = lines if has_header else chain([(number, first)], lines)
    return _table(rows, len(first), at)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableData(
            f"The file is neither an NPZ archive nor CSV in UTF-8: byte {error.start:,} cannot be read."
        ) from None


def _lines(text: str) -> Iterator[Line]:
    """The lines that are not blank, each with its number."""
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnusableData(f"Line {reader.line_num} is not CSV: {error}.") from None
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _label_position(names: Sequence[str] | None, label_column: str | None, width: int) -> int:
    if width > FEATURES + 1:
        raise UnusableData(f"The data is too large: {width:,} columns; at most {FEATURES:,} features are possible.")
    wanted = label_column or LABEL
    if names is not None and wanted in names:
        return names.index(wanted)
    if label_column is not None:
        columns = ", ".join(_shown(name) for name in (names or ())[:10])
        raise UnusableData(f"There is no column {_shown(label_column)}; the first line names {columns}.")
    return width - 1


def _table(lines: Iterator[Line], width: int, label_at: int) -> Table:
    rows: list[Floats] = []
    labels: list[str] = []
    for number, cells in lines:
        if len(cells) != width:
            raise UnusableData(f"Line {number} has {len(cells)} cells, and the first line has {width}.")
        label = cells.pop(label_at).strip()
        if not label:
            raise UnusableData(f"Line {number} has no label in column {label_at + 1}.")
        labels.append(label)
        rows.append(_numbers(cells, number, label_at))
        check_shape(len(rows), width - 1)
    if not rows:
        raise UnusableData("The CSV file has a header and no rows.")
    return label_rows(np.stack(rows), labels)


def _numbers(cells: list[str], number: int, label_at: int) -> Floats:
    # One conversion for the whole row; only where it fails are the cells looked at, to say which it was.
    with suppress(ValueError), np.errstate(over="ignore"):
        values = np.array([float(cell) for cell in cells], dtype=np.float32)
        if np.isfinite(values).all():
            return values
    for position, cell in enumerate(cells):
        if not _is_number(cell):
            column = position + 1 + (position >= label_at)
            raise UnusableData(f"Line {number}, column {column}: {_shown(cell)} is no number.")
    raise UnusableData(f"Line {number} has a number that is too large for 32 bits.")


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _LONGEST_SHOWN else f'"{text[:_LONGEST_SHOWN]}…"'
