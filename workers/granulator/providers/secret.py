"""A key that cannot be printed by accident: it shows itself only where it is asked to.

Neither its text nor its representation, a format or a pickle holds the key; `redacted` takes it out of others' texts.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

_MASK: Final = "[secret]"


class UnusableSecret(ValueError):
    """A key is set but cannot be used; the message names the variable, never what it holds."""


class Secret:
    """One key. Two secrets are never equal, so none can be guessed by comparing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the header it goes into."""
        return self._value

    def redacted(self, text: str) -> str:
        """The text with every occurrence of the key masked, whatever became of its capitals."""
        return re.sub(re.escape(self._value), _MASK, text, flags=re.IGNORECASE)

    def __repr__(self) -> str:
        return "Secret()"

    def __str__(self) -> str:
        return _MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def secret_from(environment: Mapping[str, str], variable: str) -> Secret | None:
    """The key in `variable`, else in the file that `variable`_FILE names; None where neither is set."""
    if given := environment.get(variable):
        return _usable(given, variable)
    if file := environment.get(f"{variable}_FILE"):
        return _usable(_read(Path(file), f"{variable}_FILE"), f"{variable}_FILE")
    return None


def _usable(given: str, source: str) -> Secret:
    value = given.strip()
    if not value or not value.isascii() or not value.isprintable():
        raise UnusableSecret(f"{source} holds no key that an HTTP header can carry")
    return Secret(value)


def _read(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableSecret(f"the file that {source} names cannot be read ({type(error).__name__})") from None
