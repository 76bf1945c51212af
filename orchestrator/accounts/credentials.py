"""The first credentials: what the environment gives, else what the data directory keeps, else newly made ones.

Invariant: no default is ever published, and a secret that is generated is on the disk before it is in the database.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import structlog

from orchestrator.accounts.accounts import SECRET_BYTES, new_api_key
from orchestrator.accounts.digest import digest
from orchestrator.accounts.email import NotAnAddress, normalised
from orchestrator.accounts.passwords import Passwords
from orchestrator.accounts.principal import EVERY_SCOPE, Role
from orchestrator.core.seams import Ids, Random
from orchestrator.store.accounts import AccountTables
from orchestrator.store.private_file import write_private

FILE: Final = "credentials.json"
FIRST_CLIENT: Final = "default"
FIRST_ADMIN: Final = "admin@localhost"
SHORT: Final = 16
"""Characters; a shorter secret can be guessed."""

_VARIABLES: Final[Mapping[str, str]] = {
    "apiKey": "BATON_API_KEY",
    "workerSecret": "WORKER_SECRET",
    "adminEmail": "BATON_ADMIN_EMAIL",
    "adminPassword": "BATON_ADMIN_PASSWORD",
}

log = structlog.get_logger()


class CredentialsRefused(Exception):
    """A credential that was given cannot be used; the message names where it stands, never what it is."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a first caller needs. The password is None if the admin was there already and nobody here knows it."""

    admin_email: str
    api_key: str = field(repr=False)
    worker_secret: str = field(repr=False)
    admin_password: str | None = field(repr=False)


async def first_credentials(
    data_dir: Path,
    environ: Mapping[str, str],
    tables: AccountTables,
    passwords: Passwords,
    ids: Ids,
    random: Random,
) -> Credentials:
    """The credentials in use, each of them in the database by now.

    BATON_API_KEY, WORKER_SECRET, BATON_ADMIN_EMAIL and BATON_ADMIN_PASSWORD, or the text of the file that
    `<variable>_FILE` names, come first; then `credentials.json` of the data directory; what neither has is generated
    and written there. A key or secret that is new to the database is added: those before it stay valid. Replicas that
    share a database but no data directory must be given the same WORKER_SECRET, or workers know only one of them.
    Raises `CredentialsRefused`.
    """
    given = await asyncio.to_thread(_given, environ)
    path = data_dir / FILE
    async with tables.first_start():
        kept = await asyncio.to_thread(_read, path)
        known = kept | given
        fresh = await _generated(known, tables, random)
        if fresh:
            await asyncio.to_thread(_write, path, kept | fresh)
            log.info("credentials.generated", names=sorted(fresh), file=str(path))
        credentials = _checked(known | fresh)
        await _create(credentials, tables, passwords, ids)
    return credentials


async def _generated(known: Mapping[str, str], tables: AccountTables, random: Random) -> dict[str, str]:
    """What `known` lacks. An admin who is there already gets no password: it is not ours to change."""
    fresh: dict[str, str] = {}
    if "apiKey" not in known:
        fresh["apiKey"] = new_api_key(random)
    if "workerSecret" not in known:
        fresh["workerSecret"] = random.token(SECRET_BYTES)
    if "adminEmail" not in known:
        fresh["adminEmail"] = await tables.first_admin() or FIRST_ADMIN
    if "adminPassword" not in known:
        email = _address(known.get("adminEmail") or fresh["adminEmail"])
        if await tables.user_by_email(email) is None:
            fresh["adminPassword"] = random.token(SECRET_BYTES)
    return fresh


def _checked(settled: Mapping[str, str]) -> Credentials:
    secret = settled["workerSecret"]
    # The orchestrator shows it to workers too, in a header.
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise CredentialsRefused("WORKER_SECRET holds characters that an HTTP header cannot carry")
    for name in ("apiKey", "workerSecret"):
        if len(settled[name]) < SHORT:
            log.warning("credentials.short", name=_VARIABLES[name], advised_characters=SHORT)
    return Credentials(
        admin_email=_address(settled["adminEmail"]),
        api_key=settled["apiKey"],
        worker_secret=secret,
        admin_password=settled.get("adminPassword"),
    )


async def _create(credentials: Credentials, tables: AccountTables, passwords: Passwords, ids: Ids) -> None:
    client_id = await tables.first_client(ids.new("client"), FIRST_CLIENT)
    key = await tables.add_key(ids.new("key"), digest(credentials.api_key), client_id, "first", EVERY_SCOPE)
    if key.revoked_at is not None:
        log.warning("credentials.api_key_revoked", key_id=key.key_id, remedy="give another BATON_API_KEY")
    await tables.add_worker_secret(digest(credentials.worker_secret))
    if credentials.admin_password is not None and await tables.user_by_email(credentials.admin_email) is None:
        password_hash = await passwords.hash(credentials.admin_password)
        await tables.add_user(ids.new("user"), client_id, credentials.admin_email, password_hash, Role.ADMIN)


def _address(email: str) -> str:
    try:
        return normalised(email)
    except NotAnAddress as error:
        raise CredentialsRefused(f"BATON_ADMIN_EMAIL: {error}") from error


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment gives, by its name in the file; an empty variable is not set."""
    given = {}
    for name, variable in _VARIABLES.items():
        if value := environ.get(variable):
            given[name] = value
        elif file := environ.get(f"{variable}_FILE"):
            given[name] = _text(Path(file), f"{variable}_FILE")
    return given


def _text(path: Path, variable: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsRefused(f"{variable}: {path} cannot be read: {type(error).__name__}") from None
    if not text:
        raise CredentialsRefused(f"{variable}: {path} is empty")
    return text


def _read(path: Path) -> dict[str, str]:
    """The file's four texts, as far as it has them; nothing if there is no file."""
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CredentialsRefused(f"{path} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise CredentialsRefused(f"{path} is not JSON; mend it, or move it away to get new credentials") from error
    if not isinstance(content, dict):
        raise CredentialsRefused(f"{path} is not a JSON object")
    for name, value in content.items():
        if name not in _VARIABLES or not isinstance(value, str) or not value:
            raise CredentialsRefused(f"{path}: {name!r} is none of {', '.join(_VARIABLES)}, or no text")
    return content


def _write(path: Path, content: Mapping[str, str]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise CredentialsRefused(f"{path} cannot be written: {error.strerror}") from error
