"""The tables clients, api_keys, users, user_sessions and worker_secrets; secrets reach them as SHA-256 digests only."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg

from orchestrator.store.database import Database
from orchestrator.store.statements import statements

Status = Literal["active", "suspended"]


class UnknownClient(Exception):
    """There is no client of that id."""


@dataclass(frozen=True, slots=True)
class Client:
    """A tenant."""

    client_id: str
    name: str
    status: Status
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key after its creation: everything but the key."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key or a session stands for: a key has scopes, a session has a user with a role."""

    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    user_id: str | None
    role: str | None


@dataclass(frozen=True, slots=True)
class User:
    """A user as a login needs it. `is_active` takes its client into account."""

    user_id: str
    client_id: str
    client_name: str
    role: str
    is_active: bool
    password_hash: str = field(repr=False)


class AccountTables:
    """Reads and writes the account tables; a row of what is suspended, revoked or expired identifies nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("accounts")

    @asynccontextmanager
    async def first_start(self) -> AsyncIterator[None]:
        """Inside the block no other replica is in one."""
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(self._sql["first_start"])
            yield

    async def by_key(self, key_hash: bytes) -> Caller | None:
        return _caller(await self._row("by_key", key_hash))

    async def by_session(self, token_hash: bytes) -> Caller | None:
        return _caller(await self._row("by_session", token_hash))

    async def worker_secret_since(self, secret_hash: bytes) -> datetime | None:
        """When the secret was added; None if it was not."""
        row = await self._row("worker_secret_since", secret_hash)
        return row["created_at"] if row else None

    async def add_worker_secret(self, secret_hash: bytes) -> None:
        """Do nothing if it is there already."""
        await self._row("add_worker_secret", secret_hash)

    async def add_client(self, client_id: str, name: str) -> Client | None:
        """None if the name is taken."""
        row = await self._row("add_client", client_id, name)
        return Client(*row) if row else None

    async def first_client(self, client_id: str, name: str) -> str:
        """The id of the client of that name, which is made if there is none."""
        found: str = (await self._row("first_client", client_id, name))["client_id"]
        return found

    async def client_named(self, name: str) -> Client | None:
        row = await self._row("client_named", name)
        return Client(*row) if row else None

    async def clients(self) -> list[Client]:
        """All of them, oldest first."""
        return [Client(*row) for row in await self._rows("clients")]

    async def set_client_status(self, client_id: str, status: Status) -> bool:
        """Whether there is such a client."""
        return await self._row("set_client_status", client_id, status) is not None

    async def add_key(self, key_id: str, key_hash: bytes, client_id: str, name: str, scopes: Iterable[str]) -> ApiKey:
        """The key as it stands now: one that was there already is not changed; raises `UnknownClient`."""
        return _api_key(
            await self._row_of_client(client_id, "add_key", key_id, key_hash, client_id, name, sorted(scopes))
        )

    async def keys(self, client_id: str) -> list[ApiKey]:
        """The client's keys, revoked ones too, oldest first."""
        return [_api_key(row) for row in await self._rows("keys", client_id)]

    async def revoke_key(self, client_id: str, key_id: str) -> bytes | None:
        """The hash of the key that is now revoked; None if the client has no such key."""
        row = await self._row("revoke_key", client_id, key_id)
        return row["key_hash"] if row else None

    async def add_user(self, user_id: str, client_id: str, email: str, password_hash: str, role: str) -> bool:
        """False if the e-mail address is taken; raises `UnknownClient`."""
        row = await self._row_of_client(client_id, "add_user", user_id, client_id, email, password_hash, role)
        return row is not None

    async def user_by_email(self, email: str) -> User | None:
        row = await self._row("user_by_email", email)
        if row is None:
            return None
        return User(
            user_id=row["user_id"],
            client_id=row["client_id"],
            client_name=row["name"],
            role=row["role"],
            is_active=row["is_active"],
            password_hash=row["password_hash"],
        )

    async def first_admin(self) -> str | None:
        """The e-mail address of the oldest user who is an admin."""
        row = await self._row("first_admin")
        return row["email"] if row else None

    async def set_user_status(self, user_id: str, status: Status) -> bool:
        """Whether there is such a user."""
        return await self._row("set_user_status", user_id, status) is not None

    async def rehash_password(self, user_id: str, verified_hash: str, new_hash: str) -> None:
        await self._row("rehash_password", user_id, verified_hash, new_hash)

    async def add_session(self, token_hash: bytes, user_id: str, life: timedelta) -> datetime:
        """When it expires, by the database's clock."""
        expires_at: datetime = (await self._row("add_session", token_hash, user_id, life))["expires_at"]
        return expires_at

    async def remove_session(self, token_hash: bytes) -> None:
        await self._row("remove_session", token_hash)

    async def _row_of_client(self, client_id: str, statement: str, *arguments: Any) -> Any:
        try:
            return await self._row(statement, *arguments)
        except asyncpg.ForeignKeyViolationError as error:
            raise UnknownClient(f"there is no client {client_id}") from error

    async def _row(self, statement: str, *arguments: Any) -> Any:
        async with self._database.acquire() as connection:
            return await connection.fetchrow(self._sql[statement], *arguments)

    async def _rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self._database.acquire() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(self._sql[statement], *arguments)
        return rows


def _caller(row: asyncpg.Record | None) -> Caller | None:
    if row is None:
        return None
    return Caller(row["client_id"], row["name"], tuple(row["scopes"] or ()), row["user_id"], row["role"])


def _api_key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(row["key_id"], row["name"], tuple(row["scopes"]), row["created_at"], row["revoked_at"])
