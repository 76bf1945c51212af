"""The result of an execution as a file: `--output`, and what it writes.

A `.md` file gets the structure of the result as a Markdown document, any other the result as JSON.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import orjson

from orchestrator.cli.markdown_export import markdown
from orchestrator.cli.structure import find_structured

MARKDOWN_SUFFIXES: Final = (".md", ".markdown")


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the option `--output`, a path or None."""
    return click.option(
        "--output",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        callback=_with_a_folder,
        help="Write the result into this file: a .md file gets its structure as a Markdown document, any other its "
        "JSON.",
    )(command)


def write_result(result: Any, output: Path) -> None:
    """Writes the result; raises click.UsageError where the file cannot take it."""
    content = orjson.dumps(result, option=orjson.OPT_INDENT_2)
    if output.suffix.lower() in MARKDOWN_SUFFIXES:
        structured = find_structured(result)
        if structured is None:
            raise click.UsageError(f"the result has no structure to write as Markdown; give {output} the suffix .json")
        content = markdown(structured.root).encode()
    try:
        output.write_bytes(content)
    except OSError as error:
        raise click.UsageError(f"cannot write {output}: {error.strerror}") from error


def _with_a_folder(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Refuses a place that cannot take the result before anything is executed for it."""
    if value is not None and not value.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder {value.parent} does not exist", ctx, param)
    return value
