"""Rules for elements that others refer to by id: every id names one element, and every reference finds one."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from workers.granulator.quality.finding import Finding


class Identified(NamedTuple):
    """An element's id and the JSON pointer of the element."""

    id: str
    path: str


def id_findings(elements: Iterable[Identified]) -> Iterator[Finding]:
    """A finding for each id that is empty or names an earlier element too."""
    seen: dict[str, str] = {}
    for item in elements:
        if not item.id.strip():
            yield Finding(code="id_missing", severity="error", path=f"{item.path}/id", message="The id is empty.")
        elif item.id in seen:
            message = f"The id “{item.id}” also names {seen[item.id]}."
            yield Finding(code="id_repeated", severity="error", path=f"{item.path}/id", message=message)
        seen.setdefault(item.id, item.path)


def dangling(reference: str, known: Collection[str], path: str) -> Iterator[Finding]:
    """A finding where a reference at a place names nothing that is there."""
    if reference not in known:
        message = f"Nothing here has the id “{reference}”."
        yield Finding(code="reference_dangling", severity="error", path=path, message=message)
