"""Published templates: a client's own over the shipped ones, parsed once and kept."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from orchestrator.core.seams import Clock
from orchestrator.core.template import Template, parse_template
from orchestrator.store.database import Database
from orchestrator.store.statements import statements

SHIPPED: Final = ""
"""The namespace of the templates that come with Baton."""
CACHED: Final = 1000
FRESH_SECONDS: Final = 1.0
"""How long a name's latest version is remembered: so late another replica's publication may be seen here."""


class UnknownTemplate(Exception):
    """No template of that name (and version) is visible to the client."""


class VersionTaken(Exception):
    """A published version has another content: published versions never change."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published version and where it stands."""

    client_id: str
    name: str
    version: int
    source: str
    document: dict[str, Any]
    published_at: datetime

    @property
    def is_shipped(self) -> bool:
        return self.client_id == SHIPPED


class Templates:
    """The table master_templates, with parsed templates cached: a published version never changes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sql = statements("templates")
        self._found: dict[tuple[str, str, int | None], tuple[float, Published]] = {}
        self._parsed: dict[tuple[str, str, int], Template] = {}

    async def publish(self, client_id: str, template: Template, source: str) -> tuple[int, bool]:
        """The version, and whether it is new: the latest content published again is the same version.

        Raises `VersionTaken` if the template names a version that exists with another content.
        """
        async with self._database.acquire() as connection, connection.transaction():
            await connection.execute(self._sql["lock"], client_id, template.name)
            latest = await connection.fetchrow(self._sql["latest"], client_id, template.name)
            if template.version is None:
                if latest is not None and latest["content_hash"] == template.content_hash:
                    return latest["version"], False
                version = latest["version"] + 1 if latest is not None else 1
            else:
                version = template.version
                there = await connection.fetchval(self._sql["hash_of"], client_id, template.name, version)
                if there == template.content_hash:
                    return version, False
                if there is not None:
                    raise VersionTaken(f"{template.name} {version} is published already, with another content")
            document = orjson.dumps(template.document).decode()
            await connection.execute(
                self._sql["publish"], client_id, template.name, version, template.content_hash, source, document
            )
        self._found.clear()
        return version, True

    async def latest_sources(self, client_id: str) -> frozenset[str]:
        """The text of the latest version of each template in this namespace."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["latest_sources"], client_id)
        return frozenset(row["source"] for row in rows)

    async def find(self, client_id: str, name: str, version: int | None = None) -> Published:
        """What the client sees under this name; raises `UnknownTemplate`."""
        now = self._clock.monotonic()
        until, known = self._found.get((client_id, name, version), (now, None))
        if known is not None and now < until:
            return known
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(self._sql["find"], client_id, name, version)
        if row is None:
            wanted = name if version is None else f"{name} {version}"
            raise UnknownTemplate(f"there is no template {wanted}")
        if len(self._found) >= CACHED:
            self._found.clear()
        published = _published(row, row["source"])
        self._found[client_id, name, version] = now + FRESH_SECONDS, published
        return published

    async def list(self, client_id: str) -> list[Published]:
        """The latest version of each template that the client sees, by name."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(self._sql["list"], client_id)
        return [_published(row, "") for row in rows]

    async def version(self, client_id: str, name: str, version: int) -> Template:
        """One published version, parsed, by exactly where it stands."""
        key = (client_id, name, version)
        template = self._parsed.get(key)
        if template is None:
            async with self._database.acquire() as connection:
                source = await connection.fetchval(self._sql["read"], client_id, name, version)
            if source is None:
                raise UnknownTemplate(f"there is no template {name} {version}")
            if len(self._parsed) >= CACHED:
                self._parsed.pop(next(iter(self._parsed)))
            template = self._parsed[key] = replace(parse_template(source), version=version)
        return template


def _published(row: asyncpg.Record, source: str) -> Published:
    return Published(
        row["client_id"],
        row["name"],
        row["version"],
        source,
        orjson.loads(row["document"]),
        row["published_at"],
    )
