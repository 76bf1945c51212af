"""Text from outside, made fit for a terminal.

What workers and templates say is theirs to choose; none of it may move the cursor, colour the line or retitle the
window. Pure.
"""

import json
import re
from typing import Any, Final

from rich.text import Text

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text without control characters and bidirectional overrides; tabs and line ends stay."""
    return _CONTROLS.sub("", text)


def plain(text: Any, style: str = "") -> Text:
    """The text as it is: no markup is read out of it."""
    return Text(printable(str(text)), style=style)


def json_text(value: Any) -> str:
    """A JSON value, indented, on lines that a terminal shows as they are."""
    return printable(json.dumps(value, ensure_ascii=False, indent=2))
