"""Clients, their keys and users, and the sessions of users: made, ended, suspended."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from orchestrator.accounts.authenticator import Authenticator
from orchestrator.accounts.digest import digest
from orchestrator.accounts.email import NotAnAddress, normalised
from orchestrator.accounts.passwords import Passwords
from orchestrator.accounts.principal import ROLE_SCOPES, ClientPrincipal, Role, Scope
from orchestrator.accounts.throttle import Throttle
from orchestrator.core.seams import Clock, Ids, Random
from orchestrator.store.accounts import AccountTables, ApiKey, Client, Status

SESSION_LIFE: Final = timedelta(hours=24)
SECRET_BYTES: Final = 32
MIN_PASSWORD: Final = 8
"""Characters; the shortest that NIST SP 800-63B allows."""


class Taken(Exception):
    """Another client has that name, or another user that e-mail address."""


class WeakPassword(ValueError):
    """The password is too short."""


class LoginRefused(Exception):
    """No such user, a wrong password or a suspended user; it never says which."""


@dataclass(frozen=True, slots=True)
class Session:
    """A user who has logged in. The token is told this once; it is good until `expires_at`, however it is used."""

    principal: ClientPrincipal
    email: str
    expires_at: datetime
    token: str = field(repr=False)


class Accounts:
    """The rules over the account tables. Tries to log in are counted in this process: per account, per address."""

    def __init__(
        self,
        tables: AccountTables,
        authenticator: Authenticator,
        passwords: Passwords,
        clock: Clock,
        ids: Ids,
        random: Random,
    ) -> None:
        self._tables = tables
        self._authenticator = authenticator
        self._passwords = passwords
        self._ids = ids
        self._random = random
        salt = random.token(SECRET_BYTES).encode()
        self._account_tries = Throttle(clock, salt, burst=5, seconds=60)
        self._address_tries = Throttle(clock, salt, burst=20, seconds=6)

    async def create_client(self, name: str) -> Client:
        """Raises `Taken`."""
        client = await self._tables.add_client(self._ids.new("client"), name)
        if client is None:
            raise Taken(f"there is a client {name} already")
        return client

    async def clients(self) -> list[Client]:
        """All of them, oldest first."""
        return await self._tables.clients()

    async def set_client_status(self, client_id: str, status: Status) -> bool:
        """Suspend a client with all its keys and users, or take it back; False if there is no such client."""
        found = await self._tables.set_client_status(client_id, status)
        self._authenticator.forget_all()
        return found

    async def create_key(self, client_id: str, name: str, scopes: Iterable[Scope]) -> tuple[str, ApiKey]:
        """The key itself, which is told this once, and what is kept of it; raises `UnknownClient`."""
        key = new_api_key(self._random)
        return key, await self._tables.add_key(self._ids.new("key"), digest(key), client_id, name, scopes)

    async def keys(self, client_id: str) -> list[ApiKey]:
        """The client's keys, revoked ones too, oldest first."""
        return await self._tables.keys(client_id)

    async def revoke_key(self, client_id: str, key_id: str) -> bool:
        """For ever; False if the client has no such key."""
        key_hash = await self._tables.revoke_key(client_id, key_id)
        if key_hash is not None:
            self._authenticator.forget(key_hash)
        return key_hash is not None

    async def create_user(self, client_id: str, email: str, password: str, role: Role) -> str:
        """The user's id; raises `NotAnAddress`, `WeakPassword`, `Taken`, `UnknownClient` or `Throttled`."""
        address = normalised(email)
        if len(password) < MIN_PASSWORD:
            raise WeakPassword(f"a password has at least {MIN_PASSWORD} characters")
        user_id = self._ids.new("user")
        password_hash = await self._passwords.hash(password)
        if not await self._tables.add_user(user_id, client_id, address, password_hash, role):
            raise Taken(f"there is a user {address} already")
        return user_id

    async def set_user_status(self, user_id: str, status: Status) -> bool:
        """Suspend a user with all sessions, or take the user back; False if there is no such user."""
        found = await self._tables.set_user_status(user_id, status)
        self._authenticator.forget_all()
        return found

    async def login(self, email: str, password: str, address: str) -> Session:
        """A session for the user; `address` is the network address that the try came from.

        Raises `LoginRefused`, after the same work for an unknown user as for a wrong password, or `Throttled`. Each
        try counts against its address; a right one does not count against the account.
        """
        self._address_tries.take(_network(address))
        try:
            email = normalised(email)
        except NotAnAddress:
            raise LoginRefused from None
        self._account_tries.take(email)
        user = await self._tables.user_by_email(email)
        matches = await self._passwords.verify(user.password_hash if user else None, password)
        if user is None or not matches or not user.is_active:
            raise LoginRefused
        self._account_tries.give_back(email)
        if self._passwords.is_outdated(user.password_hash):
            new_hash = await self._passwords.hash(password)
            await self._tables.rehash_password(user.user_id, user.password_hash, new_hash)
        role = Role(user.role)
        principal = ClientPrincipal(user.client_id, user.client_name, ROLE_SCOPES[role], user.user_id, role)
        token = self._random.token(SECRET_BYTES)
        expires_at = await self._tables.add_session(digest(token), user.user_id, SESSION_LIFE)
        return Session(principal, email, expires_at, token)

    async def logout(self, token: str) -> None:
        """End the session; nothing happens if there is none."""
        token_hash = digest(token)
        await self._tables.remove_session(token_hash)
        self._authenticator.forget(token_hash)


def new_api_key(random: Random) -> str:
    """Recognisable to scanners that look for leaked keys."""
    return f"baton_{random.token(SECRET_BYTES)}"


def _network(address: str) -> str:
    """What one attacker has at hand: an IPv4 address, or the 2^64 addresses of an IPv6 network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), 64), strict=False))
