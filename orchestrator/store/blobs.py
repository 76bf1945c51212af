"""Where artifacts' bytes live: a local folder by default, S3-compatible storage by URL.

Bytes are written under a name of their own and moved to the hash of their content once they are whole and on the
disk. So what stands under a hash has that hash, and what breaks off leaves nothing.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestrator.core.seams import Ids
from orchestrator.store.private_file import sync_folder

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK_BYTES: Final = 1024 * 1024
PART_BYTES: Final = 5 * CHUNK_BYTES
"""How much of an upload is in memory at once; the least that S3 takes as a part."""
_NAMED: Final = re.compile(r"([^/]+)/[0-9a-f]{2}/([0-9a-f]{64})")
ABANDONED: Final = timedelta(days=1)
"""Older than this, an unfinished upload in a folder is a dead process's."""
UPLOADS: Final = "uploads"


class BlobsAway(OSError):
    """The store cannot be read or written now, or its disk is full; trying again may help."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are durable: their SHA-256 in hexadecimal, and how many they are."""

    sha256: str
    size_bytes: int


class Blobs(Protocol):
    """Bytes by the SHA-256 of what they are, in each client's own space. Every method may raise `BlobsAway`."""

    async def put(self, client_id: str, sha256: str, data: bytes) -> None: ...

    async def put_pieces(self, client_id: str, pieces: AsyncIterable[bytes]) -> Stored:
        """Store bytes as they come, never whole in memory; what `pieces` raises comes through, and nothing is left."""

    async def get(self, client_id: str, sha256: str) -> bytes:
        """The bytes; `FileNotFoundError` if they are not there."""

    async def get_pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        """The bytes piece by piece; `FileNotFoundError` at once if they are not there."""


class ObjectBlobs:
    """Blobs in any store that obstore speaks: `file:///...`, `s3://...`, `memory:///`.

    obstore is loaded with the first bytes that are asked for: many a system never has any.
    """

    def __init__(self, url: str, ids: Ids, folder: Path | None = None) -> None:
        self._url = url
        self._ids = ids
        self._folder = folder

    @classmethod
    def in_folder(cls, folder: Path, ids: Ids) -> "ObjectBlobs":
        """Blobs in a local folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder.resolve().as_uri(), ids, folder)

    @cached_property
    def _store(self) -> "ObjectStore":
        from obstore.store import from_url

        return from_url(self._url)

    def discard_abandoned(self, now: datetime) -> None:
        """Remove what processes that were killed left unfinished in the folder."""
        if self._folder is None:
            return
        for path in (self._folder / UPLOADS).glob("*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < (now - ABANDONED).timestamp():
                    path.unlink()

    async def put(self, client_id: str, sha256: str, data: bytes) -> None:
        await self._place(_chunks(data), lambda: _path(client_id, sha256))

    async def put_pieces(self, client_id: str, pieces: AsyncIterable[bytes]) -> Stored:
        counted = _Counted(pieces)
        await self._place(counted, lambda: _path(client_id, counted.sha256))
        return Stored(counted.sha256, counted.size_bytes)

    async def get(self, client_id: str, sha256: str) -> bytes:
        return b"".join([piece async for piece in await self.get_pieces(client_id, sha256)])

    async def get_pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        with _faults():
            found = await self._store.get_async(_path(client_id, sha256))
        return _views(found.stream(min_chunk_size=CHUNK_BYTES))

    async def stored_before(self, before: datetime) -> AsyncIterator[list[tuple[str, str]]]:
        """Clients and hashes of what was written before this time and not since, some at a time."""
        with _faults():
            async for listed in self._store.list():
                found = [_NAMED.fullmatch(each["path"]) for each in listed if each["last_modified"] < before]
                if stored := [(name[1], name[2]) for name in found if name is not None]:
                    yield stored

    async def remove(self, client_id: str, sha256: str, before: datetime) -> bool:
        """Remove what was written before this time; what was written anew since stays, and False is returned.

        In a folder the file is put aside before it is looked at: one that an upload puts there meanwhile is another.
        Elsewhere an upload of the very same bytes in the moment between look and removal would be lost.
        """
        path, aside = _path(client_id, sha256), f"{UPLOADS}/{self._ids.new('removal')}"
        with _faults():
            if not await self._is_older(path, before):
                return False
            if self._folder is None:
                await self._store.delete_async(path)
                return True
            await self._store.rename_async(path, aside)
            if not await self._is_older(aside, before):
                await self._store.rename_async(aside, path)
                return False
            await self._store.delete_async(aside)
        return True

    async def _is_older(self, path: str, before: datetime) -> bool:
        return (await self._store.head_async(path))["last_modified"] < before

    async def _place(self, pieces: AsyncIterable[Any], name: Callable[[], str]) -> None:
        """Write the pieces, then give them the name that is known when all of them have come."""
        upload = f"{UPLOADS}/{self._ids.new('upload')}"
        with _faults():
            # One part at a time: the network is slower than the store, and memory is bounded by what is in flight.
            await self._store.put_async(upload, pieces, chunk_size=PART_BYTES, max_concurrency=1)
            try:
                if self._folder is not None:
                    await asyncio.to_thread(_sync_file, self._folder / upload)
                await self._store.rename_async(upload, name())
            except BaseException:
                with suppress(OSError), _faults():
                    await self._store.delete_async(upload)
                raise
            if self._folder is not None:
                await asyncio.to_thread(_sync_folders, self._folder, Path(name()).parent)


class _Counted:
    """Pieces on their way, hashed and counted as they pass."""

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces
        self._hash = sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            self._hash.update(piece)
            self.size_bytes += len(piece)
            yield piece


def _path(client_id: str, sha256: str) -> str:
    return f"{client_id}/{sha256[:2]}/{sha256}"


async def _chunks(data: bytes) -> AsyncIterator[memoryview]:
    """The bytes piece by piece, without copying them."""
    view = memoryview(data)
    for first in range(0, len(view), CHUNK_BYTES):
        yield view[first : first + CHUNK_BYTES]


async def _views(stream: AsyncIterable[Any]) -> AsyncIterator[memoryview]:
    with _faults():
        async for chunk in stream:
            yield memoryview(chunk)


@contextmanager
def _faults() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise BlobsAway(f"the artifact store cannot be used: {error}") from error


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folders(root: Path, inner: Path) -> None:
    """Make the names durable from a folder up to the root, whichever of them are new."""
    for folder in (inner, *inner.parents):
        sync_folder(root / folder)
