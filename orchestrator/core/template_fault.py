"""Faults of a template, each at its path, line and column.

Invariant: a refused template names every fault that was found, in the order of its text.
"""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from orchestrator.core.json_value import Path, clipped, dotted

# What a hostile template may make us say and compare; an honest one never comes near.
MAX_FAULTS = 200
_MAX_COMPARISONS = 5_000
_MAX_COMPARED_LENGTH = 64


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the source; line and column count from 1, the column in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: `path` is like `stages.again.needs[0]`, empty for the template as a whole."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.path + ': ' if self.path else ''}{self.message}"


class TemplateError(Exception):
    """A source that is no template. `faults` is never empty and is ordered by position."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class Faults:
    """Collects the faults of one template, so that its author sees all of them at once."""

    def __init__(self) -> None:
        self._found: list[Fault] = []
        self._unreadable: set[tuple[Path, Position]] = set()
        self._unlisted = 0
        self._comparisons_left = _MAX_COMPARISONS

    def add(self, path: Path, position: Position, message: str) -> None:
        """Notes a fault, unless the value at `position` could not even be read: that has been said."""
        if (path, position) in self._unreadable:
            return
        if len(self._found) == MAX_FAULTS:
            self._unlisted += 1
            return
        shown = dotted(tuple(clipped(segment) if isinstance(segment, str) else segment for segment in path))
        self._found.append(Fault(shown, position.line, position.column, message))

    def add_unreadable(self, path: Path, position: Position, message: str) -> None:
        """Notes a value that cannot be read; whatever the checks say later about its stand-in is dropped."""
        self.add(path, position, message)
        self._unreadable.add((path, position))

    def fatal(self, path: Path, position: Position, message: str) -> TemplateError:
        """Notes a fault after which nothing more can be read; returns the error to raise."""
        self.add(path, position, message)
        return self._error()

    def raise_if_any(self) -> None:
        """Raises TemplateError when a fault was found."""
        if self._found:
            raise self._error()

    def suggestion(self, name: str, known: Collection[str]) -> str:
        """`; did you mean "needs"?`, or nothing when no known name is near."""
        self._comparisons_left -= len(known)
        if self._comparisons_left < 0 or len(name) > _MAX_COMPARED_LENGTH:
            return ""
        nearest = get_close_matches(name, known, n=1)
        return f'; did you mean "{nearest[0]}"?' if nearest else ""

    def _error(self) -> TemplateError:
        ordered = sorted(self._found, key=lambda fault: (fault.line, fault.column))
        if self._unlisted:
            last = ordered[-1]
            more = f"{self._unlisted} more faults are not listed: these are the first {MAX_FAULTS} found"
            ordered.append(Fault("", last.line, last.column, more))
        return TemplateError(tuple(ordered))
