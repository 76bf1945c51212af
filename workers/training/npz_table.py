"""Reads an NPZ archive of the arrays `x` (rows by features) and `y` (a label for each row).

An archive is not trusted: what its arrays say of themselves is checked before their content is unpacked, and pickled
objects are never loaded.
"""

import io
import zipfile
import zlib
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from workers.training.limits import ROWS, VALUES
from workers.training.table import Table, UnusableData, check_shape, label_rows

MAGIC: Final = b"PK\x03\x04"
_LONGEST_LABEL: Final = 200
_NUMBERS: Final = "biuf"
_LABELS: Final = "biufU"
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(content: bytes) -> Table:
    """The table in the archive; raises UnusableData. Further dimensions of `x` are laid out as features."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            values, labels = _array(archive, "x", _NUMBERS), _array(archive, "y", _LABELS)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
        raise UnusableData(f"The NPZ archive cannot be read: {error}.") from None
    if values.ndim < 2:
        raise UnusableData(f"The array x has {values.ndim} dimension; it needs rows and features.")
    if labels.shape != (len(values),):
        raise UnusableData(f"The array y has the shape {labels.shape}; {len(values):,} rows need ({len(values)},).")
    with np.errstate(over="ignore"):
        table = values.reshape(len(values), -1).astype(np.float32)
    faults = np.argwhere(~np.isfinite(table))
    if len(faults):
        row, feature = faults[0]
        raise UnusableData(f"The array x has no finite number in row {row + 1}, feature {feature + 1}.")
    return label_rows(table, [_label(label) for label in labels.tolist()])


def _array(archive: zipfile.ZipFile, name: str, kinds: str) -> NDArray[np.generic]:
    """The array, its shape and type checked before the content is unpacked."""
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError:
        held = ", ".join(sorted(archive.namelist())[:10]) or "nothing"
        raise UnusableData(f"The NPZ archive has no array {name}; it holds {held}.") from None
    with archive.open(member) as stream:
        read_header = _HEADERS.get(npy.read_magic(stream))
        if read_header is None:
            raise UnusableData(f"The array {name} is in a version of the NPY format that is not read here.")
        shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise UnusableData(
            f"The array {name} holds pickled Python objects, which are never loaded. Save it as numbers."
        )
    if dtype.kind not in kinds:
        raise UnusableData(f"The array {name} has the type {dtype}; it must hold numbers{_or_text(kinds)}.")
    _check_declared(name, shape, dtype)
    with archive.open(member) as stream:
        array: NDArray[np.generic] = npy.read_array(stream, allow_pickle=False)
    return array


def _check_declared(name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    if name == "x" and len(shape) >= 2:
        features = 1
        for size in shape[1:]:
            features *= size
        check_shape(shape[0], features)
    count = 1
    for size in shape:
        count *= size
    if count > (VALUES if name == "x" else ROWS) or dtype.itemsize > 4 * _LONGEST_LABEL:
        raise UnusableData(f"The data is too large: the array {name} has the shape {shape} of {dtype}.")


def _or_text(kinds: str) -> str:
    return " or text" if "U" in kinds else ""


def _label(label: object) -> str:
    """A whole number is the same label however it was stored."""
    return str(int(label)) if isinstance(label, bool | float) and label == int(label) else str(label)
