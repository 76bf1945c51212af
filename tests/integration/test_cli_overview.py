"""The command line itself: its help, its version, and the two commands that become something else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

from orchestrator.cli import COMMANDS, main


def commands(command: click.Command, name: str = "baton") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from commands(found, f"{name} {inner}")


@pytest.mark.parametrize(("name", "command"), list(commands(main)), ids=[name for name, _ in commands(main)])
def test_every_command_and_every_option_says_what_it_is_for(name: str, command: click.Command) -> None:
    result = CliRunner().invoke(main, [*name.split()[1:], "--help"])
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]

    assert (result.exit_code, bool(command.help)) == (0, True)
    assert [option.name for option in options if not option.help] == []
    assert result.stdout.startswith(f"Usage: {name.replace('baton', 'main', 1)}")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_overview_says_of_a_command_what_the_command_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


def test_the_overview_costs_no_more_than_click() -> None:
    program = (
        "import sys; from orchestrator.cli import main; main(['--help'], standalone_mode=False);"
        "print(sorted({'rich', 'aiohttp', 'pydantic', 'orchestrator.client'} & set(sys.modules)))"
    )

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert shown.splitlines()[-1] == "[]"


def test_the_version_is_the_distributions() -> None:
    assert (
        CliRunner().invoke(main, ["--version"], prog_name="baton").stdout == f"baton {version('baton-orchestrator')}\n"
    )


def test_worker_hands_every_argument_to_the_worker_kit(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: became.append((path, arguments)))

    CliRunner().invoke(main, ["worker", "mine:reader", "--orchestrator", "http://h:1", "--port", "0", "--slots=4"])

    kit = [sys.executable, "-P", "-m", "workers.kit"]
    assert became == [
        (sys.executable, [*kit, "mine:reader", "--orchestrator", "http://h:1", "--port", "0", "--slots=4"])
    ]


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [((), None), (("--workers", "none"), ()), (("--workers", "echo, granulator,echo"), ("echo", "granulator"))],
)
def test_up_serves_with_its_options(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], workers: tuple[str, ...] | None
) -> None:
    served: list[dict[str, Any]] = []
    app = ModuleType("orchestrator.app")
    vars(app)["serve"] = lambda **options: served.append(options)
    monkeypatch.setitem(sys.modules, "orchestrator.app", app)

    environment = {"DATABASE_URL": "postgresql://h/d", "BATON_ARTIFACTS_URL": "s3://bucket/prefix"}
    result = CliRunner(env=environment).invoke(main, ["up", "--port", "0", *arguments])

    assert (result.exit_code, served) == (
        0,
        [
            {
                "host": "127.0.0.1",
                "port": 0,
                "data_dir": Path(".baton"),
                "database_url": "postgresql://h/d",
                "artifacts_url": "s3://bucket/prefix",
                "workers": workers,
            }
        ],
    )
