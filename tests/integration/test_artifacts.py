"""Artifacts over HTTP, on a real replica and its folder: whose they are, and what is left of broken ones."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel
from yarl import URL

from orchestrator.accounts.principal import WorkerPrincipal
from orchestrator.call_faults import ApiError
from orchestrator.client import BatonClient
from orchestrator.dispatch.replica import Replica
from orchestrator.store.database import Database
from orchestrator.web import artifacts
from protocol.packets import Process
from tests.integration.http_api import CLIENT_KEY, OTHER_KEY, READER_KEY, WORKER, Answer, Api, serving
from tests.integration.http_parts import Authenticator
from tests.integration.test_http_on_replica import services_of, submitted
from tests.replicas import ScriptedWorker, a_replica, accepting
from workers.kit import Artifact, Context, Worker
from workers.kit.service import Service, Settings

LIMIT = 3_000_000
CONTENT = bytes(range(256)) * 8_000
DIGEST = sha256(CONTENT).hexdigest()
REFERENCE = {"sha256": DIGEST, "sizeBytes": len(CONTENT), "contentType": "application/pdf"}
PDF = {"Content-Type": "application/pdf"}
ONE = "template: one\nstages: {only: {action: work}}\n"


class Trusting(Authenticator):
    """Any secret is a worker's: the kit's worker shows the one that the replica calls it with."""

    async def by_worker(self, secret: str, worker_id: str) -> WorkerPrincipal | None:
        return WorkerPrincipal(worker_id)


@pytest.fixture
async def replica(database: Database, tmp_path: Path) -> AsyncIterator[Replica]:
    async with a_replica(database, tmp_path) as replica:
        yield replica


@pytest.fixture
async def api(replica: Replica, database: Database) -> AsyncIterator[Api]:
    services = replace(services_of(replica, database), authenticator=Trusting(), max_artifact_bytes=LIMIT)
    async with serving(services) as api:
        yield api


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def uploaded(api: Api, content: bytes = CONTENT) -> Answer:
    return await api.call("POST", "/api/artifacts", content, headers=PDF)


async def held(api: Api, replica: Replica) -> tuple[str, Process]:
    """The path of a stage that worker-1 is at work on, and its process packet."""
    worker = await ScriptedWorker(replica, accepting, worker_id="worker-1").join()
    execution_id = await submitted(api, ONE)
    process: Process = await worker.got(Process)
    return f"/api/executions/{execution_id}/stages/{process.stage_id}", process


async def begun(api: Api, method: str, path: str, length: int, headers: dict[str, str]) -> tuple[Any, Any]:
    """An upload whose body a test writes itself."""
    url = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": str(length)}.items())
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{lines}\r\n".encode())
    return reader, writer


async def until_one_is_under_way(folder: Path) -> None:
    async with asyncio.timeout(20):
        while not files(folder):
            await asyncio.to_thread(lambda: None)


async def test_what_was_uploaded_is_downloaded_under_its_hash_with_its_type(api: Api) -> None:
    answers = [await uploaded(api) for _ in range(2)]
    got = await api.get(f"/api/artifacts/{DIGEST}")

    assert [(answer.status, answer.document) for answer in answers] == [(201, REFERENCE)] * 2
    assert answers[0].headers["Location"] == f"/api/artifacts/{DIGEST}"
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, CONTENT, "application/pdf")


async def test_a_head_tells_the_type_and_the_size_alone(api: Api) -> None:
    await uploaded(api)
    async with api.session.head(f"{api.url}/api/artifacts/{DIGEST}", headers=CLIENT_KEY) as response:
        told = (response.status, response.headers["Content-Type"], response.headers["Content-Length"])
        body = await response.read()

    assert (told, body) == ((200, "application/pdf", str(len(CONTENT))), b"")


async def test_no_browser_shows_an_artifact_as_a_page(api: Api) -> None:
    page = b"<script>alert(1)</script>"
    await api.call("POST", "/api/artifacts", page, headers={"Content-Type": "text/html"})
    got = await api.get(f"/api/artifacts/{sha256(page).hexdigest()}")

    assert got.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in got.headers["Content-Security-Policy"]


async def test_an_artifact_is_its_clients_alone(api: Api) -> None:
    await uploaded(api)
    other = await api.get(f"/api/artifacts/{DIGEST}", by=OTHER_KEY)
    reader = await api.get(f"/api/artifacts/{DIGEST}", by=READER_KEY)
    refused = await api.call("POST", "/api/artifacts", CONTENT, by=READER_KEY)

    assert (other.status, other.code) == (404, "unknown_artifact")
    assert (reader.status, refused.status) == (200, 403)


@pytest.mark.parametrize("content_type", ["pdf", "application/", "a b/c", "x" * 300, "text/plain\x80"])
async def test_what_is_no_media_type_is_refused(api: Api, content_type: str) -> None:
    answer = await api.call("POST", "/api/artifacts", CONTENT, headers={"Content-Type": content_type})

    assert (answer.status, answer.code) == (415, "unsupported_media_type")


async def test_more_than_the_limit_is_refused_in_a_sentence_and_leaves_nothing(api: Api, folder: Path) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield bytes(LIMIT // 3)

    announced = await uploaded(api, bytes(LIMIT + 1))
    async with api.session.post(f"{api.url}/api/artifacts", data=unannounced(), headers=CLIENT_KEY) as response:
        found_out = await response.json()
    allowed = await uploaded(api, bytes(LIMIT))

    sentence = f"the artifact has more than {LIMIT} bytes, the most that is taken here"
    assert (announced.status, announced.document["error"]["message"]) == (413, sentence)
    assert (response.status, found_out["error"]["message"]) == (413, sentence)
    assert allowed.status == 201
    assert files(folder) == [sha256(bytes(LIMIT)).hexdigest()]


async def test_an_upload_that_breaks_off_leaves_nothing(api: Api, folder: Path) -> None:
    _, writer = await begun(api, "POST", "/api/artifacts", len(CONTENT) + 1, {**CLIENT_KEY})
    writer.write(CONTENT)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    whole = await uploaded(api)

    assert whole.status == 201
    assert files(folder) == [DIGEST]


async def test_a_client_has_only_so_many_uploads_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MOST_OF_A_CLIENT", 0)
    refused = await uploaded(api)

    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_uploads", "5")


async def test_a_worker_uploads_for_the_client_whose_attempt_it_holds(api: Api, replica: Replica) -> None:
    stage, process = await held(api, replica)
    answer = await api.call("PUT", f"{stage}/artifacts?fence={process.fence}", CONTENT, by=WORKER, headers=PDF)
    got = await api.get(f"/api/artifacts/{DIGEST}")
    fetched = await api.get(f"/api/executions/{process.execution_id}/artifacts/{DIGEST}", by=WORKER)

    assert (answer.status, answer.document) == (201, REFERENCE)
    assert (got.body, fetched.body) == (CONTENT, CONTENT)


async def test_a_worker_gets_nothing_of_another_client(api: Api, replica: Replica) -> None:
    _, process = await held(api, replica)
    await api.call("POST", "/api/artifacts", CONTENT, by=OTHER_KEY)
    answer = await api.get(f"/api/executions/{process.execution_id}/artifacts/{DIGEST}", by=WORKER)
    nothing = await api.get(f"/api/executions/exec_none/artifacts/{DIGEST}", by=WORKER)

    assert (answer.status, answer.code) == (404, "unknown_artifact")
    assert (nothing.status, nothing.code) == (404, "unknown_execution")


async def test_an_upload_under_a_fence_that_does_not_rule_is_told_to_stop(
    api: Api, replica: Replica, folder: Path
) -> None:
    stage, process = await held(api, replica)
    another = {**WORKER, "X-Worker-ID": "worker-2"}
    for fence, by in ((process.fence + 1, WORKER), (process.fence, another)):
        answer = await api.call("PUT", f"{stage}/artifacts?fence={fence}", CONTENT, by=by)

        assert (answer.status, answer.code, answer.document["directive"]) == (409, "stale_fence", "stop")
    for query in ("", "?fence=x", "?fence=0", "?fence=1&fence=2", "?fense=1"):
        assert (await api.call("PUT", f"{stage}/artifacts{query}", CONTENT, by=WORKER)).status == 422, query
    assert files(folder) == []


async def test_an_upload_whose_attempt_is_cancelled_in_the_middle_is_told_to_stop(
    api: Api, replica: Replica, folder: Path
) -> None:
    stage, process = await held(api, replica)
    path = f"{stage}/artifacts?fence={process.fence}"
    reader, writer = await begun(api, "PUT", path, len(CONTENT), dict(WORKER))
    writer.write(CONTENT[:-1])
    await until_one_is_under_way(folder)
    cancelled = await api.post(f"/api/executions/{process.execution_id}/cancel")
    writer.write(CONTENT[-1:])
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()

    assert (cancelled.status, status) == (200, 409)
    assert files(folder) == []


async def test_the_client_library_sends_and_fetches_files(api: Api, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(CONTENT)
    async with BatonClient(api.url, CLIENT_KEY["X-API-Key"]) as client:
        references = [
            await client.upload_artifact(source, "application/pdf"),
            await client.upload_artifact(CONTENT, "application/pdf"),
        ]
        await client.download_artifact(DIGEST, target)
        with pytest.raises(ApiError, match="unknown_artifact"):
            await client.download_artifact("0" * 64, tmp_path / "none")

    assert references == [REFERENCE] * 2
    assert target.read_bytes() == CONTENT
    assert [name for name in files(tmp_path) if name.endswith(".partial")] == []


class Given(BaseModel):
    of: Artifact
    to: Path


def copier() -> Worker:
    worker = Worker("copier")

    @worker.action("reverse")
    async def reverse(given: Given, context: Context) -> dict[str, Any]:
        content = (await context.download(given.of, given.to)).read_bytes()
        return {"reversed": await context.upload(content[::-1], "application/x-reversed")}

    @worker.action("reverse_in_a_thread")
    def reverse_in_a_thread(given: Given, context: Context) -> dict[str, Any]:
        path = context.download_now(given.of.sha256, given.to)
        path.write_bytes(path.read_bytes()[::-1])
        return {"reversed": context.upload_now(path, "application/x-reversed")}

    return worker


@pytest.mark.parametrize("action", ["reverse", "reverse_in_a_thread"])
async def test_an_action_fetches_what_its_input_names_and_returns_a_reference(
    api: Api, tmp_path: Path, action: str
) -> None:
    to = str(tmp_path / "fetched")
    template = f"template: t\nstages: {{only: {{action: {action}, with: {{of: '${{input.of}}', to: '{to}'}}}}}}\n"
    settings = Settings(orchestrator=URL(api.url), secret="secret", worker_id="w", slots=1, transport="http", port=0)
    async with Service(copier(), settings) as service:
        running = asyncio.create_task(service.run())
        try:
            await uploaded(api)
            await api.post("/api/templates", template.encode())
            answer = await api.post("/api/pipelines/execute", {"template": "t", "input": {"of": REFERENCE}})
            async with BatonClient(api.url, CLIENT_KEY["X-API-Key"]) as client:
                async with asyncio.timeout(20):
                    last = [event async for event in client.events(answer.document["executionId"])][-1]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    reference = last.data["result"]["only"]["reversed"]
    got = await api.get(f"/api/artifacts/{reference['sha256']}")

    assert reference == {
        "sha256": sha256(CONTENT[::-1]).hexdigest(),
        "sizeBytes": len(CONTENT),
        "contentType": "application/x-reversed",
    }
    assert got.body == CONTENT[::-1]
