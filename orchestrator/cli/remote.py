"""The orchestrator as a client command sees it, and the options that say where it is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from orchestrator.call_faults import ApiError, Unreachable
from orchestrator.cli.connection import DEFAULT_URL, Connection, discover
from orchestrator.cli.failures import ExitCode, failure
from orchestrator.cli.shared_options import data_dir_option, json_option
from orchestrator.cli.terminal import Terminal
from orchestrator.client import BatonClient

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Remote:
    """A server and the terminal beside which it is spoken to."""

    connection: Connection
    terminal: Terminal

    def call(self, conversation: Callable[[BatonClient], Awaitable[T]]) -> T:
        """What the conversation comes to; its failures end the command with their exit code."""
        try:
            return asyncio.run(self._converse(conversation))
        except (ApiError, Unreachable) as error:
            raise failure(error) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None

    async def _converse(self, conversation: Callable[[BatonClient], Awaitable[T]]) -> T:
        async with BatonClient(self.connection.url, self.connection.api_key, clock=self.terminal.clock) as client:
            return await conversation(client)


def client_options(command: Callable[Concatenate[Remote, P], None]) -> Callable[..., None]:
    """Give a command the options that all client commands share, and a `Remote` made of them."""

    @click.option(
        "--url",
        envvar="BATON_URL",
        show_envvar=True,
        help=f"Where the server is.  [default: what `baton up` left in the data directory, else {DEFAULT_URL}]",
    )
    @click.option(
        "--api-key",
        envvar="BATON_API_KEY",
        show_envvar=True,
        help="The client's key.  [default: the one in DATA_DIR/credentials.json]",
    )
    @data_dir_option
    @json_option
    @wraps(command)
    def invoke(
        url: str | None, api_key: str | None, data_dir: Path, as_json: bool, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        command(Remote(discover(url, api_key, data_dir), Terminal(as_json)), *args, **kwargs)

    return invoke
