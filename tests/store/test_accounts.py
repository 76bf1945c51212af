"""Clients, keys, users and sessions against the real tables: who is let in, and who is no longer."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher

from orchestrator.accounts.accounts import Accounts, LoginRefused, Taken, WeakPassword
from orchestrator.accounts.authenticator import Authenticator
from orchestrator.accounts.passwords import Passwords
from orchestrator.accounts.principal import EVERY_SCOPE, ClientPrincipal, Role, Scope, WorkerPrincipal
from orchestrator.accounts.throttle import Throttled
from orchestrator.accounts.verdicts import LIFE_SECONDS
from orchestrator.store.accounts import AccountTables, UnknownClient
from orchestrator.store.database import Database
from orchestrator.system import SystemRandom, TimeOrderedIds
from tests.driven_clock import DrivenClock

PASSWORD = "correct horse"
HOME = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class Office:
    """Accounts and an authenticator over one database, under one clock."""

    database: Database
    clock: DrivenClock
    tables: AccountTables
    passwords: Passwords
    authenticator: Authenticator
    accounts: Accounts

    def neighbour(self) -> "Office":
        """The same of another replica on this database."""
        return an_office(self.database, self.clock, self.passwords)

    async def execute(self, statement: str, *arguments: Any) -> None:
        async with self.database.acquire() as connection:
            await connection.execute(statement, *arguments)

    async def column(self, statement: str) -> list[Any]:
        async with self.database.acquire() as connection:
            return [row[0] for row in await connection.fetch(statement)]


def an_office(database: Database, clock: DrivenClock, passwords: Passwords) -> Office:
    tables = AccountTables(database)
    authenticator = Authenticator(tables, clock)
    accounts = Accounts(tables, authenticator, passwords, clock, TimeOrderedIds(), SystemRandom())
    return Office(database, clock, tables, passwords, authenticator, accounts)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    yield passwords
    passwords.close()


@pytest.fixture
def office(database: Database, passwords: Passwords) -> Office:
    return an_office(database, DrivenClock(), passwords)


async def a_client(office: Office, name: str = "Acme") -> str:
    return (await office.accounts.create_client(name)).client_id


async def a_user(office: Office, email: str = "ann@example.org", role: Role = Role.CLIENT) -> ClientPrincipal:
    """Ann of Acme, as she is known once she has logged in."""
    client_id = await a_client(office)
    await office.accounts.create_user(client_id, email, PASSWORD, role)
    return (await office.accounts.login(email, PASSWORD, HOME)).principal


async def test_a_key_lets_its_client_in_with_its_scopes_and_no_others(office: Office) -> None:
    client_id = await a_client(office)
    key, kept = await office.accounts.create_key(client_id, "laptop", {Scope.READ, Scope.EXECUTE})

    principal = await office.authenticator.by_api_key(key)

    assert principal == ClientPrincipal(client_id, "Acme", frozenset({Scope.READ, Scope.EXECUTE}))
    assert (kept.name, kept.scopes, kept.revoked_at) == ("laptop", ("execute", "read"), None)


async def test_a_key_is_recognisable_and_kept_as_its_hash_only(office: Office) -> None:
    key, _ = await office.accounts.create_key(await a_client(office), "laptop", EVERY_SCOPE)

    stored = await office.column("SELECT api_keys::text FROM api_keys")
    hashes = await office.column("SELECT key_hash FROM api_keys")

    assert (key.startswith("baton_"), len(key)) == (True, len("baton_") + 43)
    assert (hashes, any(key in row for row in stored)) == ([sha256(key.encode()).digest()], False)


@pytest.mark.parametrize("key", ["", "baton_", "kľúč", "\udc80", "x" * 100_000])
async def test_a_key_that_nobody_has_lets_nobody_in(office: Office, key: str) -> None:
    assert await office.authenticator.by_api_key(key) is None


async def test_a_revoked_key_is_refused_at_once_here_and_within_its_life_by_other_replicas(office: Office) -> None:
    client_id = await a_client(office)
    key, kept = await office.accounts.create_key(client_id, "laptop", EVERY_SCOPE)
    neighbour = office.neighbour()
    known = [await each.authenticator.by_api_key(key) for each in (office, neighbour)]

    assert await office.accounts.revoke_key(client_id, kept.key_id)
    here = await office.authenticator.by_api_key(key)
    office.clock.advance(LIFE_SECONDS)
    there = await neighbour.authenticator.by_api_key(key)

    assert (None in known, here, there) == (False, None, None)


async def test_a_client_cannot_revoke_the_key_of_another(office: Office) -> None:
    key, kept = await office.accounts.create_key(await a_client(office), "laptop", EVERY_SCOPE)
    other = await a_client(office, "Other")

    assert not await office.accounts.revoke_key(other, kept.key_id)
    assert await office.authenticator.by_api_key(key) is not None


async def test_a_clients_keys_are_listed_with_those_that_are_revoked(office: Office) -> None:
    client_id, other = await a_client(office), await a_client(office, "Other")
    _, first = await office.accounts.create_key(client_id, "first", {Scope.READ})
    _, second = await office.accounts.create_key(client_id, "second", {Scope.READ})
    await office.accounts.create_key(other, "third", {Scope.READ})
    await office.accounts.revoke_key(client_id, first.key_id)

    listed = await office.accounts.keys(client_id)

    assert listed == [replace(first, revoked_at=listed[0].revoked_at), second]
    assert listed[0].revoked_at is not None


async def test_a_key_that_is_revoked_again_keeps_the_time_of_the_first(office: Office) -> None:
    client_id = await a_client(office)
    _, kept = await office.accounts.create_key(client_id, "laptop", EVERY_SCOPE)

    revoked = [await office.accounts.revoke_key(client_id, kept.key_id)]
    once = await office.accounts.keys(client_id)
    revoked.append(await office.accounts.revoke_key(client_id, kept.key_id))

    assert (revoked, await office.accounts.keys(client_id)) == ([True, True], once)


@pytest.mark.parametrize("scopes", [set(), {"read", "root"}])
async def test_the_database_refuses_a_key_without_scopes_or_with_an_unknown_one(
    office: Office, scopes: set[str]
) -> None:
    client_id = await a_client(office)

    with pytest.raises(asyncpg.CheckViolationError):
        await office.tables.add_key("key_1", bytes(32), client_id, "laptop", scopes)


async def test_names_and_addresses_are_taken_once(office: Office) -> None:
    client_id = await a_client(office)
    await office.accounts.create_user(client_id, "ann@example.org", PASSWORD, Role.CLIENT)

    with pytest.raises(Taken):
        await office.accounts.create_client("Acme")
    with pytest.raises(Taken):
        await office.accounts.create_user(client_id, " ANN@Example.org ", PASSWORD, Role.CLIENT)

    assert [client.name for client in await office.accounts.clients()] == ["Acme"]


async def test_nothing_is_made_for_a_client_that_does_not_exist(office: Office) -> None:
    with pytest.raises(UnknownClient):
        await office.accounts.create_key("client_none", "laptop", EVERY_SCOPE)
    with pytest.raises(UnknownClient):
        await office.accounts.create_user("client_none", "ann@example.org", PASSWORD, Role.CLIENT)


async def test_a_short_password_is_refused(office: Office) -> None:
    with pytest.raises(WeakPassword):
        await office.accounts.create_user(await a_client(office), "ann@example.org", "horse", Role.CLIENT)


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        (Role.ADMIN, EVERY_SCOPE),
        (Role.CLIENT, frozenset({Scope.READ, Scope.EXECUTE, Scope.TEMPLATES})),
        (Role.SUPPORT, frozenset({Scope.READ})),
    ],
)
async def test_a_session_lets_the_user_in_with_the_scopes_of_the_role(
    office: Office, role: Role, scopes: frozenset[Scope]
) -> None:
    client_id = await a_client(office)
    user_id = await office.accounts.create_user(client_id, "Ann@example.org", PASSWORD, role)

    session = await office.accounts.login("ann@EXAMPLE.org", PASSWORD, HOME)

    assert session.principal == ClientPrincipal(client_id, "Acme", scopes, user_id, role)
    assert session.email == "ann@example.org"
    assert await office.authenticator.by_session(session.token) == session.principal
    assert await office.authenticator.by_api_key(session.token) is None
    assert session.token not in repr(session)


async def test_a_session_is_kept_as_its_hash_and_lasts_a_day(office: Office) -> None:
    user = await a_user(office)
    await office.execute("DELETE FROM user_sessions")
    session = await office.accounts.login("ann@example.org", PASSWORD, HOME)

    rows = await office.column("SELECT (token_hash, user_id, expires_at - created_at) FROM user_sessions")

    assert rows == [(sha256(session.token.encode()).digest(), user.user_id, timedelta(hours=24))]


async def test_after_the_logout_the_session_lets_nobody_in(office: Office) -> None:
    await a_user(office)
    session = await office.accounts.login("ann@example.org", PASSWORD, HOME)
    before = await office.authenticator.by_session(session.token)

    await office.accounts.logout(session.token)
    await office.accounts.logout(session.token)

    assert (before, await office.authenticator.by_session(session.token)) == (session.principal, None)


async def test_an_expired_session_lets_nobody_in(office: Office) -> None:
    await a_user(office)
    expired, valid = [await office.accounts.login("ann@example.org", PASSWORD, HOME) for _ in range(2)]
    await office.execute(
        "UPDATE user_sessions SET expires_at = now() WHERE token_hash = $1", sha256(expired.token.encode()).digest()
    )

    let_in = [await office.authenticator.by_session(session.token) for session in (expired, valid)]

    assert let_in == [None, valid.principal]


async def test_a_suspended_client_and_its_users_are_shut_out_until_it_is_taken_back(office: Office) -> None:
    user = await a_user(office)
    session = await office.accounts.login("ann@example.org", PASSWORD, HOME)
    key, _ = await office.accounts.create_key(user.client_id, "laptop", EVERY_SCOPE)

    async def let_in() -> list[bool]:
        found = (await office.authenticator.by_api_key(key), await office.authenticator.by_session(session.token))
        return [principal is not None for principal in found]

    before = await let_in()
    assert await office.accounts.set_client_status(user.client_id, "suspended")
    meanwhile = await let_in()
    with pytest.raises(LoginRefused):
        await office.accounts.login("ann@example.org", PASSWORD, HOME)
    assert await office.accounts.set_client_status(user.client_id, "active")

    assert (before, meanwhile, await let_in()) == ([True, True], [False, False], [True, True])


async def test_a_suspended_user_is_shut_out_and_the_clients_keys_are_not(office: Office) -> None:
    user = await a_user(office)
    session = await office.accounts.login("ann@example.org", PASSWORD, HOME)
    key, _ = await office.accounts.create_key(user.client_id, "laptop", EVERY_SCOPE)
    assert await office.authenticator.by_session(session.token) == user

    assert await office.accounts.set_user_status(user.user_id or "", "suspended")

    assert await office.authenticator.by_session(session.token) is None
    assert await office.authenticator.by_api_key(key) is not None
    with pytest.raises(LoginRefused):
        await office.accounts.login("ann@example.org", PASSWORD, HOME)


async def test_who_is_not_there_cannot_be_suspended(office: Office) -> None:
    assert not await office.accounts.set_client_status("client_none", "suspended")
    assert not await office.accounts.set_user_status("user_none", "suspended")


async def test_an_unknown_user_a_wrong_password_and_what_is_no_address_get_the_same_answer(office: Office) -> None:
    await a_user(office)

    answers = []
    for email, password in (("ann@example.org", "wrong"), ("ben@example.org", PASSWORD), ("ann", PASSWORD)):
        with pytest.raises(LoginRefused) as refused:
            await office.accounts.login(email, password, HOME)
        answers.append(refused.value.args)

    assert answers == [(), (), ()]


@pytest.mark.parametrize("email", ["ann@example.org", "nobody@example.org"])
async def test_an_account_that_is_guessed_at_is_throttled_from_every_address_be_it_there_or_not(
    office: Office, email: str
) -> None:
    await a_user(office)
    for number in range(5):
        with pytest.raises(LoginRefused):
            await office.accounts.login(email, "wrong", f"192.0.2.{number}")

    with pytest.raises(Throttled) as throttled:
        await office.accounts.login(email.upper(), PASSWORD, "198.51.100.1")
    office.clock.advance(throttled.value.retry_after)
    with pytest.raises(LoginRefused):
        await office.accounts.login(email, "wrong", "198.51.100.1")

    assert throttled.value.retry_after == 60


async def test_right_passwords_do_not_count_against_the_account(office: Office) -> None:
    user = await a_user(office)

    sessions = [await office.accounts.login("ann@example.org", PASSWORD, f"192.0.2.{number}") for number in range(10)]

    assert [session.principal for session in sessions] == [user] * 10


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("socket", "192.0.2.2", False),
    ],
)
async def test_an_address_that_tries_many_accounts_is_throttled_with_its_whole_network(
    office: Office, one: str, another: str, same: bool
) -> None:
    for number in range(20):
        with pytest.raises(LoginRefused):
            await office.accounts.login(f"user{number}@example.org", PASSWORD, one)

    with pytest.raises(Throttled if same else LoginRefused):
        await office.accounts.login("another@example.org", PASSWORD, another)


async def test_a_login_makes_an_outdated_hash_anew(office: Office) -> None:
    await a_user(office)
    old = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD)
    await office.execute("UPDATE users SET password_hash = $1", old)

    await office.accounts.login("ann@example.org", PASSWORD, HOME)
    (renewed,) = await office.column("SELECT password_hash FROM users")

    assert (office.passwords.is_outdated(old), office.passwords.is_outdated(renewed)) == (True, False)
    assert await office.passwords.verify(renewed, PASSWORD)


async def test_a_password_that_was_changed_meanwhile_is_not_made_anew(office: Office) -> None:
    user = await a_user(office)
    (current,) = await office.column("SELECT password_hash FROM users")

    await office.tables.rehash_password(user.user_id or "", "the hash before", "the hash before, made anew")

    assert await office.column("SELECT password_hash FROM users") == [current]


async def test_a_worker_is_let_in_by_the_secret_under_the_name_that_it_gives(office: Office) -> None:
    await office.tables.add_worker_secret(sha256(b"the workers' secret").digest())

    found = [
        await office.authenticator.by_worker(secret, worker_id)
        for secret, worker_id in (
            ("the workers' secret", "w-1"),
            ("the workers' secret", "w-2"),
            ("the workers' secret", ""),
            ("another secret", "w-1"),
        )
    ]

    assert found == [WorkerPrincipal("w-1"), WorkerPrincipal("w-2"), None, None]


async def test_a_busy_key_costs_one_query_in_its_life(office: Office) -> None:
    key, _ = await office.accounts.create_key(await a_client(office), "laptop", EVERY_SCOPE)
    await asyncio.gather(*(office.authenticator.by_api_key(key) for _ in range(100)))
    await office.execute("DELETE FROM api_keys")

    remembered = await office.authenticator.by_api_key(key)
    office.clock.advance(LIFE_SECONDS)

    assert (remembered is not None, await office.authenticator.by_api_key(key)) == (True, None)
