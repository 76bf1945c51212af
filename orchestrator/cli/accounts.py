"""`baton clients`, `baton keys` and `baton users`: who may call, made and ended by whoever runs the system."""

from datetime import datetime
from typing import TextIO

import click
from rich.console import RenderableType
from rich.text import Text

from orchestrator.accounts.principal import ROLE_SCOPES, Role, Scope
from orchestrator.cli.document_view import fields_view, rows_view
from orchestrator.cli.failures import RefusedHere
from orchestrator.cli.office import Office, OnDatabase, database_options
from orchestrator.client import Document
from orchestrator.core.document import instant
from orchestrator.store.accounts import ApiKey, Client, Status

TAKES_EFFECT = "Replicas that run know it within some seconds."


@click.group()
def clients() -> None:
    """List, make, suspend and restore clients, on the database.

    A client is a tenant: its executions, templates and artifacts are its own.
    """


@clients.command("list")
@database_options
def list_clients(database: OnDatabase) -> None:
    """List all clients, oldest first."""

    async def work(office: Office) -> Document:
        return {"clients": [_client_document(client) for client in await office.accounts.clients()]}

    database.terminal.show(database.call(work), _clients_view)


@clients.command("create")
@click.argument("name")
@database_options
def create_client(database: OnDatabase, name: str) -> None:
    """Make a client. It can do nothing until it has a key or a user."""

    async def work(office: Office) -> Document:
        return _client_document(await office.accounts.create_client(name))

    database.terminal.show(database.call(work), fields_view)


@clients.command("suspend", epilog=TAKES_EFFECT)
@click.argument("client")
@database_options
def suspend_client(database: OnDatabase, client: str) -> None:
    """Shut out CLIENT (a name or an id) with all its keys and users; what it has stays, and what runs goes on."""
    _set_client_status(database, client, "suspended")


@clients.command("restore", epilog=TAKES_EFFECT)
@click.argument("client")
@database_options
def restore_client(database: OnDatabase, client: str) -> None:
    """Let CLIENT (a name or an id) in again."""
    _set_client_status(database, client, "active")


@click.group()
def keys() -> None:
    """List, make and revoke a client's API keys, on the database."""


@keys.command("list")
@click.argument("client")
@database_options
def list_keys(database: OnDatabase, client: str) -> None:
    """List the keys of CLIENT (a name or an id), revoked ones too; what a key is, nobody knows but its owner."""

    async def work(office: Office) -> Document:
        client_id = (await office.client(client)).client_id
        return {"keys": [_key_document(key) for key in await office.accounts.keys(client_id)]}

    database.terminal.show(database.call(work), _keys_view)


@keys.command("create")
@click.argument("client")
@click.option("--name", default="unnamed", show_default=True, help="What people call it.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=sorted(scope.value for scope in ROLE_SCOPES[Role.CLIENT]),
    show_default=True,
    help="What it lets its bearer do; may be given again.",
)
@database_options
def create_key(database: OnDatabase, client: str, name: str, scopes: tuple[str, ...]) -> None:
    """Make a key for CLIENT (a name or an id). It is told this once, and kept as its hash only."""

    async def work(office: Office) -> Document:
        client_id = (await office.client(client)).client_id
        key, kept = await office.accounts.create_key(client_id, name, [Scope(scope) for scope in scopes])
        return {"apiKey": key, "clientId": client_id, **_key_document(kept)}

    database.terminal.show(database.call(work), fields_view)


@keys.command("revoke", epilog=TAKES_EFFECT)
@click.argument("client")
@click.argument("key_id")
@database_options
def revoke_key(database: OnDatabase, client: str, key_id: str) -> None:
    """Revoke the key KEY_ID of CLIENT (a name or an id), for ever."""

    async def work(office: Office) -> Document:
        if not await office.accounts.revoke_key((await office.client(client)).client_id, key_id):
            raise RefusedHere(f"the client {client} has no key {key_id}")
        return {"keyId": key_id, "status": "revoked"}

    database.terminal.show(database.call(work), fields_view)


@click.group()
def users() -> None:
    """Make, suspend and restore users, on the database.

    A user logs in with an e-mail address and a password, for one client.
    """


@users.command("create")
@click.argument("client")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.CLIENT.value,
    show_default=True,
    help="What the user is: an admin may do everything, support may only look.",
)
@click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    help="A file whose first line is the password, - for standard input.  [default: it is asked for]",
)
@database_options
def create_user(database: OnDatabase, client: str, email: str, role: str, password_file: TextIO | None) -> None:
    """Make a user with this e-mail address for CLIENT (a name or an id)."""
    if password_file is None:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = password_file.readline().rstrip("\r\n")

    async def work(office: Office) -> Document:
        client_id = (await office.client(client)).client_id
        user_id = await office.accounts.create_user(client_id, email, password, Role(role))
        return {"userId": user_id, "clientId": client_id, "email": email, "role": role}

    database.terminal.show(database.call(work), fields_view)


@users.command("suspend", epilog=TAKES_EFFECT)
@click.argument("email")
@database_options
def suspend_user(database: OnDatabase, email: str) -> None:
    """Shut a user out, with all sessions."""
    _set_user_status(database, email, "suspended")


@users.command("restore", epilog=TAKES_EFFECT)
@click.argument("email")
@database_options
def restore_user(database: OnDatabase, email: str) -> None:
    """Let a user in again."""
    _set_user_status(database, email, "active")


def _set_client_status(database: OnDatabase, named: str, status: Status) -> None:
    async def work(office: Office) -> Document:
        client = await office.client(named)
        await office.accounts.set_client_status(client.client_id, status)
        return _client_document(client) | {"status": status}

    database.terminal.show(database.call(work), fields_view)


def _set_user_status(database: OnDatabase, email: str, status: Status) -> None:
    async def work(office: Office) -> Document:
        user_id = await office.user_id(email)
        await office.accounts.set_user_status(user_id, status)
        return {"userId": user_id, "email": email, "status": status}

    database.terminal.show(database.call(work), fields_view)


def _client_document(client: Client) -> Document:
    return {
        "clientId": client.client_id,
        "name": client.name,
        "status": client.status,
        "createdAt": instant(client.created_at),
    }


def _key_document(key: ApiKey) -> Document:
    return {
        "keyId": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "createdAt": instant(key.created_at),
        "revokedAt": instant(key.revoked_at),
    }


def _clients_view(document: Document, now: datetime) -> RenderableType:
    return rows_view(document["clients"], now) if document["clients"] else Text("There is no client.")


def _keys_view(document: Document, now: datetime) -> RenderableType:
    return rows_view(document["keys"], now) if document["keys"] else Text("The client has no key.")
