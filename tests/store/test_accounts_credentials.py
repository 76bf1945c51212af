"""The first credentials: where they come from, where they go, and what a later start makes of them."""

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from orchestrator.accounts.accounts import Accounts
from orchestrator.accounts.authenticator import Authenticator
from orchestrator.accounts.credentials import FILE, Credentials, CredentialsRefused, first_credentials
from orchestrator.accounts.digest import digest
from orchestrator.accounts.passwords import Passwords
from orchestrator.accounts.principal import EVERY_SCOPE, Role
from orchestrator.store.accounts import AccountTables
from orchestrator.store.database import Database
from orchestrator.system import SystemRandom, TimeOrderedIds
from tests.driven_clock import DrivenClock

GIVEN = {
    "BATON_API_KEY": "the key of the operator",
    "WORKER_SECRET": "the secret of the workers",
    "BATON_ADMIN_EMAIL": "Boss@example.org",
    "BATON_ADMIN_PASSWORD": "the password of the boss",
}
OF_GIVEN = Credentials(
    admin_email="boss@example.org",
    api_key="the key of the operator",
    worker_secret="the secret of the workers",
    admin_password="the password of the boss",
)


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with a data directory, on which Baton is started over and over."""

    database: Database
    passwords: Passwords
    data_dir: Path

    async def start(self, **environ: str) -> Credentials:
        tables = AccountTables(self.database)
        return await first_credentials(self.data_dir, environ, tables, self.passwords, TimeOrderedIds(), SystemRandom())

    def other(self) -> "Host":
        """Another machine on the same database."""
        return Host(self.database, self.passwords, self.data_dir.with_name("other"))

    def file(self) -> dict[str, Any]:
        content: dict[str, Any] = orjson.loads((self.data_dir / FILE).read_bytes())
        return content

    def write(self, content: bytes) -> None:
        self.data_dir.mkdir(exist_ok=True)
        (self.data_dir / FILE).write_bytes(content)

    async def lets_in(self, credentials: Credentials) -> bool:
        """Whether the key, the secret and the password of the first admin all work, with every scope."""
        tables, clock = AccountTables(self.database), DrivenClock()
        authenticator = Authenticator(tables, clock)
        accounts = Accounts(tables, authenticator, self.passwords, clock, TimeOrderedIds(), SystemRandom())
        client = await authenticator.by_api_key(credentials.api_key)
        worker = await authenticator.by_worker(credentials.worker_secret, "w-1")
        session = await accounts.login(credentials.admin_email, credentials.admin_password or "", "192.0.2.1")
        return (
            client is not None
            and worker is not None
            and (client.name, client.scopes) == ("default", EVERY_SCOPE)
            and (session.principal.client_id, session.principal.role) == (client.client_id, Role.ADMIN)
        )

    async def count(self, table: str) -> int:
        async with self.database.acquire() as connection:
            counted: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
        return counted

    async def counts(self) -> dict[str, int]:
        return {table: await self.count(table) for table in ("clients", "api_keys", "worker_secrets", "users")}


ONE_OF_EACH = {"clients": 1, "api_keys": 1, "worker_secrets": 1, "users": 1}


@pytest.fixture
def host(database: Database, tmp_path: Path) -> Iterator[Host]:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    yield Host(database, passwords, tmp_path / "data")
    passwords.close()


async def test_what_nobody_gave_is_generated_and_written_for_the_owner_only(host: Host) -> None:
    made = await host.start()

    assert host.file() == {
        "apiKey": made.api_key,
        "workerSecret": made.worker_secret,
        "adminEmail": "admin@localhost",
        "adminPassword": made.admin_password,
    }
    assert stat.S_IMODE((host.data_dir / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(host.data_dir.stat().st_mode) == 0o700
    assert [entry.name for entry in host.data_dir.iterdir()] == [FILE]
    assert await host.lets_in(made)


async def test_what_an_earlier_write_left_over_does_not_open_the_file_to_others(host: Host) -> None:
    host.data_dir.mkdir()
    leftover = host.data_dir / f"{FILE}.new"
    leftover.write_text("half a file, and a longer one than the whole will be" * 100)
    leftover.chmod(0o644)

    made = await host.start()

    assert stat.S_IMODE((host.data_dir / FILE).stat().st_mode) == 0o600
    assert (await host.start(), [entry.name for entry in host.data_dir.iterdir()]) == (made, [FILE])


async def test_no_two_systems_have_the_same_secrets(host: Host) -> None:
    one, two = await host.start(), await host.other().start(BATON_ADMIN_EMAIL="boss@example.org")

    secrets = {one.api_key, one.worker_secret, one.admin_password, two.api_key, two.worker_secret, two.admin_password}
    assert len(secrets) == 6


async def test_a_later_start_takes_what_the_first_one_made(host: Host) -> None:
    first = await host.start()
    content = host.file()

    assert (await host.start(), host.file(), await host.counts()) == (first, content, ONE_OF_EACH)


async def test_what_is_given_is_used_as_it_is_and_is_not_written(host: Host) -> None:
    credentials = await host.start(**GIVEN)

    assert (credentials, host.data_dir.exists(), await host.lets_in(credentials)) == (OF_GIVEN, False, True)


async def test_what_is_given_in_files_is_their_text_without_the_space_around_it(host: Host, tmp_path: Path) -> None:
    environ = {}
    for name, value in GIVEN.items():
        (tmp_path / name).write_text(f"{value}\n")
        environ[f"{name}_FILE"] = str(tmp_path / name)

    assert (await host.start(**environ), host.data_dir.exists()) == (OF_GIVEN, False)


async def test_a_variable_comes_before_its_file_and_an_empty_one_is_not_set(host: Host, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the key of the file")

    both = await host.start(BATON_API_KEY="the key of the variable", BATON_API_KEY_FILE=str(tmp_path / "key"))
    only = await host.start(BATON_API_KEY="", BATON_API_KEY_FILE=str(tmp_path / "key"))

    assert (both.api_key, only.api_key) == ("the key of the variable", "the key of the file")


async def test_only_what_is_not_given_is_generated(host: Host) -> None:
    credentials = await host.start(BATON_API_KEY="the key of the operator", BATON_ADMIN_EMAIL="boss@example.org")

    assert credentials.api_key == "the key of the operator"
    assert host.file() == {"workerSecret": credentials.worker_secret, "adminPassword": credentials.admin_password}
    assert await host.lets_in(credentials)


async def test_the_admin_that_is_there_is_found_again_when_no_address_is_given(host: Host) -> None:
    first = await host.start(BATON_ADMIN_EMAIL="boss@example.org")

    assert (await host.start(), await host.count("users")) == (first, 1)


async def test_a_key_and_a_secret_that_are_given_later_are_added_to_those_before(host: Host) -> None:
    before = await host.start()
    after = await host.start(BATON_API_KEY="the key of the operator", WORKER_SECRET="the secret of the workers")

    assert (after.api_key, after.worker_secret) == ("the key of the operator", "the secret of the workers")
    assert [await host.lets_in(credentials) for credentials in (before, after)] == [True, True]
    assert host.file()["apiKey"] == before.api_key


async def test_a_password_that_is_given_later_does_not_change_the_admins(host: Host) -> None:
    first = await host.start()
    await host.start(BATON_ADMIN_PASSWORD="the password of the boss")

    assert await host.lets_in(first)


async def test_a_file_that_is_lost_is_replaced_and_the_admin_keeps_the_password(host: Host) -> None:
    before = await host.start()
    (host.data_dir / FILE).unlink()

    after = await host.start()

    assert after.admin_password is None
    assert host.file() == {
        "apiKey": after.api_key,
        "workerSecret": after.worker_secret,
        "adminEmail": before.admin_email,
    }
    assert await host.lets_in(before)
    assert await host.counts() == {**ONE_OF_EACH, "api_keys": 2, "worker_secrets": 2}


async def test_a_new_database_gets_what_the_file_has(host: Host) -> None:
    first = await host.start()
    async with host.database.acquire() as connection:
        await connection.execute("TRUNCATE clients, api_keys, users, user_sessions, worker_secrets")

    assert (await host.start(), await host.lets_in(first)) == (first, True)


async def test_a_start_that_was_cut_short_after_the_file_is_made_good_by_the_next(host: Host) -> None:
    host.write(b'{"apiKey": "baton_1234567890", "workerSecret": "1234567890123456", "adminPassword": "correct horse"}')

    credentials = await host.start()

    assert credentials == Credentials("admin@localhost", "baton_1234567890", "1234567890123456", "correct horse")
    assert await host.lets_in(credentials)


async def test_replicas_that_start_at_once_on_one_data_directory_agree(host: Host) -> None:
    credentials = await asyncio.gather(*(host.start() for _ in range(4)))

    assert (credentials, await host.counts()) == ([credentials[0]] * 4, ONE_OF_EACH)
    assert await host.lets_in(credentials[0])


async def test_replicas_that_start_at_once_on_one_database_share_the_admin_of_the_first(host: Host) -> None:
    machines = [Host(host.database, host.passwords, host.data_dir.with_name(f"data{n}")) for n in range(4)]

    credentials = await asyncio.gather(*(machine.start() for machine in machines))

    knowing = [each for each in credentials if each.admin_password is not None]
    assert (len(knowing), await host.lets_in(knowing[0])) == (1, True)
    assert await host.counts() == {"clients": 1, "api_keys": 4, "worker_secrets": 4, "users": 1}


async def test_a_given_key_that_was_revoked_stays_revoked_and_the_log_says_so(host: Host) -> None:
    await host.start(**GIVEN)
    async with host.database.acquire() as connection:
        await connection.execute("UPDATE api_keys SET revoked_at = now()")

    with capture_logs() as logged:
        credentials = await host.start(**GIVEN)

    assert [entry["event"] for entry in logged] == ["credentials.api_key_revoked"]
    assert await AccountTables(host.database).by_key(digest(credentials.api_key)) is None


async def test_short_secrets_are_taken_with_a_warning(host: Host) -> None:
    with capture_logs() as logged:
        credentials = await host.start(**{**GIVEN, "BATON_API_KEY": "k", "WORKER_SECRET": "s" * 15})

    warned = [(entry["name"], entry["log_level"]) for entry in logged if entry["event"] == "credentials.short"]
    assert warned == [("BATON_API_KEY", "warning"), ("WORKER_SECRET", "warning")]
    assert await host.lets_in(credentials)


async def test_neither_the_log_nor_a_representation_shows_a_secret(host: Host) -> None:
    with capture_logs() as logged:
        made = await host.start()

    shown = f"{logged} {made!r} {made}"
    assert [secret for secret in (made.api_key, made.worker_secret, made.admin_password) if str(secret) in shown] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'"text"',
        b'{"apiKey": 7}',
        b'{"apiKey": ""}',
        b'{"apiKey": null}',
        b'{"apikey": "the key of the operator"}',
    ],
)
async def test_a_malformed_file_is_named_and_left_as_it_is(host: Host, content: bytes) -> None:
    host.write(content)

    with pytest.raises(CredentialsRefused, match=FILE):
        await host.start()

    assert (host.data_dir / FILE).read_bytes() == content
    assert await host.counts() == dict.fromkeys(ONE_OF_EACH, 0)


async def test_a_file_that_cannot_be_read_is_named(host: Host) -> None:
    (host.data_dir / FILE).mkdir(parents=True)

    with pytest.raises(CredentialsRefused, match=FILE):
        await host.start()


async def test_a_data_directory_that_cannot_be_written_is_named(host: Host) -> None:
    host.data_dir.write_text("a file where the folder should be")

    with pytest.raises(CredentialsRefused, match=str(host.data_dir)):
        await host.start()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
async def test_a_secrets_file_without_a_text_is_refused_by_its_variable(
    host: Host, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)

    with pytest.raises(CredentialsRefused, match="WORKER_SECRET_FILE"):
        await host.start(WORKER_SECRET_FILE=str(tmp_path / "secret"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKER_SECRET", "two\nlines of a secret"),
        ("WORKER_SECRET", "tajemství dělníků všech"),
        ("WORKER_SECRET", " the secret of the workers"),
        ("BATON_ADMIN_EMAIL", "boss"),
    ],
)
async def test_a_value_that_cannot_be_used_is_refused_by_its_name_and_not_shown(
    host: Host, variable: str, value: str
) -> None:
    with pytest.raises(CredentialsRefused, match=variable) as refused:
        await host.start(**{**GIVEN, variable: value})

    assert value not in str(refused.value)
