"""The input of an execution, from an option or from a file.

A `.json` file is the input object itself. A text is the input with its title. Whatever is neither, or is too long for a
request, goes to the server as an artifact, and the input is a document that refers to it.
"""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Final

import click

from protocol.codec import loads
from protocol.errors import ProtocolError

Input = dict[str, Any]

LONGEST_TEXT: Final = 1024 * 1024
"""Bytes of the longest text that goes along in the request itself."""

_LEVELS: Final = ("low", "normal", "high", "critical")
_PERCENT: Final = re.compile(r"[0-9]{1,2}|100")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING: Final = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*?)(?:[ \t]+#+)?[ \t]*")


@dataclass(frozen=True, slots=True)
class FileToUpload:
    """A file that has to be an artifact before anything can be executed with it."""

    file: Path

    @property
    def content_type(self) -> str:
        """What its name says that it is."""
        return guess_type(self.file.name)[0] or "application/octet-stream"

    def input(self, reference: Input) -> Input:
        """The input that refers to it, once it is kept under this reference."""
        return {"documents": [{"name": self.file.name, "artifact": reference}]}


def input_object(data: bytes) -> Input:
    """The JSON object of `data`; raises ValueError for anything else."""
    try:
        document = loads(data)
    except ProtocolError as error:
        raise ValueError(error.message) from error
    if not isinstance(document, dict):
        raise ValueError('the input has to be a JSON object, like {"name": "Ada"}')
    return document


def text_input(text: str, stem: str) -> Input:
    """A text as an input: `text`, and as `title` its first Markdown heading or, without one, `stem`."""
    return {"text": text, "title": first_heading(text) or stem}


def file_input(file: Path) -> Input | FileToUpload:
    """The input that a file is, unless it has to be uploaded; raises OSError, or ValueError for an empty one."""
    with file.open("rb") as opened:
        start = opened.read(LONGEST_TEXT + 1)
    if not start:
        raise ValueError("the file is empty")
    if len(start) > LONGEST_TEXT or b"\0" in start:
        return FileToUpload(file)
    try:
        return text_input(start.decode("utf-8-sig"), file.stem)
    except UnicodeDecodeError:
        return FileToUpload(file)


def first_heading(text: str) -> str | None:
    """The first `# heading` that does not stand in a fenced block of code."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif (found := _HEADING.fullmatch(line)) and found["title"]:
            return found["title"]
    return None


class InputObject(click.ParamType[Input]):
    """A JSON object on the command line."""

    name = "json"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Input:
        try:
            return input_object(value.encode())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class InputFile(click.ParamType[Input | FileToUpload]):
    """A file that is read while the command line is parsed."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Input | FileToUpload:
        file = Path(value)
        try:
            if file.suffix.lower() == ".json":
                return input_object(file.read_bytes().removeprefix(BOM_UTF8))
            return file_input(file)
        except OSError as error:
            self.fail(f"cannot read {file}: {error.strerror}", param, ctx)
        except ValueError as error:
            self.fail(f"{file}: {error}", param, ctx)


class Priority(click.ParamType[str | int]):
    """A named level, or a number from 0 to 100."""

    name = "priority"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        if value in _LEVELS:
            return value
        if not _PERCENT.fullmatch(value):
            self.fail(f"{value!r} is neither one of {', '.join(_LEVELS)} nor a number from 0 to 100", param, ctx)
        return int(value)
