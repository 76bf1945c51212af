"""The readable description: one HTML page, made from the OpenAPI document. Pure but for reading its style sheet.

Invariant: the page holds no script and loads nothing, and whatever comes out of the document is escaped.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

Document = Mapping[str, Any]


def page(document: Document) -> str:
    """The whole page."""
    info = document["info"]
    sections = [tag["name"] for tag in document["tags"]]
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in (*sections, "Schemas"))
    body = "".join(_section(name, document) for name in sections)
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_style()}</style></head><body><h1>{title}</h1><p>{escape(info['summary'])} "
        f'For programs: <a href="/openapi.json">openapi.json</a>.</p><nav>{links}</nav>'
        f'{body}<h2 id="schemas">Schemas</h2>{schemas}</body></html>'
    )


def policy() -> str:
    """The Content-Security-Policy under which the page shows all it has, and nothing else runs."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    return files("orchestrator.web").joinpath("docs.css").read_text(encoding="utf-8")


def _section(name: str, document: Document) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if name in operation["tags"]
    )
    return f'<h2 id="{_anchor(name)}">{escape(name)}</h2>{operations}'


def _operation(method: str, path: str, operation: Document) -> str:
    parameters = [
        (parameter["name"], f"{_type(parameter['schema'])} in {parameter['in']}", _text(parameter))
        for parameter in operation["parameters"]
    ]
    body = [
        (media_type, _type(content["schema"]), "")
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        (status, _contents(response), escape(response["description"]))
        for status, response in operation["responses"].items()
    ]
    return (
        f'<details id="{operation["operationId"]}"><summary><b class="{method}">{method.upper()}</b>'
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span></summary><div>"
        f"<p>{_credentials(operation['security'])} {escape(operation.get('description', ''))}</p>"
        f"{_table('Parameters', parameters)}{_table('Body', body)}{_table('Answers', answers)}</div></details>"
    )


def _credentials(security: Iterable[Mapping[str, Any]]) -> str:
    ways = [" and ".join(f"<code>{escape(name)}</code>" for name in way) for way in security]
    return f"Credentials: {', or '.join(ways)}." if ways else "Open to anybody."


def _contents(response: Document) -> str:
    return " ".join(
        _type(content["schema"]) if "$ref" in content["schema"] else f"<code>{escape(media_type)}</code>"
        for media_type, content in response.get("content", {}).items()
    )


def _schema(name: str, schema: Document) -> str:
    required = schema.get("required", ())
    fields = [
        (field, _type(described) + ("" if field in required else ", optional"), _text(described))
        for field, described in schema.get("properties", {}).items()
    ]
    values = [("one of", _type(schema), "")] if "enum" in schema else []
    return (
        f'<details id="schema-{escape(name)}"><summary><b class="schema">{escape(schema.get("type", "any"))}</b>'
        f"<code>{escape(name)}</code><span>{_text(schema)}</span></summary>"
        f"<div>{_table('Fields', fields)}{_table('Values', values)}</div></details>"
    )


def _type(schema: Document) -> str:
    """A schema in a few words, as HTML."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rsplit("/", 1)[-1]
            return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
        case {"anyOf": list(options)} | {"oneOf": list(options)}:
            return " or ".join(_type(option) for option in options)
        case {"enum": list(values)}:
            return " | ".join(f"<code>{escape(str(value))}</code>" for value in values)
        case {"const": value}:
            return f"<code>{escape(str(value))}</code>"
        case {"type": "array"}:
            return f"list of {_type(schema.get('items', {}))}"
        case {"type": str(name)}:
            return escape(name)
        case _:
            return "anything"


def _text(described: Document) -> str:
    return escape(described.get("description", ""))


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    """Rows of a name, and two cells that are HTML already."""
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{text}</td></tr>" for name, kind, text in rows
    )
    return f"<h3>{title}</h3><table>{cells}</table>"


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
