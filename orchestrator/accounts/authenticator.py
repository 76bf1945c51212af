"""Tells who is calling by what the caller shows: an API key, a session's token or the workers' secret."""

from typing import Final

from orchestrator.accounts.digest import digest
from orchestrator.accounts.principal import ROLE_SCOPES, ClientPrincipal, Role, Scope, WorkerPrincipal
from orchestrator.accounts.verdicts import Verdicts
from orchestrator.core.seams import Clock
from orchestrator.store.accounts import AccountTables, Caller

WORKERS_OUTAGE_SECONDS: Final = 600.0
"""So long may a worker that is known go on to report and to beat while the database is away."""


class Authenticator:
    """None stands for everyone who may not call: unknown, revoked, expired or suspended; it never says which.

    What another replica revokes, ends or suspends is felt here within `verdicts.LIFE_SECONDS`.
    """

    def __init__(self, tables: AccountTables, clock: Clock) -> None:
        self._tables = tables
        self._keys = Verdicts(clock, self._find_key)
        self._sessions = Verdicts(clock, self._find_session)
        self._worker_secrets = Verdicts(clock, tables.worker_secret_since, WORKERS_OUTAGE_SECONDS)

    async def by_api_key(self, key: str) -> ClientPrincipal | None:
        return await self._keys.of(digest(key))

    async def by_session(self, token: str) -> ClientPrincipal | None:
        return await self._sessions.of(digest(token))

    async def by_worker(self, secret: str, worker_id: str) -> WorkerPrincipal | None:
        """The secret is shared: it proves that the caller is a worker, and which one it is its own word."""
        if not worker_id or await self._worker_secrets.of(digest(secret)) is None:
            return None
        return WorkerPrincipal(worker_id)

    def forget(self, secret_hash: bytes) -> None:
        """A key was revoked or a session ended: ask the database at its next use."""
        self._keys.forget(secret_hash)
        self._sessions.forget(secret_hash)

    def forget_all(self) -> None:
        """A client or a user was suspended or is back: ask the database about everyone again."""
        self._keys.forget_all()
        self._sessions.forget_all()

    async def _find_key(self, key_hash: bytes) -> ClientPrincipal | None:
        return _principal(await self._tables.by_key(key_hash))

    async def _find_session(self, token_hash: bytes) -> ClientPrincipal | None:
        return _principal(await self._tables.by_session(token_hash))


def _principal(caller: Caller | None) -> ClientPrincipal | None:
    if caller is None:
        return None
    role = Role(caller.role) if caller.role else None
    scopes = ROLE_SCOPES[role] if role else frozenset(map(Scope, caller.scopes))
    return ClientPrincipal(caller.client_id, caller.client_name, scopes, caller.user_id, role)
