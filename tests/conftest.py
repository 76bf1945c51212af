"""Databases for tests: a server a session, in it a template with the schema, and a clone of that for each test.

The server is the embedded PostgreSQL, or the one of TEST_DATABASE_URL, whose user must be allowed to create databases.
What is asked of the server outside a test runs in an event loop of its own, so the fixtures go with any loop's tests.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from orchestrator.store.database import Database
from orchestrator.store.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that tests may make databases in, reached through any of its databases."""

    dsn: str

    def dsn_of(self, name: str) -> str:
        return urlsplit(self.dsn)._replace(path=f"/{name}").geturl()

    def clone(self, template: str) -> str:
        """The name of a new database that is as the template is."""
        name = _new_name("test")
        # FILE_COPY takes half as long as the default, which writes every page of the template to the log.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def make_template(self) -> str:
        """The name of a new database with Baton's schema, made as Baton makes it."""
        name = _new_name("template")
        self._execute(f"CREATE DATABASE {name}")
        asyncio.run(_open_once(self.dsn_of(name)))
        return name

    def drop(self, name: str) -> None:
        """Also under the feet of those who are still connected."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        asyncio.run(_execute(self.dsn, statement))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Server(given)
        return
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("server"))
    try:
        yield Server(asyncio.run(postgres.start()))
    finally:
        asyncio.run(postgres.stop())


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    name = server.make_template()
    yield name
    server.drop(name)


@pytest.fixture
def dsn(server: Server, template: str) -> Iterator[str]:
    """The address of a database with the schema and nothing in it."""
    name = server.clone(template)
    yield server.dsn_of(name)
    server.drop(name)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """That database, opened in the test's own loop."""
    database = Database(dsn)
    await database.open()
    yield database
    await database.close()


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _open_once(dsn: str) -> None:
    database = Database(dsn)
    try:
        await database.open()
    finally:
        await database.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded as the property `told`, in whichever process they ran."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = sorted(
        str(value)
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == "told"
    )
    if told:
        terminalreporter.section("what tests told")
        for line in told:
            terminalreporter.line(line)


def _new_name(kind: str) -> str:
    return f"baton_{kind}_{secrets.token_hex(8)}"
