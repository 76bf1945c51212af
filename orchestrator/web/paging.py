"""Opaque cursors: where the next page of a list begins.

A cursor is the last id of the page before, so a page neither repeats nor misses what was there when the first was read.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from orchestrator.web.refusal import Refused, detail

LONGEST: Final = 300

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


def cursor_after(last_id: str) -> str:
    """The cursor of the page that follows this id."""
    return urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def last_id_of(cursor: str) -> str:
    """The id that `cursor_after` was given; raises `Refused` 400."""
    try:
        # Padding past what is needed is ignored, so there is always enough of it.
        text = urlsafe_b64decode(cursor[:LONGEST] + "===").decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not _ID.fullmatch(text) or cursor_after(text) != cursor:
        raise Refused(
            400, "bad_cursor", "the cursor is not one that a list gave", [detail(("cursor",), "is not known")]
        )
    return text
