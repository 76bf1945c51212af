"""Artifacts' bytes in S3, as in a folder."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from orchestrator.store.blobs import ABANDONED, PART_BYTES, ArtifactLost, BlobsAway, ObjectBlobs, Stored, UnusableUrl
from orchestrator.system import SystemClock, TimeOrderedIds
from tests.store.s3_server import Kept, S3Server, s3_server

DATA = b"granite" * 100_000
DIGEST = sha256(DATA).hexdigest()
KEY = f"prefix/client_1/{DIGEST[:2]}/{DIGEST}"


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Server]:
    async with s3_server() as s3:
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        yield s3


@pytest.fixture
def blobs(s3: S3Server) -> ObjectBlobs:
    return ObjectBlobs.at("s3://bucket/prefix/", TimeOrderedIds())


@pytest.fixture
async def marked(blobs: ObjectBlobs) -> ObjectBlobs:
    await blobs.put_mark("artifacts_1")
    blobs.expect("artifacts_1")
    return blobs


async def in_pieces(data: bytes, size: int = 1_000_000) -> AsyncIterator[bytes]:
    for first in range(0, len(data), size):
        yield data[first : first + size]


@pytest.mark.parametrize("data", [b"", DATA, bytes(2 * PART_BYTES + 1)])
async def test_what_is_stored_is_under_its_hash_and_comes_back_whole(
    blobs: ObjectBlobs, s3: S3Server, data: bytes
) -> None:
    digest = sha256(data).hexdigest()

    stored = await blobs.put_pieces("client_1", in_pieces(data))
    await blobs.put("client_2", digest, data)

    assert stored == Stored(digest, len(data))
    assert await blobs.get("client_1", digest) == data
    assert b"".join([bytes(piece) async for piece in await blobs.get_pieces("client_2", digest)]) == data
    assert sorted(s3.objects) == [f"prefix/{client}/{digest[:2]}/{digest}" for client in ("client_1", "client_2")]


async def test_an_upload_that_breaks_off_leaves_nothing(blobs: ObjectBlobs, s3: S3Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2 * PART_BYTES)
        raise ConnectionResetError("the line is dead")

    with pytest.raises(ConnectionResetError, match="the line is dead"):
        await blobs.put_pieces("client_1", broken())

    assert s3.objects == {}


async def test_old_artifacts_are_found_and_removed_and_what_was_written_anew_stays(
    blobs: ObjectBlobs, s3: S3Server
) -> None:
    now = SystemClock().now()
    s3.now = datetime(2026, 1, 1, tzinfo=UTC)
    for client in ("client_1", "client_2"):
        await blobs.put(client, DIGEST, DATA)
    s3.now = now
    await blobs.put("client_2", DIGEST, DATA)
    before = now - timedelta(hours=1)

    found = [each async for page in blobs.stored_before(before) for each in page]
    removed = [await blobs.remove(client, DIGEST, before) for client in ("client_1", "client_2")]

    assert (found, removed) == ([("client_1", DIGEST)], [True, False])
    assert list(s3.objects) == [KEY.replace("client_1", "client_2")]


async def test_what_a_killed_process_left_unfinished_is_discarded_in_time(blobs: ObjectBlobs, s3: S3Server) -> None:
    now = SystemClock().now()
    s3.objects["prefix/uploads/upload_1"] = Kept(b"half", now - ABANDONED - timedelta(minutes=1))
    s3.objects["prefix/uploads/upload_2"] = Kept(b"half", now)
    s3.objects[KEY] = Kept(DATA, now - 2 * ABANDONED)

    await blobs.discard_abandoned(now)

    assert sorted(s3.objects) == [KEY, "prefix/uploads/upload_2"]


async def test_an_artifact_that_is_not_there_or_not_given_out_is_lost_while_the_store_answers(
    marked: ObjectBlobs, s3: S3Server
) -> None:
    await marked.put("client_1", DIGEST, DATA)
    s3.forbidden.add(KEY)

    with pytest.raises(ArtifactLost, match="is not in the artifact store"):
        await marked.get("client_1", "a" * 64)
    with pytest.raises(ArtifactLost, match=f"the artifact {DIGEST} cannot be read"):
        await marked.get("client_1", DIGEST)
    with pytest.raises(ArtifactLost, match=f"the artifact {DIGEST} cannot be read"):
        await marked.get_pieces("client_1", DIGEST)


async def test_while_the_store_itself_does_not_answer_nothing_is_lost(marked: ObjectBlobs, s3: S3Server) -> None:
    await marked.put("client_1", DIGEST, DATA)
    s3.is_away = True
    with pytest.raises(BlobsAway):
        await marked.get("client_1", DIGEST)

    s3.is_away = False
    s3.objects.clear()
    with pytest.raises(BlobsAway, match="s3://bucket/prefix is not the artifact store that it was"):
        await marked.get("client_1", DIGEST)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("artifacts", "is neither file:///folder nor s3://bucket/prefix"),
        ("/srv/artifacts", "is neither"),
        ("file://host/srv", "is neither"),
        ("file:///", "is neither"),
        ("s3://", "is neither"),
        ("gs://bucket/prefix", "is neither"),
        ("s3://key:secret@bucket/prefix", "credentials are given by the AWS_"),
        ("s3://bucket/prefix?region=x", "credentials are given by the AWS_"),
        ("file:///dev/null/artifacts", "cannot be used: Not a directory"),
    ],
)
def test_a_url_that_is_no_place_for_artifacts_is_refused_in_a_sentence(url: str, why: str) -> None:
    with pytest.raises(UnusableUrl, match=why):
        ObjectBlobs.at(url, TimeOrderedIds())
