"""The input of an execution, from an option or from a file.

A `.json` file is the input object itself; any other file is a text, and the input is that text with its title.
"""

import re
from pathlib import Path
from typing import Any, Final

import click

from protocol.codec import loads
from protocol.errors import ProtocolError

Input = dict[str, Any]

_LEVELS: Final = ("low", "normal", "high", "critical")
_PERCENT: Final = re.compile(r"[0-9]{1,2}|100")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING: Final = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*?)(?:[ \t]+#+)?[ \t]*")


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


class InputFile(click.ParamType[Input]):
    """A file that is read into an input while the command line is parsed."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Input:
        file = Path(value)
        try:
            text = file.read_bytes().decode("utf-8-sig")
            return input_object(text.encode()) if file.suffix.lower() == ".json" else text_input(text, file.stem)
        except OSError as error:
            self.fail(f"cannot read {file}: {error.strerror}", param, ctx)
        except UnicodeDecodeError as error:
            self.fail(f"{file} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}", param, ctx)
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
