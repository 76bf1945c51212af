"""Rows to learn from and rows to measure with, split once by a seed and kept in one file.

Who trains and who measures read the same file, so no row that was learned from is ever measured with.
"""

import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.training.table import Floats, Ints, Table, UnusableData, check_shape
from workers.training.tensor_file import NoTensorFile, TensorFile


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """`values` is rows by features; `labels` holds the index of each row's class."""

    values: Floats
    labels: Ints

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class SplitTable:
    """A table in two parts. Each class is in both."""

    training: Rows
    held_out: Rows
    classes: tuple[str, ...]

    @property
    def features(self) -> int:
        return int(self.training.values.shape[1])

    def encoded(self) -> bytes:
        """The content of its file."""
        parts = {"training": self.training, "held_out": self.held_out}
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, rows in parts.items():
            arrays |= {f"{name}.values": rows.values, f"{name}.labels": rows.labels}
        return TensorFile(arrays, {"classes": json.dumps(self.classes)}).encoded()

    @classmethod
    def read(cls, path: Path) -> "SplitTable":
        """From its file; raises UnusableData where the file is none of `prepare`'s."""
        try:
            file = TensorFile.read(path)
            classes = tuple(map(str, json.loads(file.word("classes"))))
            parts = [_rows(file, name, len(classes)) for name in ("training", "held_out")]
        except (NoTensorFile, ValueError, TypeError) as error:
            raise UnusableData(f"The dataset was not made by prepare: {error}.") from None
        check_shape(len(parts[0]) + len(parts[1]), parts[0].values.shape[1])
        return cls(parts[0], parts[1], classes)


def split(table: Table, held_out_share: float, seed: int) -> SplitTable:
    """`held_out_share` of each class, rounded up, is held out; but one row of each class is left to learn from."""
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(table.labels), dtype=np.bool_)
    for label in range(len(table.classes)):
        members = random.permutation(np.flatnonzero(table.labels == label))
        held_out[members[: min(ceil(held_out_share * len(members)), len(members) - 1)]] = True
    return SplitTable(
        Rows(table.values[~held_out], table.labels[~held_out]),
        Rows(table.values[held_out], table.labels[held_out]),
        table.classes,
    )


def _rows(file: TensorFile, name: str, classes: int) -> Rows:
    values, labels = file.array(f"{name}.values", np.float32, 2), file.array(f"{name}.labels", np.int32, 1)
    if len(values) != len(labels) or not len(labels):
        raise ValueError(f"its {name} rows and labels do not go together")
    if not np.isfinite(values).all() or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"its {name} rows hold what is no number or no class")
    return Rows(values, labels)
