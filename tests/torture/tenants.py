"""Who asks: two clients of one system, under the same names for different things, so that a mix-up shows."""

from dataclasses import dataclass
from typing import Final

from orchestrator.accounts.credentials import FIRST_CLIENT
from orchestrator.accounts.digest import digest
from orchestrator.accounts.principal import Scope
from orchestrator.core.seams import Ids
from orchestrator.store.accounts import AccountTables
from tests.integration.system import API_KEY


@dataclass(frozen=True, slots=True)
class Tenant:
    """A client of the orchestrator. Its templates bear the same names as the other's and add `adds` to their input."""

    name: str
    api_key: str
    adds: int


FIRST: Final = Tenant(FIRST_CLIENT, API_KEY, 0)
SECOND: Final = Tenant("neighbour", "key-of-the-neighbour-0123456789", 1_000_000_000)
TENANTS: Final = (FIRST, SECOND)


async def enrol(tenant: Tenant, tables: AccountTables, ids: Ids) -> None:
    """Make the client and its key."""
    client = await tables.add_client(ids.new("client"), tenant.name)
    if client is None:
        raise AssertionError(f"there is a client {tenant.name} already")
    scopes = (Scope.READ, Scope.EXECUTE, Scope.TEMPLATES)
    await tables.add_key(ids.new("key"), digest(tenant.api_key), client.client_id, "of the storm", scopes)
