"""Which server a command speaks to, and with which key.

What is given rules (an option, then its environment variable), then what `baton up` left in the data directory, then
the default.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import orjson

DEFAULT_URL: Final = "http://127.0.0.1:8080"

_HEADER_TEXT: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Connection:
    """The server's base URL, and the client's API key where there is one."""

    url: str
    api_key: str | None


def discover(url: str | None, api_key: str | None, data_dir: Path) -> Connection:
    """The connection of a command; raises `click.UsageError` for what cannot be read or cannot be used."""
    address = url or _left_by_up(data_dir / "orchestrator.json", "url") or DEFAULT_URL
    key = api_key or _left_by_up(data_dir / "credentials.json", "apiKey")
    return Connection(_checked_url(address), _checked_key(key))


def _checked_url(address: str) -> str:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise click.UsageError(f"{address!r} is not the URL of a server; one looks like {DEFAULT_URL}")
    return address.rstrip("/")


def _checked_key(key: str | None) -> str | None:
    if key is not None and not _HEADER_TEXT.fullmatch(key):
        raise click.UsageError("the API key holds a space, a line end or a character that is not ASCII")
    return key


def _left_by_up(file: Path, field: str) -> str | None:
    try:
        content = orjson.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise click.UsageError(f"{file} is not JSON: {error}") from error
    found = content.get(field) if isinstance(content, dict) else None
    if not isinstance(found, str) or not found:
        raise click.UsageError(f'{file} has no text "{field}"')
    return found
