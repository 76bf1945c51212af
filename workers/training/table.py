"""A table of numbers with a label to each row: what every source of data is read into.

A table that exists can be trained on: it has two classes at least, each with two rows or more, and only finite numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.training.limits import CLASSES, FEATURES, ROWS, VALUES, TooLarge, at_most

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class UnusableData(Exception):
    """The data cannot be trained on; the text says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`values` is rows by features; `labels` holds for each row the index of its class in `classes`."""

    values: Floats
    labels: Ints
    classes: tuple[str, ...]


def label_rows(values: Floats, labels: list[str]) -> Table:
    """The table of these rows; raises UnusableData. Classes that are all numbers are ordered as numbers."""
    check_shape(*values.shape)
    names = sorted(set(labels), key=_order(set(labels)))
    if len(names) < 2:
        raise UnusableData("All rows have the same label; there is nothing to tell apart.")
    if len(names) > CLASSES:
        raise UnusableData(
            f"There are {len(names):,} different labels, and at most {CLASSES:,} are possible. Are they the labels?"
        )
    index = {name: position for position, name in enumerate(names)}
    table = Table(values, np.array([index[label] for label in labels], dtype=np.int32), tuple(names))
    counts = np.bincount(table.labels, minlength=len(names))
    if counts.min() < 2:
        lonely = names[int(counts.argmin())]
        raise UnusableData(f'The label "{lonely}" has only one row; one to learn from and one to measure are needed.')
    return table


def check_shape(rows: int, features: int) -> None:
    """Raises UnusableData where there is nothing, and where there is too much."""
    if rows == 0 or features == 0:
        raise UnusableData("There are no rows." if rows == 0 else "There are no features beside the labels.")
    try:
        at_most(ROWS, rows=rows)
        at_most(FEATURES, features=features)
        at_most(VALUES, **{"rows times features": rows * features})
    except TooLarge as error:
        raise UnusableData(f"The data is too large: {error}.") from None


def _order(names: set[str]) -> "type[int] | None":
    return int if all(name.lstrip("-").isdecimal() for name in names) else None
