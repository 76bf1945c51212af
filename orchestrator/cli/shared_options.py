"""Options that mean the same wherever a command has them."""

from pathlib import Path
from typing import Final

import click

data_dir_option: Final = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="BATON_DATA_DIR",
    default=".baton",
    show_default=True,
    show_envvar=True,
    help="The data directory of a `baton up` on this machine.",
)
json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output, nothing else."
)
