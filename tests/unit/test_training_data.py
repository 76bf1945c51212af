"""The training worker's data: what is read from CSV and NPZ files, what is refused, and how rows are held out."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workers.training import limits
from workers.training.csv_table import read_csv
from workers.training.dataset import SplitTable, split
from workers.training.digits import digits
from workers.training.npz_table import read_npz
from workers.training.table import Table, UnusableData

CSV = b"a,label,b\n1,cat,2\n3,dog,4\n\n5,cat,6\n7,dog,8\n"


def read(content: bytes, label_column: str | None = None) -> tuple[list[list[float]], list[str]]:
    """Values, and the label of each row by its name."""
    return shown(read_csv(content, label_column))


def shown(table: Table) -> tuple[list[list[float]], list[str]]:
    return table.values.tolist(), [table.classes[label] for label in table.labels]


def an_npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def test_a_csv_file_is_read_by_its_header_and_blank_lines_are_skipped() -> None:
    assert read(CSV) == ([[1, 2], [3, 4], [5, 6], [7, 8]], ["cat", "dog", "cat", "dog"])


def test_any_column_may_hold_the_labels() -> None:
    assert read(b"kind,a\n0,5\n1,6\n0,7\n1,8\n", "kind") == ([[5], [6], [7], [8]], ["0", "1", "0", "1"])


def test_without_a_header_the_last_column_holds_the_labels() -> None:
    assert read(b"1,2,x\n3,4,y\n5,6,x\n7,8,y\n") == ([[1, 2], [3, 4], [5, 6], [7, 8]], ["x", "y", "x", "y"])


def test_classes_that_are_numbers_are_ordered_as_numbers_and_others_as_text() -> None:
    numbers = read_csv(b"1,10\n2,9\n3,10\n4,9\n", None)
    words = read_csv(b"1,b\n2,10\n3,b\n4,10\n", None)

    assert (numbers.classes, words.classes) == (("9", "10"), ("10", "b"))


@pytest.mark.parametrize("delimiter", [b";", b"\t"])
def test_semicolons_and_tabs_part_cells_as_well_and_a_byte_order_mark_is_no_text(delimiter: bytes) -> None:
    assert read(b"\xef\xbb\xbf" + CSV.replace(b",", delimiter)) == read(CSV)


@pytest.mark.parametrize(
    ("content", "label_column", "message"),
    [
        (b"", None, "The CSV file is empty."),
        (b"\n \n", None, "The CSV file is empty."),
        (b"a,b,label\n", None, "The CSV file has a header and no rows."),
        (b"1,2,x\n3,4,5,y\n", None, "Line 2 has 4 cells, and the first line has 3."),
        (b"a,label\n1,x\n\n2\n", None, "Line 4 has 1 cells, and the first line has 2."),
        (b"a,label,b\n1,x,2\n3,y,four\n", None, 'Line 3, column 3: "four" is no number.'),
        (b"1,2,x\n,4,y\n", None, 'Line 2, column 1: "" is no number.'),
        (b"1,2,x\nnan,4,y\n", None, 'Line 2, column 1: "nan" is no number.'),
        (b"1,2,x\n1e39,4,y\n", None, "Line 2 has a number that is too large for 32 bits."),
        (b"a,label,b\n1,,2\n", None, "Line 2 has no label in column 2."),
        (b"a,b\n1,2\n", "kind", 'There is no column "kind"; the first line names "a", "b".'),
        (b"x\ny\n", None, "There are no features beside the labels."),
        (b"1,x\n2,x\n", None, "All rows have the same label; there is nothing to tell apart."),
        (
            b"1,x\n2,x\n3,y\n",
            None,
            'The label "y" has only one row; one to learn from and one to measure are needed.',
        ),
        (b'1,"x\n', None, "Line 1 is not CSV: unexpected end of data."),
        (
            b"1,\xe9\n",
            None,
            "The file is neither an NPZ archive nor CSV in UTF-8: byte 2 cannot be read.",
        ),
        (
            b"\n".join(b"%d,%d" % (row, row) for row in range(1_001)),
            None,
            "There are 1,001 different labels, and at most 1,000 are possible. Are they the labels?",
        ),
        (
            b",".join([b"1"] * 5_000),
            None,
            "The data is too large: 5,000 columns; at most 4,096 features are possible.",
        ),
    ],
)
def test_a_csv_file_that_cannot_be_used_is_refused_with_the_place(
    content: bytes, label_column: str | None, message: str
) -> None:
    with pytest.raises(UnusableData) as refused:
        read_csv(content, label_column)

    assert str(refused.value) == message


def test_a_csv_file_of_too_many_rows_is_refused_when_the_limit_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.training.table.ROWS", 3)

    with pytest.raises(UnusableData, match=r"^The data is too large: rows is 4; this worker takes at most 3\.$"):
        read_csv(b"1,x\n2,y\n3,x\n4,y\nno number,x\n", None)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "a", "b"]),
        np.array([3, 7, 3, 7]),
        np.array([3.0, 7.0, 3.0, 7.0]),
        np.array([True, False] * 2),
    ],
)
def test_an_npz_archive_is_read_with_labels_of_any_plain_type(labels: Any) -> None:
    table = read_npz(an_npz(x=np.arange(16).reshape(4, 2, 2), y=labels))

    assert table.values.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert len(table.classes) == 2
    assert table.labels[0] == table.labels[2] != table.labels[1] == table.labels[3]


def test_whole_numbers_are_the_same_classes_in_any_form() -> None:
    x = np.zeros((4, 1))

    assert read_npz(an_npz(x=x, y=np.array([1.0, 2.0] * 2))).classes == ("1", "2")
    assert read_npz(an_npz(x=x, y=np.array([1, 2] * 2))).classes == ("1", "2")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((4, 2))}, "The NPZ archive has no array y; it holds x.npy."),
        ({"y": np.zeros(4)}, "The NPZ archive has no array x; it holds y.npy."),
        (
            {"x": np.array([[1, "a"], [2, None]], dtype=object), "y": np.array([0, 1])},
            "The array x holds pickled Python objects, which are never loaded. Save it as numbers.",
        ),
        ({"x": np.array([["a"], ["b"]]), "y": np.array([0, 1])}, "The array x has the type <U1; it must hold numbers."),
        ({"x": np.zeros(4), "y": np.zeros(4)}, "The array x has 1 dimension; it needs rows and features."),
        ({"x": np.zeros((4, 2)), "y": np.zeros(3)}, "The array y has the shape (3,); 4 rows need (4,)."),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "There are no rows."),
        (
            {"x": np.array([[1.0], [np.inf]]), "y": np.array([0, 1])},
            "The array x has no finite number in row 2, feature 1.",
        ),
        (
            {"x": np.zeros((1, 5_000)), "y": np.zeros(1)},
            "The data is too large: features is 5,000; this worker takes at most 4,096.",
        ),
        (
            {"x": np.zeros((2, 1)), "y": np.array(["a" * 5_000, "b"])},
            "The data is too large: the array y has the shape (2,) of <U5000.",
        ),
    ],
)
def test_an_npz_archive_that_cannot_be_used_is_refused_with_the_reason(arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableData) as refused:
        read_npz(an_npz(**arrays))

    assert str(refused.value) == message


def test_an_npz_archive_that_says_it_is_huge_is_refused_without_being_unpacked() -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 1_000)})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("x.npy", header.getvalue())

    with pytest.raises(UnusableData, match=r"^The data is too large: rows is 1,000,000,000; "):
        read_npz(content.getvalue())


@pytest.mark.parametrize("cut", [5, 60, -30])
def test_a_damaged_npz_archive_is_refused(cut: int) -> None:
    with pytest.raises(UnusableData, match=r"^The NPZ archive cannot be read: "):
        read_npz(an_npz(x=np.zeros((4, 2)), y=np.zeros(4))[:cut])


def test_the_digits_are_1797_rows_of_64_features_in_ten_classes() -> None:
    table = digits()

    assert (table.values.shape, table.classes) == ((1_797, 64), tuple("0123456789"))
    assert (table.values.min(), table.values.max()) == (0, 16)


def test_every_row_is_either_learned_from_or_held_out_and_every_class_is_in_both() -> None:
    table = Table(
        np.arange(43, dtype=np.float32).reshape(-1, 1), np.array([0] * 40 + [1] * 3, dtype=np.int32), ("a", "b")
    )

    parts = split(table, 0.2, seed=1)

    assert sorted([*parts.training.values[:, 0], *parts.held_out.values[:, 0]]) == list(range(43))
    assert np.bincount(parts.held_out.labels).tolist() == [8, 1]
    assert all((row >= 40) == label for part in (parts.training, parts.held_out) for row, label in pairs(part))


def pairs(rows: Any) -> list[tuple[float, int]]:
    return list(zip(rows.values[:, 0], rows.labels, strict=True))


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_row_of_each_class_stays_on_both_sides_whatever_the_share(share: float) -> None:
    parts = split(digits(), share, seed=0)

    assert np.bincount(parts.training.labels, minlength=10).min() >= 1
    assert np.bincount(parts.held_out.labels, minlength=10).min() >= 1


def test_the_seed_alone_decides_which_rows_are_held_out() -> None:
    first, again, other = (split(digits(), 0.2, seed).encoded() for seed in (1, 1, 2))

    assert first == again != other


def test_a_split_table_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    parts = split(read_csv(CSV, None), 0.5, seed=3)
    (tmp_path / "file").write_bytes(parts.encoded())

    back = SplitTable.read(tmp_path / "file")

    assert back.classes == ("cat", "dog")
    assert back.encoded() == parts.encoded()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff" * 100])
def test_a_file_that_is_no_prepared_dataset_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(UnusableData, match=r"^The dataset was not made by prepare: it is no safetensors file: "):
        SplitTable.read(tmp_path / "file")


def test_a_limit_is_told_with_what_is_over_it() -> None:
    with pytest.raises(limits.TooLarge, match=r"^epochs is 1,001; this worker takes at most 1,000$"):
        limits.at_most(limits.EPOCHS, epochs=1_001)
