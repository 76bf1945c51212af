"""Where the files that ship with Baton are: beside the packages in a checkout, inside this one in a wheel."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def shipped(name: str) -> Traversable:
    """`schema.sql` or the folder `templates`."""
    inside = files("orchestrator") / "shipped" / name
    if inside.is_file() or inside.is_dir():
        return inside
    return Path(__file__).resolve().parent.parent / name
