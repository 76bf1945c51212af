"""The one spelling of an e-mail address under which a user is kept."""

import re
import unicodedata
from typing import Final

MAX_LENGTH: Final = 254
"""RFC 5321's limit of a path, without its brackets."""

_SHAPE: Final = re.compile(r"[^\s@\x00-\x1f\x7f\ud800-\udfff]+@[^\s@\x00-\x1f\x7f\ud800-\udfff]+")


class NotAnAddress(ValueError):
    """No e-mail address has this form."""


def normalised(email: str) -> str:
    """Trimmed, in Unicode's composed form (NFC), lower case; raises `NotAnAddress`.

    Only the shape is checked, name@host: whether mail arrives there only mail can tell.
    """
    address = unicodedata.normalize("NFC", email.strip().lower())
    if len(address) > MAX_LENGTH or not _SHAPE.fullmatch(address):
        raise NotAnAddress("an e-mail address looks like name@host")
    return address
