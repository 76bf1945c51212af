"""Uploads and downloads of the kit against a server that breaks off, lies, refuses and falls silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from protocol.packets import AttemptKey
from tests.contract.orchestrator_double import QUICK, SECRET
from workers.kit import ActionError, Artifact, Context
from workers.kit.artifacts import Transfers
from workers.kit.backoff import Backoff
from workers.kit.orchestrators import Orchestrators
from workers.kit.seams import Seams
from workers.kit.timing import Timing

KEY = AttemptKey(execution_id="exec_1", stage_id="exec_1.only", attempt=1, fence=7)
CONTENT = bytes(range(256)) * 4_000
DIGEST = sha256(CONTENT).hexdigest()
REFERENCE = Artifact(sha256=DIGEST, size_bytes=len(CONTENT), content_type="text/csv")
HASTY = replace(QUICK, transfer=Backoff(0.001, 0.001), transfer_tries=4, transfer_idle_s=30)


@dataclass(slots=True)
class ArtifactStore:
    """Keeps what it is sent. `tricks` are played one a call, before it behaves."""

    tricks: list[str] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)
    stuck: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(("PUT", request.path_qs, request.headers.get("Content-Type")))
        trick = self._trick()
        if trick == "break":
            await request.content.readexactly(1000)
            return _hang_up(request)
        if trick.isdecimal():
            return _refusal(int(trick))
        content = await request.read()
        if trick == "lie":
            content = content[1:]
        digest = sha256(content).hexdigest()
        self.kept[digest] = content
        reference = Artifact(sha256=digest, size_bytes=len(content), content_type=request.headers["Content-Type"])
        return web.json_response(reference.document(), status=201)

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(("GET", request.path_qs, None))
        trick = self._trick()
        if trick.isdecimal():
            return _refusal(int(trick))
        content = self.kept[request.match_info["sha256"]]
        if trick == "lie":
            return web.Response(body=content[::-1])
        response = web.StreamResponse()
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content[:1000])
        if trick == "break":
            return _hang_up(request)
        if trick == "stick":
            self.stuck.set()
            await asyncio.Event().wait()
        await response.write(content[1000:])
        return response

    def _trick(self) -> str:
        return self.tricks.pop(0) if self.tricks else ""


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _refusal(status: int) -> web.Response:
    return web.json_response({"error": {"code": "no", "message": "not like this"}}, status=status)


@asynccontextmanager
async def transfers_to(store: ArtifactStore, timing: Timing = HASTY) -> AsyncIterator[Context]:
    """The context of an attempt whose orchestrator is this store."""
    app = web.Application(client_max_size=0)
    app.router.add_put("/api/executions/{executionId}/stages/{stageId}/artifacts", store.put)
    app.router.add_get("/api/executions/{executionId}/artifacts/{sha256}", store.get)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
    headers = {"Authorization": f"Bearer {SECRET}", "X-Worker-ID": "w", "Content-Type": "application/json"}
    try:
        async with Transfers(Orchestrators([url]), headers, Seams(), timing) as transfers:
            yield Context(KEY, "work", lambda report: None, transfers=transfers)
    finally:
        await runner.cleanup()


@pytest.fixture
def store() -> ArtifactStore:
    return ArtifactStore()


@pytest.fixture
async def context(store: ArtifactStore) -> AsyncIterator[Context]:
    async with transfers_to(store) as context:
        yield context


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_bytes_and_files_are_uploaded_under_the_fence_with_their_type(
    context: Context, store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "table").write_bytes(CONTENT)

    assert await context.upload(CONTENT, "text/csv") == REFERENCE
    assert await context.upload(tmp_path / "table", "text/csv") == REFERENCE
    assert store.calls == [("PUT", "/api/executions/exec_1/stages/exec_1.only/artifacts?fence=7", "text/csv")] * 2


async def test_nothing_can_be_uploaded_as_well(context: Context) -> None:
    assert (await context.upload(b"")).size_bytes == 0


@pytest.mark.parametrize("trick", ["break", "lie", "503", "429"])
async def test_a_transfer_that_goes_wrong_is_tried_again(
    context: Context, store: ArtifactStore, tmp_path: Path, trick: str
) -> None:
    store.tricks = [trick, trick]
    assert await context.upload(CONTENT, "text/csv") == REFERENCE

    store.tricks = [trick, trick]
    fetched = await context.download(REFERENCE, tmp_path / "fetched")

    assert fetched.read_bytes() == CONTENT
    assert names(tmp_path) == ["fetched"]
    assert [method for method, *_ in store.calls] == ["PUT"] * 3 + ["GET"] * 3


async def test_a_transfer_that_stands_still_is_tried_again(store: ArtifactStore, tmp_path: Path) -> None:
    store.kept[DIGEST] = CONTENT
    store.tricks = ["stick"]
    async with transfers_to(store, replace(HASTY, transfer_idle_s=1, transfer_tries=20)) as context:
        fetched = await context.download(DIGEST, tmp_path / "fetched")

    assert store.stuck.is_set()
    assert fetched.read_bytes() == CONTENT


async def test_what_never_succeeds_fails_the_attempt_so_that_another_is_made(
    context: Context, store: ArtifactStore, tmp_path: Path
) -> None:
    store.tricks = ["break"] * 4
    with pytest.raises(ActionError) as failed:
        await context.upload(CONTENT)

    assert (failed.value.failure.code, failed.value.failure.retryable) == ("artifact_unavailable", True)
    assert len(store.calls) == 4


@pytest.mark.parametrize(
    ("status", "code"), [("404", "artifact_not_found"), ("409", "stale_fence"), ("413", "artifact_too_large")]
)
async def test_what_is_refused_is_final_and_not_tried_again(
    context: Context, store: ArtifactStore, tmp_path: Path, status: str, code: str
) -> None:
    store.tricks = [status, status]
    for transfer in (context.upload(CONTENT), context.download(DIGEST, tmp_path / "fetched")):
        with pytest.raises(ActionError, match="not like this") as failed:
            await transfer

        assert (failed.value.failure.code, failed.value.failure.retryable) == (code, False)
    assert len(store.calls) == 2
    assert names(tmp_path) == []


async def test_a_failed_download_leaves_the_file_that_was_there(
    context: Context, store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "fetched").write_text("older")
    store.kept[DIGEST] = CONTENT
    store.tricks = ["lie"] * 4
    with pytest.raises(ActionError, match="does not have the hash"):
        await context.download(DIGEST, tmp_path / "fetched")

    assert names(tmp_path) == ["fetched"]
    assert (tmp_path / "fetched").read_text() == "older"


async def test_a_file_that_is_not_there_is_the_handlers_own_error(
    context: Context, store: ArtifactStore, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await context.upload(tmp_path / "missing")

    assert store.calls == []


async def test_a_thread_blocks_until_its_transfer_is_through(context: Context, tmp_path: Path) -> None:
    def work() -> bytes:
        artifact = context.upload_now(CONTENT, "text/csv")
        return context.download_now(artifact, tmp_path / "fetched").read_bytes()

    assert await asyncio.to_thread(work) == CONTENT


async def test_a_thread_is_let_go_when_its_attempt_is_told_to_stop(
    context: Context, store: ArtifactStore, tmp_path: Path
) -> None:
    store.kept[DIGEST] = CONTENT
    store.tricks = ["stick"]
    blocked = asyncio.ensure_future(asyncio.to_thread(context.download_now, DIGEST, tmp_path / "fetched"))
    await store.stuck.wait()
    context.cancelled.set()

    with pytest.raises(ActionError, match="told to stop"):
        await blocked


async def test_an_async_action_that_blocks_on_a_transfer_is_told_what_to_do(context: Context) -> None:
    with pytest.raises(RuntimeError, match=r"awaits context\.upload"):
        context.upload_now(CONTENT)


async def test_a_context_without_a_worker_has_nobody_to_keep_artifacts() -> None:
    with pytest.raises(RuntimeError, match="no running worker"):
        await Context(KEY, "work", lambda report: None).upload(CONTENT)


def test_an_artifact_is_told_by_its_hash_its_size_and_its_type() -> None:
    assert REFERENCE.document() == {"sha256": DIGEST, "sizeBytes": len(CONTENT), "contentType": "text/csv"}
    assert Artifact.model_validate(REFERENCE.document()) == REFERENCE
