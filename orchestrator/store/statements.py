"""Loads the named statements of `queries/*.sql`: `-- name: x` begins one, and the next name ends it."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(noun: str) -> dict[str, str]:
    """The statements of `queries/<noun>.sql` by name."""
    text = files("orchestrator.store").joinpath("queries", f"{noun}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    named = dict(zip(parts[1::2], parts[2::2], strict=True))
    if len(named) * 2 + 1 != len(parts):
        raise ValueError(f"queries/{noun}.sql names a statement twice")
    return {name: statement.strip() for name, statement in named.items()}
