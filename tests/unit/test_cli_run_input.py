"""What becomes of the input that is given to `baton run`."""

from pathlib import Path

import click
import pytest

from orchestrator.cli.run_input import (
    LONGEST_TEXT,
    FileToUpload,
    InputFile,
    InputObject,
    Priority,
    first_heading,
    text_input,
)


def read(file: Path) -> object:
    return InputFile().convert(str(file), None, None)


def test_a_json_file_is_the_input_itself(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"name": "Žofie"}', encoding="utf-8")

    assert read(file) == {"name": "Žofie"}


def test_a_text_file_is_its_text_with_its_first_heading_as_the_title(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_bytes("\ufeffprose\n\n## A *title* ##\n".encode())

    assert read(file) == {"text": "prose\n\n## A *title* ##\n", "title": "A *title*"}


def test_a_text_without_a_heading_is_titled_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "field notes.txt"
    file.write_text("no heading\n#hashtag\n")

    assert read(file) == {"text": "no heading\n#hashtag\n", "title": "field notes"}


def test_what_looks_like_a_heading_inside_a_fence_is_none() -> None:
    assert first_heading("````\n```\n# not this\n````\n# this\n") == "this"


def test_an_empty_heading_is_passed_over() -> None:
    assert text_input("#\n# second", "stem") == {"text": "#\n# second", "title": "second"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"[1]", "has to be a JSON object"),
        ("a.json", b'{"a": NaN}', "not valid JSON"),
        ("a.json", b'{"a": "\\u0000"}', "U+0000"),
        ("a.json", b"\xff{}", "UTF-8"),
        ("a.txt", b"", "is empty"),
    ],
)
def test_a_file_that_cannot_be_an_input_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(click.BadParameter, match="(?s)" + reason.replace("+", r"\+")):
        read(tmp_path / name)


@pytest.mark.parametrize(("name", "reason"), [("missing.md", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(click.BadParameter, match=reason):
        read(tmp_path / name)


@pytest.mark.parametrize("text", ["", "[]", '"text"', "{", '{"a": 1} x', "null"])
def test_an_input_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        InputObject().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "priority"), [("low", "low"), ("critical", "critical"), ("0", 0), ("75", 75), ("100", 100)]
)
def test_a_priority_is_a_level_or_a_number_up_to_a_hundred(text: str, priority: str | int) -> None:
    assert Priority().convert(text, None, None) == priority


@pytest.mark.parametrize("text", ["101", "-1", "1.5", "", "urgent", "٣"])
def test_any_other_priority_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Priority().convert(text, None, None)


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("paper.pdf", b"%PDF-1.7\n\0", "application/pdf"),
        ("latin.txt", "café".encode("latin-1"), "text/plain"),
        ("long.md", b"a" * (LONGEST_TEXT + 1), "text/markdown"),
        ("unknown", b"\0", "application/octet-stream"),
    ],
)
def test_what_is_no_short_text_is_uploaded_and_referred_to_as_a_document(
    tmp_path: Path, name: str, content: bytes, content_type: str
) -> None:
    (tmp_path / name).write_bytes(content)

    given = read(tmp_path / name)

    assert isinstance(given, FileToUpload)
    assert (given.file, given.content_type) == (tmp_path / name, content_type)
    assert given.input({"sha256": "ab"}) == {"documents": [{"name": name, "artifact": {"sha256": "ab"}}]}
