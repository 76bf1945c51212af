"""`baton up`: the options of the system; what they start is composed in `orchestrator.app`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


class WorkerSelection(click.ParamType[tuple[str, ...] | None]):
    """`all`, `none` or names with commas between them, as None, () and the tuple of the names."""

    name = "workers"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...] | None:
        names = tuple(name.strip() for name in value.split(","))
        if not all(names):
            self.fail("a name is empty", param, ctx)
        if names == ("all",):
            return None
        if names == ("none",):
            return ()
        if {"all", "none"} & set(names):
            self.fail("'all' and 'none' stand alone", param, ctx)
        return tuple(dict.fromkeys(names))


@click.command(
    epilog="The first credentials come from BATON_API_KEY, WORKER_SECRET, BATON_ADMIN_EMAIL and "
    "BATON_ADMIN_PASSWORD; those that are not set are generated once and kept in DATA_DIR/credentials.json."
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BATON_DATA_DIR",
    default=".baton",
    show_default=True,
    show_envvar=True,
    help="Folder of the embedded database, the artifacts and the credentials.",
)
@click.option(
    "--database-url",
    envvar="DATABASE_URL",
    show_envvar=True,
    help="PostgreSQL 15 or later to use instead of the embedded one.",
)
@click.option(
    "--artifacts-url",
    metavar="URL",
    envvar="BATON_ARTIFACTS_URL",
    show_envvar=True,
    help="Where artifacts are kept: file:///FOLDER, or s3://BUCKET/PREFIX with the usual AWS_* variables. Replicas of "
    "one database have one and the same.  [default: the folder artifacts in DATA_DIR]",
)
@click.option(
    "--workers",
    metavar="all|none|a,b",
    type=WorkerSelection(),
    default="all",
    show_default=True,
    help="Bundled workers to start beside the orchestrator.",
)
def up(
    port: int,
    host: str,
    data_dir: Path,
    database_url: str | None,
    artifacts_url: str | None,
    workers: tuple[str, ...] | None,
) -> None:
    """Run the whole system in the foreground.

    Database, orchestrator and bundled workers; SIGINT or SIGTERM stops them in order.
    """
    serve = load()
    serve(
        host=host,
        port=port,
        data_dir=data_dir,
        database_url=database_url,
        artifacts_url=artifacts_url,
        workers=workers,
    )


def load() -> Callable[..., None]:
    """`orchestrator.app.serve`, with nothing loaded that a system at rest has no use for."""
    # structlog loads rich wherever it is installed, for tracebacks in colour: 3 MB, and a twentieth of a second.
    with _left_out("rich"):
        from orchestrator.app import serve

    return serve


@contextmanager
def _left_out(package: str) -> Iterator[None]:
    """What is imported in the block is told that there is no such package, unless it is loaded already."""
    nothing: Any = None
    is_out = sys.modules.setdefault(package, nothing) is None
    try:
        yield
    finally:
        if is_out:
            del sys.modules[package]
