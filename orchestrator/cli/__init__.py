"""The command line, `baton`: a table of its commands.

A command's module is imported when the command is called, so that `baton --help` costs no more than click.
"""

import importlib
from collections.abc import Mapping
from typing import Final, cast

import click

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("orchestrator.cli.up", "Run the whole system in the foreground."),
    "demo": ("orchestrator.cli.demo", "Make lessons of a shipped text and train a model, side by side."),
    "worker": ("orchestrator.cli.worker", "Run one worker process."),
    "run": ("orchestrator.cli.run", "Execute a template and watch it."),
    "status": ("orchestrator.cli.status", "Show where an execution is."),
    "cancel": ("orchestrator.cli.control", "Cancel an execution."),
    "pause": ("orchestrator.cli.control", "Pause an execution."),
    "resume": ("orchestrator.cli.control", "Resume a paused execution."),
    "retry": ("orchestrator.cli.control", "Execute again what failed or was cancelled."),
    "workers": ("orchestrator.cli.fleet", "List the registered workers."),
    "queue": ("orchestrator.cli.fleet", "List what waits in the queue."),
    "templates": ("orchestrator.cli.templates", "List, show and publish templates."),
    "clients": ("orchestrator.cli.accounts", "List, make, suspend and restore clients, on the database."),
    "keys": ("orchestrator.cli.accounts", "List, make and revoke a client's API keys, on the database."),
    "users": ("orchestrator.cli.accounts", "Make, suspend and restore users, on the database."),
}
"""Each command: the module that has it under its own name, and the line that the overview says of it."""


class CommandTable(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        return cast(click.Command, getattr(importlib.import_module(module), cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 the execution failed or was cancelled; 2 wrong usage; 3 the server refused; "
    "4 the server cannot be reached; 130 interrupted.",
)
@click.version_option(package_name="baton-orchestrator", message="%(prog)s %(version)s")
def main() -> None:
    """Baton runs multi-stage pipelines on workers that get to say yes first."""
