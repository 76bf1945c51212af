"""Who is calling, once authenticated: a client (by a key or as one of its users) or a worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a caller may do. `admin` is for the accounts of every client, and implies none of the others."""

    READ = "read"
    EXECUTE = "execute"
    TEMPLATES = "templates"
    ADMIN = "admin"


class Role(StrEnum):
    """What a user is; his scopes follow from it."""

    ADMIN = "admin"
    CLIENT = "client"
    SUPPORT = "support"


EVERY_SCOPE: Final = frozenset(Scope)

ROLE_SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.ADMIN: EVERY_SCOPE,
    Role.CLIENT: frozenset({Scope.READ, Scope.EXECUTE, Scope.TEMPLATES}),
    Role.SUPPORT: frozenset({Scope.READ}),
}


@dataclass(frozen=True, slots=True)
class ClientPrincipal:
    """A client: everything the caller sees and makes is of `client_id`. With a user behind it if by a session."""

    client_id: str
    name: str
    scopes: frozenset[Scope]
    user_id: str | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class WorkerPrincipal:
    """A process that knows the workers' secret and says that it is `worker_id`."""

    worker_id: str


Principal = ClientPrincipal | WorkerPrincipal
