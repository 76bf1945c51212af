"""Artifacts' bytes, stored and read in pieces."""

from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.store.blobs import CHUNK_BYTES, ObjectBlobs

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 12 * CHUNK_BYTES + 7]


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_stored_comes_back_whole(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    digest = sha256(data).hexdigest()
    blobs = ObjectBlobs.in_folder(tmp_path / "artifacts")

    for _ in range(2):
        await blobs.put("client_1", digest, data)

    assert await blobs.get("client_1", digest) == data


async def test_a_client_has_a_space_of_its_own(tmp_path: Path) -> None:
    blobs = ObjectBlobs.in_folder(tmp_path / "artifacts")
    await blobs.put("client_1", "a" * 64, b"mine")

    with pytest.raises(FileNotFoundError):
        await blobs.get("client_2", "a" * 64)
