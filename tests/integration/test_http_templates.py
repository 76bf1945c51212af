"""Templates are published as YAML or JSON, refused with line and column, and read back as they were written."""

import orjson
import pytest

from tests.integration.http_api import OTHER_KEY, WORKER, Api
from tests.integration.http_parts import GREETING

COUNTING = "template: count\nstages:\n  up: {action: count}\n"
REGISTRATION = {"workerId": "worker-1", "capabilities": ["count"]}


async def test_a_template_is_published_under_its_next_version(api: Api) -> None:
    await api.post("/api/workers", REGISTRATION, by=WORKER)
    first = await api.post("/api/templates", COUNTING.encode())
    second = await api.post("/api/templates", COUNTING.replace("up", "on").encode())

    assert (first.status, first.headers["Location"]) == (201, "/api/templates/count?version=1")
    assert first.document == {"template": "count", "version": 1, "created": True, "warnings": []}
    assert second.document == {"template": "count", "version": 2, "created": True, "warnings": []}


async def test_the_same_content_is_the_same_version(api: Api) -> None:
    source = f"{COUNTING}version: 1\n".encode()
    await api.post("/api/templates", source)
    again = await api.post("/api/templates", source)

    assert (again.status, again.document["version"], again.document["created"]) == (201, 1, False)


async def test_another_content_under_a_version_that_is_there_is_refused(api: Api) -> None:
    await api.post("/api/templates", f"{COUNTING}version: 1\n".encode())
    answer = await api.post("/api/templates", f"{COUNTING}version: 1\n".replace("up", "on").encode())

    assert (answer.status, answer.code) == (409, "version_taken")


async def test_an_action_that_no_worker_offers_is_a_warning(api: Api) -> None:
    answer = await api.post("/api/templates", COUNTING.encode())

    assert answer.document["warnings"] == [
        {"path": "stages.up.action", "message": "no worker in reach offers count now"}
    ]


@pytest.mark.parametrize("content_type", ["application/json", "application/yaml", "text/plain"])
async def test_json_is_taken_whatever_it_is_called(api: Api, content_type: str) -> None:
    source = orjson.dumps({"template": "count", "stages": {"up": {"action": "count"}}})
    answer = await api.call("POST", "/api/templates", source, headers={"Content-Type": content_type})

    assert answer.status == 201


async def test_every_fault_is_told_with_its_line_and_column(api: Api) -> None:
    answer = await api.post("/api/templates", b"template: count\nstages:\n  up: {action: count, neds: [on]}\n  on: 7\n")

    first, second = answer.document["error"]["details"]
    assert (answer.status, answer.code) == (422, "invalid_template")
    assert (first["path"], first["line"], first["column"]) == ("stages.up.neds", 3, 23)
    assert (second["path"], second["line"], second["column"]) == ("stages.on", 4, 7)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
        b"a: &a [*a]",
        b"x" * 300_000,
        b"template: count\nversion: 99999999999\n",
    ],
    ids=lambda source: repr(source[:20]),
)
async def test_what_is_no_template_is_refused(api: Api, source: bytes) -> None:
    answer = await api.post("/api/templates", source)

    assert (answer.status, answer.code) == (422, "invalid_template")


async def test_a_source_far_past_any_templates_size_is_not_read(api: Api) -> None:
    assert (await api.post("/api/templates", b"#" * 1_100_000)).status == 413


@pytest.mark.parametrize(
    "path", ["/api/templates/count", "/api/master-templates/count", "/api/templates/count?version=1"]
)
async def test_a_template_is_read_back_as_it_was_written(api: Api, path: str) -> None:
    source = "\ufeff" + COUNTING + "description: counts\n# how far?\n"
    await api.post("/api/templates", source.encode())
    answer = await api.get(path)

    assert answer.document == {
        "template": "count",
        "version": 1,
        "description": "counts",
        "shipped": False,
        "publishedAt": "2026-01-01T12:00:00.000Z",
        "source": source.removeprefix("\ufeff"),
        "document": {"template": "count", "stages": {"up": {"action": "count"}}, "description": "counts"},
    }


async def test_a_clients_templates_are_its_own_and_the_shipped_ones_everybodys(api: Api) -> None:
    await api.post("/api/templates", COUNTING.encode())
    own = await api.get("/api/templates")
    others = await api.get("/api/templates", by=OTHER_KEY)

    assert [(one["template"], one["shipped"]) for one in own.document["templates"]] == [
        ("greet", True),
        ("count", False),
    ]
    assert [one["template"] for one in others.document["templates"]] == ["greet"]
    assert (await api.get("/api/templates/count", by=OTHER_KEY)).code == "unknown_template"


@pytest.mark.parametrize("query", ["version=0", "version=x", "version=99999999999", "versoin=1"])
async def test_a_version_is_a_number(api: Api, query: str) -> None:
    assert (await api.get(f"/api/templates/greet?{query}")).status == 422


async def test_a_shipped_template_is_read_by_its_name(api: Api) -> None:
    assert (await api.get("/api/master-templates/greet")).document["source"] == GREETING
