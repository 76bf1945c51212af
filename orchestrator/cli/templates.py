"""`baton templates`: list, show and publish master templates."""

from datetime import datetime
from pathlib import Path

import click
import yaml
from rich.console import RenderableType
from rich.text import Text

from orchestrator.cli.document_view import rows_view
from orchestrator.cli.printable import plain, printable
from orchestrator.cli.remote import Remote, client_options
from orchestrator.client import Document


class TemplateCommands(click.Group):
    """A group in which whatever is not one of its commands is the name of a template to show."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args[:1]
        if not named or named[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=TemplateCommands, subcommand_metavar="[NAME] | show [NAME] | publish FILE")
def templates() -> None:
    """List, show and publish templates.

    Without a name, all are listed; with one, that template is shown. `show` may be left out, but for a template that is
    itself named like one of the commands.
    """


@templates.command()
@click.argument("name", required=False)
@click.option("--template-version", metavar="N", type=click.IntRange(min=1), help="Its version.  [default: the latest]")
@client_options
def show(remote: Remote, name: str | None, template_version: int | None) -> None:
    """List all templates, or show one."""
    if name is None:
        remote.terminal.show(remote.call(lambda client: client.templates()), listing_view)
    else:
        remote.terminal.show(remote.call(lambda client: client.template(name, template_version)), template_view)


class TemplateFile(click.ParamType[tuple[bytes, str]]):
    """A file that is read while the command line is parsed: its bytes and their media type."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[bytes, str]:
        file = Path(value)
        try:
            source = file.read_bytes()
        except OSError as error:
            self.fail(f"cannot read {file}: {error.strerror}", param, ctx)
        return source, "application/json" if file.suffix.lower() == ".json" else "application/yaml"


@templates.command()
@click.argument("source", metavar="FILE", type=TemplateFile())
@client_options
def publish(remote: Remote, source: tuple[bytes, str]) -> None:
    """Publish the template in FILE, YAML or (.json) JSON.

    A published version never changes; what is refused is refused with line and column.
    """
    content, media_type = source
    published = remote.call(lambda client: client.publish_template(content, media_type=media_type))
    remote.terminal.show(published, published_view)


def listing_view(document: Document, now: datetime) -> RenderableType:
    """A row a template."""
    rows = document.get("templates") or []
    return rows_view(rows, now) if rows else Text("No template is published.")


def template_view(document: Document, now: datetime) -> Text:
    """A template as it was written, or else its document in the language in which templates are written."""
    source = document.get("source")
    written = source if isinstance(source, str) else yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return Text(printable(written).rstrip(), no_wrap=True, overflow="ignore")


def published_view(document: Document, now: datetime) -> Text:
    name = document.get("template") or document.get("name")
    return plain(f"Published {name}, version {document.get('version')}.")
