"""Artifacts as clients and workers know them: bytes in the blob store, and a row that says whose they are.

Bytes come first and the row after them: what has a row is whole and durable.
"""

from collections.abc import AsyncIterable, AsyncIterator

import asyncpg

from orchestrator.store.blobs import Blobs
from orchestrator.store.database import Database
from orchestrator.store.statements import statements
from protocol.packets import Artifact


class Artifacts:
    """The table data_references and the blobs behind it, always for one client."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._sql = statements("artifacts")

    async def keep(self, client_id: str, content_type: str, pieces: AsyncIterable[bytes]) -> Artifact:
        """Store bytes as they come. The same bytes again are the same artifact, with the content type it had first.

        What `pieces` raises comes through, and then nothing is stored. Raises `BlobsAway`.
        """
        stored = await self._blobs.put_pieces(client_id, pieces)
        async with self._database.acquire() as connection:
            await connection.execute(self._sql["keep"], client_id, stored.sha256, stored.size_bytes, content_type)
            return _artifact(await connection.fetchrow(self._sql["find"], client_id, stored.sha256))

    async def find(self, client_id: str, sha256: str) -> Artifact | None:
        """What the client has under this hash."""
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(self._sql["find"], client_id, sha256)
        return None if row is None else _artifact(row)

    async def pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        """The bytes of an artifact that was found. Raises `ArtifactLost` or `BlobsAway`."""
        return await self._blobs.get_pieces(client_id, sha256)


def _artifact(row: asyncpg.Record) -> Artifact:
    return Artifact(sha256=row["sha256"], size_bytes=row["bytes"], content_type=row["content_type"])
