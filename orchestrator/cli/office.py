"""The accounts as an operator's command sees them: on the database itself, so that no key is needed to make the first.

Who may reach the database may do all of this; there is no such call in the HTTP API.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from orchestrator.accounts.accounts import Accounts, Taken, WeakPassword
from orchestrator.accounts.authenticator import Authenticator
from orchestrator.accounts.email import NotAnAddress, normalised
from orchestrator.accounts.passwords import Passwords
from orchestrator.cli.failures import OutOfReach, RefusedHere
from orchestrator.cli.shared_options import data_dir_option, json_option
from orchestrator.cli.terminal import Terminal
from orchestrator.store.accounts import AccountTables, Client, UnknownClient
from orchestrator.store.database import UNAVAILABLE, Database, DatabaseRefused
from orchestrator.store.embedded_cluster import Cluster
from orchestrator.system import SystemRandom, TimeOrderedIds

T = TypeVar("T")
P = ParamSpec("P")


class UnknownUser(Exception):
    """There is no user of that e-mail address."""


class Office:
    """The accounts of one open database."""

    def __init__(self, accounts: Accounts, tables: AccountTables) -> None:
        self.accounts = accounts
        self._tables = tables

    async def client(self, named: str) -> Client:
        """The client of this name or id; raises `UnknownClient`."""
        for client in await self.accounts.clients():
            if named in (client.name, client.client_id):
                return client
        raise UnknownClient(f"there is no client {named}")

    async def user_id(self, email: str) -> str:
        """The id of the user with this address; raises `UnknownUser` or `NotAnAddress`."""
        user = await self._tables.user_by_email(normalised(email))
        if user is None:
            raise UnknownUser(f"there is no user {email}")
        return user.user_id


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """A database and the terminal beside which it is worked on."""

    dsn: str
    terminal: Terminal

    def call(self, work: Callable[[Office], Awaitable[T]]) -> T:
        """What the work comes to; its failures end the command with their exit code."""
        try:
            return asyncio.run(self._work(work))
        except (Taken, WeakPassword, NotAnAddress, UnknownClient, UnknownUser, DatabaseRefused) as refusal:
            raise RefusedHere(str(refusal)) from refusal
        except UNAVAILABLE as error:
            raise OutOfReach(
                [
                    f"The database cannot be reached: {error or type(error).__name__}.",
                    "Is `baton up` running on this --data-dir? Start it, or name the database with --database-url.",
                ]
            ) from error

    async def _work(self, work: Callable[[Office], Awaitable[T]]) -> T:
        database, passwords = Database(self.dsn), Passwords()
        await database.open()
        try:
            tables, clock = AccountTables(database), self.terminal.clock
            authenticator = Authenticator(tables, clock)
            accounts = Accounts(tables, authenticator, passwords, clock, TimeOrderedIds(), SystemRandom())
            return await work(Office(accounts, tables))
        finally:
            passwords.close()
            await database.close()


def database_options(command: Callable[Concatenate[OnDatabase, P], None]) -> Callable[..., None]:
    """Give a command the options that say which database it works on, and an `OnDatabase` made of them."""

    @click.option(
        "--database-url",
        envvar="DATABASE_URL",
        show_envvar=True,
        help="The database.  [default: the embedded one of the data directory]",
    )
    @data_dir_option
    @json_option
    @wraps(command)
    def invoke(database_url: str | None, data_dir: Path, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        command(OnDatabase(database_url or _embedded(data_dir), Terminal(as_json)), *args, **kwargs)

    return invoke


def _embedded(data_dir: Path) -> str:
    try:
        return Cluster(data_dir).dsn()
    except OSError as error:
        raise click.UsageError(
            f"{data_dir} has no database ({error.strerror}): name the --data-dir of `baton up`, or give --database-url"
        ) from error
