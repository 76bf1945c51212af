"""`baton worker`: this process becomes a worker.

The orchestrator never imports workers; the worker kit takes over by exec, and reads the arguments itself.
"""

import os
import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
    options_metavar="",
    epilog="What follows MODULE is the worker kit's to read; `python -m workers.kit --help` tells all of it, and where "
    "the worker secret is taken from.",
)
@click.argument(
    "arguments",
    metavar="MODULE[:NAME] --orchestrator URL [--port P] [...]",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
)
def worker(arguments: tuple[str, ...]) -> None:
    """Run one worker process.

    MODULE is what holds the worker, NAME the worker in it where there are several.
    """
    # -P keeps the working directory from the head of the path, where a folder named `workers` would stand for ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "workers.kit", *arguments])
