"""Where artifacts' bytes live: a local folder by default, S3-compatible storage by URL."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Protocol

from obstore.store import ObjectStore, from_url

CHUNK_BYTES: Final = 1024 * 1024


class Blobs(Protocol):
    """Bytes by the SHA-256 of what they are, in each client's own space."""

    async def put(self, client_id: str, sha256: str, data: bytes) -> None: ...

    async def get(self, client_id: str, sha256: str) -> bytes: ...


class ObjectBlobs:
    """Blobs in any store that obstore speaks: `file:///...`, `s3://...`, `memory:///`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def in_folder(cls, folder: Path) -> "ObjectBlobs":
        folder.mkdir(parents=True, exist_ok=True)
        return cls(from_url(folder.resolve().as_uri()))

    async def put(self, client_id: str, sha256: str, data: bytes) -> None:
        """Store under the content's own name: doing it again changes nothing."""
        await self._store.put_async(_path(client_id, sha256), _chunks(data), chunk_size=5 * CHUNK_BYTES)

    async def get(self, client_id: str, sha256: str) -> bytes:
        """The bytes; `FileNotFoundError` if they are not there."""
        found = await self._store.get_async(_path(client_id, sha256))
        whole = bytearray()
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            whole += chunk
        return bytes(whole)


def _path(client_id: str, sha256: str) -> str:
    return f"{client_id}/{sha256[:2]}/{sha256}"


async def _chunks(data: bytes) -> AsyncIterator[memoryview]:
    """The bytes piece by piece, without copying them."""
    view = memoryview(data)
    for first in range(0, len(view), CHUNK_BYTES):
        yield view[first : first + CHUNK_BYTES]
