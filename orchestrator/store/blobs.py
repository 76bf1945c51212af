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
from urllib.parse import unquote, urlsplit

from orchestrator.core.seams import Ids
from orchestrator.store.private_file import sync_folder, write_private

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

CHUNK_BYTES: Final = 1024 * 1024
PART_BYTES: Final = 5 * CHUNK_BYTES
"""How much of an upload is in memory at once; the least that S3 takes as a part."""
_NAMED: Final = re.compile(r"([^/]+)/[0-9a-f]{2}/([0-9a-f]{64})")
ABANDONED: Final = timedelta(days=1)
"""Older than this, an unfinished upload in a folder is a dead process's."""
UPLOADS: Final = "uploads"
MARK: Final = "baton-artifact-store"
"""The object in which a store keeps its own id."""
MOST_OF_S3: Final = 5 * 1024**3
"""The most bytes that S3 copies at once, as giving an upload its name does."""
_RETRIES: Final["RetryConfig"] = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_CLIENT: Final["ClientConfig"] = {"connect_timeout": "5s", "timeout": "10min", "allow_http": True}
"""The time is that of a whole answer, and a large artifact may be read slowly. An endpoint says if it is http."""


class BlobsAway(OSError):
    """The store cannot be read or written now, or its disk is full; trying again may help."""


class UnusableUrl(ValueError):
    """The URL of an artifact store is none, or what it names cannot be used; the message says why."""


class ArtifactLost(Exception):
    """The store answers, but these bytes are not to be had from it, or are not what was put there."""


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
        """The bytes; `ArtifactLost` if the store is there and does not have them or does not give them."""

    async def get_pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        """The bytes piece by piece; `ArtifactLost` at once if they are not there."""


class ObjectBlobs:
    """Blobs in a folder or in S3; `url` says where.

    obstore is loaded with the first bytes that are asked for: many a system never has any.
    """

    def __init__(self, url: str, ids: Ids, folder: Path | None = None) -> None:
        self.url = url
        self._mark: str | None = None
        self._ids = ids
        self._folder = folder

    @classmethod
    def in_folder(cls, folder: Path, ids: Ids) -> "ObjectBlobs":
        """Blobs in a local folder, which is made if need be. Raises `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder.resolve().as_uri(), ids, folder)

    @cached_property
    def _store(self) -> "ObjectStore":
        from obstore.store import from_url

        if self._folder is not None:
            return from_url(self.url)
        return from_url(self.url, client_options=_CLIENT, retry_config=_RETRIES)

    @classmethod
    def at(cls, url: str, ids: Ids) -> "ObjectBlobs":
        """Blobs at `file:///folder` or `s3://bucket/prefix`; how S3 is reached is said by the usual AWS_* variables.

        Raises `UnusableUrl`.
        """
        parts = urlsplit(url)
        if parts.query or parts.fragment or parts.username is not None:
            raise UnusableUrl(f"{url!r} holds more than a place: credentials are given by the AWS_* variables")
        if parts.scheme == "file" and not parts.netloc and len(parts.path) > 1:
            try:
                return cls.in_folder(Path(unquote(parts.path)), ids)
            except OSError as error:
                raise UnusableUrl(f"{url!r} cannot be used: {error.strerror}") from error
        if parts.scheme == "s3" and parts.netloc:
            return cls._in_s3(url, ids)
        raise UnusableUrl(f"{url!r} is neither file:///folder nor s3://bucket/prefix")

    @classmethod
    def _in_s3(cls, url: str, ids: Ids) -> "ObjectBlobs":
        from obstore.exceptions import BaseError

        blobs = cls(url.rstrip("/"), ids)
        try:
            _ = blobs._store
        except (BaseError, ValueError) as error:
            raise UnusableUrl(f"{url!r} cannot be used: {_first_line(error)}") from error
        return blobs

    @property
    def is_folder(self) -> bool:
        return self._folder is not None

    async def mark(self) -> str | None:
        """The id that the store keeps of itself; None if it has none. Raises `BlobsAway`."""
        try:
            return (await self._marked()).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None

    async def _marked(self) -> bytes:
        if self._folder is None:
            with _faults():
                found = await self._store.get_async(MARK)
                return bytes(await found.bytes_async())
        try:
            return await asyncio.to_thread((self._folder / MARK).read_bytes)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BlobsAway(f"the artifact store cannot be used: {error}") from error

    def expect(self, mark: str) -> None:
        """Take the store for itself from now on only while it bears this mark."""
        self._mark = mark

    async def put_mark(self, mark: str) -> None:
        """Give the store its id, in place of none. Raises `BlobsAway`."""
        content = f"{mark}\n".encode()
        if self._folder is None:
            with _faults():
                await self._store.put_async(MARK, content)
            return
        try:
            await asyncio.to_thread(write_private, self._folder / MARK, content)
        except OSError as error:
            raise BlobsAway(f"the artifact store cannot be used: {error}") from error

    async def discard_abandoned(self, now: datetime) -> None:
        """Remove what processes that were killed left unfinished. Raises `BlobsAway`."""
        if self._folder is not None:
            await asyncio.to_thread(_discard_files, self._folder / UPLOADS, now - ABANDONED)
            return
        with _faults():
            async for listed in self._store.list(UPLOADS):
                if old := [each["path"] for each in listed if each["last_modified"] < now - ABANDONED]:
                    await self._store.delete_async(old)

    async def put(self, client_id: str, sha256: str, data: bytes) -> None:
        await self._place(_chunks(data), lambda: _path(client_id, sha256))

    async def put_pieces(self, client_id: str, pieces: AsyncIterable[bytes]) -> Stored:
        counted = _Counted(pieces)
        await self._place(counted, lambda: _path(client_id, counted.sha256))
        return Stored(counted.sha256, counted.size_bytes)

    async def get(self, client_id: str, sha256: str) -> bytes:
        try:
            return b"".join([piece async for piece in await self._opened(client_id, sha256)])
        except (FileNotFoundError, BlobsAway) as fault:
            raise await self._verdict(sha256, fault) from fault

    async def get_pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        try:
            return await self._opened(client_id, sha256)
        except (FileNotFoundError, BlobsAway) as fault:
            raise await self._verdict(sha256, fault) from fault

    async def _opened(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        with _faults():
            found = await self._store.get_async(_path(client_id, sha256))
        return _views(found.stream(min_chunk_size=CHUNK_BYTES))

    async def _verdict(self, sha256: str, fault: OSError) -> ArtifactLost | BlobsAway:
        """A store that answers for itself has lost what it does not give; one that does not is away, or not mounted."""
        try:
            is_itself = await self.mark() == self._mark
        except BlobsAway as away:
            return away
        if not is_itself:
            return BlobsAway(f"{self.url} is not the artifact store that it was")
        if isinstance(fault, FileNotFoundError):
            return ArtifactLost(f"the artifact {sha256} is not in the artifact store")
        return ArtifactLost(f"the artifact {sha256} cannot be read: {fault}")

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
        raise BlobsAway(f"the artifact store cannot be used: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """What obstore says; the lines below are the insides of its fault."""
    return str(error).partition("\n")[0].strip()


def _discard_files(folder: Path, before: datetime) -> None:
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()


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
