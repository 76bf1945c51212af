"""Accounts from the command line, on the database: what an operator makes lets its bearer in, and no longer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.accounts.accounts import Accounts, LoginRefused, Session
from orchestrator.accounts.authenticator import Authenticator
from orchestrator.accounts.passwords import Passwords
from orchestrator.accounts.principal import ClientPrincipal, Scope
from orchestrator.cli import main
from orchestrator.store.accounts import AccountTables
from orchestrator.store.database import Database
from orchestrator.system import SystemClock, SystemRandom, TimeOrderedIds

PASSWORD = "correct horse"


@pytest.fixture
def cli(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_DATA_DIR", raising=False)
    return CliRunner(env={"DATABASE_URL": dsn})


def baton(cli: CliRunner, *arguments: str, typed: str | None = None) -> Result:
    return cli.invoke(main, arguments, input=typed, catch_exceptions=False)


def document(cli: CliRunner, *arguments: str, typed: str | None = None) -> dict[str, Any]:
    result = baton(cli, *arguments, "--json", typed=typed)
    assert result.exit_code == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


async def caller(dsn: str, key: str) -> ClientPrincipal | None:
    """Whom the key stands for."""
    database = Database(dsn)
    await database.open()
    try:
        return await Authenticator(AccountTables(database), SystemClock()).by_api_key(key)
    finally:
        await database.close()


async def login(dsn: str, email: str) -> Session | None:
    """The session that the tests' password gives the user; None if it is refused."""
    database, passwords, clock = Database(dsn), Passwords(), SystemClock()
    await database.open()
    try:
        tables = AccountTables(database)
        office = Accounts(tables, Authenticator(tables, clock), passwords, clock, TimeOrderedIds(), SystemRandom())
        return await office.login(email, PASSWORD, "192.0.2.1")
    except LoginRefused:
        return None
    finally:
        passwords.close()
        await database.close()


def test_a_key_of_a_new_client_lets_it_in_until_it_is_revoked(cli: CliRunner, dsn: str) -> None:
    client = document(cli, "clients", "create", "acme")
    key = document(cli, "keys", "create", "acme", "--name", "ci", "--scope", "read", "--scope", "execute")
    before = asyncio.run(caller(dsn, key["apiKey"]))
    revoked = document(cli, "keys", "revoke", client["clientId"], key["keyId"])
    after = asyncio.run(caller(dsn, key["apiKey"]))
    listed = document(cli, "keys", "list", "acme")["keys"]

    assert before == ClientPrincipal(client["clientId"], "acme", frozenset({Scope.READ, Scope.EXECUTE}))
    assert (revoked, after) == ({"keyId": key["keyId"], "status": "revoked"}, None)
    assert [(each["keyId"], each["name"], each["scopes"]) for each in listed] == [
        (key["keyId"], "ci", ["execute", "read"])
    ]
    assert listed[0]["revokedAt"] is not None
    assert key["apiKey"] not in json.dumps(listed)


def test_a_client_that_is_suspended_is_shut_out_until_it_is_restored(cli: CliRunner, dsn: str) -> None:
    document(cli, "clients", "create", "acme")
    key = document(cli, "keys", "create", "acme")["apiKey"]
    allowed = []
    for verb in ("suspend", "restore"):
        status = document(cli, "clients", verb, "acme")["status"]
        allowed.append((status, asyncio.run(caller(dsn, key)) is not None))

    assert allowed == [("suspended", False), ("active", True)]
    assert [(each["name"], each["status"]) for each in document(cli, "clients", "list")["clients"]] == [
        ("acme", "active")
    ]


def test_a_user_logs_in_with_the_password_that_was_typed_until_suspended(cli: CliRunner, dsn: str) -> None:
    document(cli, "clients", "create", "acme")
    typed = document(cli, "users", "create", "acme", "Ann@Acme.example", typed=f"{PASSWORD}\n{PASSWORD}\n")
    document(cli, "users", "create", "acme", "bob@acme.example", "--password-file", "-", typed=f"{PASSWORD}\n")
    sessions = [asyncio.run(login(dsn, f"{name}@acme.example")) for name in ("ann", "bob")]
    document(cli, "users", "suspend", "ann@acme.example")
    shut_out = asyncio.run(login(dsn, "ann@acme.example"))
    document(cli, "users", "restore", "ann@acme.example")

    assert [session is not None for session in (*sessions, shut_out)] == [True, True, False]
    assert (typed["email"], typed["role"]) == ("Ann@Acme.example", "client")
    assert asyncio.run(login(dsn, "ann@acme.example")) is not None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("clients", "create", "taken"), "there is a client taken already"),
        (("clients", "suspend", "nobody"), "there is no client nobody"),
        (("keys", "create", "nobody"), "there is no client nobody"),
        (("keys", "revoke", "taken", "key_1"), "the client taken has no key key_1"),
        (("users", "suspend", "ann@acme.example"), "there is no user ann@acme.example"),
        (("users", "create", "taken", "ann", "--password-file", "-"), "an e-mail address looks like name@host"),
        (("users", "create", "taken", "ann@acme.example", "--password-file", "-"), "a password has at least 8"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(cli: CliRunner, arguments: tuple[str, ...], why: str) -> None:
    document(cli, "clients", "create", "taken")

    result = baton(cli, *arguments, typed="short\n")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"Error: {why}")


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        (None, 2, "no-such has no database (No such file or directory): name the --data-dir of `baton up`"),
        ("postgresql://127.0.0.1:1/nothing", 4, "The database cannot be reached"),
        ("postgresql://h:no-port/d", 3, "the database cannot be opened"),
    ],
)
def test_a_database_that_is_not_there_is_told_with_what_to_do(
    cli: CliRunner, url: str | None, code: int, why: str
) -> None:
    cli.env = {"DATABASE_URL": url}

    result = baton(cli, "clients", "list", "--data-dir", "no-such")

    assert (result.exit_code, why in result.stderr) == (code, True), result.stderr
