"""Artifacts' bytes, stored and read in pieces."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.store.blobs import ABANDONED, CHUNK_BYTES, PART_BYTES, ArtifactLost, BlobsAway, ObjectBlobs, Stored
from orchestrator.system import SystemClock, TimeOrderedIds

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 12 * CHUNK_BYTES + 7]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def blobs(folder: Path) -> ObjectBlobs:
    return ObjectBlobs.in_folder(folder, TimeOrderedIds())


def some_bytes(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + bytes(size % 256)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def in_pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for first in range(0, len(data), size):
        yield data[first : first + size]


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_stored_comes_back_whole(blobs: ObjectBlobs, size: int) -> None:
    data = some_bytes(size)
    digest = sha256(data).hexdigest()

    for _ in range(2):
        await blobs.put("client_1", digest, data)

    assert await blobs.get("client_1", digest) == data


@pytest.mark.parametrize("size", SIZES)
async def test_what_comes_in_pieces_is_found_by_the_hash_of_the_whole(
    blobs: ObjectBlobs, folder: Path, size: int
) -> None:
    data = some_bytes(size)
    digest = sha256(data).hexdigest()

    stored = [await blobs.put_pieces("client_1", in_pieces(data)) for _ in range(2)]
    pieces = [bytes(piece) async for piece in await blobs.get_pieces("client_1", digest)]

    assert stored == [Stored(digest, size)] * 2
    assert b"".join(pieces) == data
    assert files(folder) == [f"client_1/{digest[:2]}/{digest}"]


async def test_a_client_has_a_space_of_its_own(blobs: ObjectBlobs) -> None:
    await blobs.put("client_1", "a" * 64, b"mine")

    with pytest.raises(ArtifactLost):
        await blobs.get("client_2", "a" * 64)


async def test_an_upload_that_breaks_off_leaves_nothing_and_tells_why(blobs: ObjectBlobs, folder: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3 * PART_BYTES)
        raise ConnectionResetError("the line is dead")

    with pytest.raises(ConnectionResetError, match="the line is dead"):
        await blobs.put_pieces("client_1", broken())

    assert files(folder) == []


async def test_an_upload_that_is_cancelled_leaves_nothing(blobs: ObjectBlobs, folder: Path) -> None:
    waits = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield bytes(3 * PART_BYTES)
        waits.set()
        await asyncio.Event().wait()

    upload = asyncio.ensure_future(blobs.put_pieces("client_1", stuck()))
    await waits.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    async with asyncio.timeout(10):
        while files(folder):  # removed by a thread of the store's own
            await asyncio.to_thread(os.sched_yield)


async def test_what_a_killed_process_left_unfinished_is_discarded_in_time(blobs: ObjectBlobs, folder: Path) -> None:
    await blobs.put_pieces("client_1", in_pieces(b"whole"))
    (folder / "uploads" / "upload_1#1").write_bytes(b"half")
    kept = files(folder)
    now = SystemClock().now()

    await blobs.discard_abandoned(now)
    assert files(folder) == kept

    await blobs.discard_abandoned(now + ABANDONED + timedelta(minutes=1))
    assert files(folder) == [name for name in kept if name.startswith("client_1/")]


async def test_a_store_that_cannot_be_written_says_so_in_the_words_of_a_fault(folder: Path, blobs: ObjectBlobs) -> None:
    (folder / "uploads").write_text("a file where a folder should be")

    with pytest.raises(BlobsAway, match="the artifact store cannot be used"):
        await blobs.put("client_1", "a" * 64, b"mine")
