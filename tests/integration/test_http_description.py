"""The description is served, says exactly what is routed, and is a page that loads nothing."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import orjson
from aiohttp import web

from orchestrator.web.application import build_app
from orchestrator.web.table import ROUTES
from tests.integration.http_api import NOBODY, Api, description
from tests.integration.http_parts import Parts


def references(node: Any) -> list[str]:
    match node:
        case dict():
            own = [node["$ref"]] if "$ref" in node else []
            return own + [found for value in node.values() for found in references(value)]
        case list():
            return [found for value in node for found in references(value)]
        case _:
            return []


async def test_the_description_is_served_to_anybody(api: Api) -> None:
    answer = await api.get("/openapi.json", by=NOBODY)

    assert (answer.status, answer.document) == (200, description())


def routes() -> set[tuple[str, str]]:
    """Every method of every path of the application."""
    app: web.Application = build_app(Parts().services())
    return {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}


def test_what_is_routed_is_described_and_what_is_described_is_routed() -> None:
    routed = {(method, path) for method, path in routes() if method != "HEAD"}
    described = {(method.upper(), path) for path, methods in description()["paths"].items() for method in methods}

    assert described == routed


def test_whatever_can_be_got_and_has_an_end_answers_a_head_as_well() -> None:
    got = {path for method, path in routes() if method == "GET"}
    heads = {path for method, path in routes() if method == "HEAD"}

    assert got - heads == {
        "/api/executions/{executionId}/events",
        "/api/workers/{workerId}/link",
        "/api/replicas/{replicaId}/link",
    }
    assert heads < got


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for methods in description()["paths"].values() for operation in methods.values()]

    assert len(set(names)) == len(names) == len(ROUTES)


def test_every_reference_leads_somewhere() -> None:
    schemas = description()["components"]["schemas"]

    assert {reference.removeprefix("#/components/schemas/") for reference in references(description())} <= set(schemas)


def test_every_schema_is_a_json_schema() -> None:
    for schema in description()["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_every_path_parameter_is_described() -> None:
    for path, methods in description()["paths"].items():
        for operation in methods.values():
            named = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
            assert named == re.findall(r"{(\w+)}", path)


def test_clients_bodies_take_nothing_that_is_not_described() -> None:
    schemas = description()["components"]["schemas"]

    assert [
        name for name in ("ExecuteBody", "BatchBody", "NoFields", "LoginBody") if schemas[name]["additionalProperties"]
    ] == []


def test_what_creates_takes_an_idempotency_key() -> None:
    creating = {
        path
        for path, methods in description()["paths"].items()
        for operation in methods.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
    }

    assert creating == {
        "/api/pipelines/execute",
        "/api/pipelines/execute/batch",
        "/api/executions/{executionId}/retry",
    }


class Page(HTMLParser):
    """What a browser would make of the page: its tags, its links and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.style = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            self.style += data


async def test_the_page_loads_nothing_and_runs_nothing(api: Api) -> None:
    answer = await api.get("/docs", by=NOBODY)
    page = Page(answer.body.decode())
    style = b64encode(sha256(page.style.encode()).digest()).decode()

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"default-src 'none'; style-src 'sha256-{style}'" in answer.headers["Content-Security-Policy"]
    assert not {"script", "link", "img", "iframe", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "style")]


async def test_the_page_names_every_route_and_its_links_lead_somewhere(api: Api) -> None:
    html = (await api.get("/docs", by=NOBODY)).body.decode()
    page = Page(html)
    places = {f"#{value}" for name, value in page.attributes if name == "id"}

    assert [route.path for route in ROUTES if f"<code>{route.path}</code>" not in html] == []
    assert {value for name, value in page.attributes if name == "href"} <= places | {"/openapi.json"}


def test_the_description_is_the_same_each_time_it_is_made() -> None:
    assert orjson.dumps(description.__wrapped__()) == orjson.dumps(description())
