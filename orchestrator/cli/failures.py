"""How a command ends other than well: the exit codes, and the words on standard error. Never a traceback."""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import click

from orchestrator.call_faults import ApiError, Unreachable
from orchestrator.cli.printable import printable
from orchestrator.client import Document


class ExitCode(IntEnum):
    """What the shell is told; 2 is click's own."""

    DONE = 0
    EXECUTION_FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    INTERRUPTED = 130


class Refused(click.ClickException):
    """The server answered, and said no."""

    exit_code = ExitCode.REFUSED

    def __init__(self, error: ApiError) -> None:
        super().__init__(printable("\n".join(refusal_lines(error))))


class RefusedHere(click.ClickException):
    """What was asked for cannot be done, and no server was needed to know it."""

    exit_code = ExitCode.REFUSED


class OutOfReach(click.ClickException):
    """The server gave no answer, or only that it cannot serve now."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, lines: list[str]) -> None:
        super().__init__(printable("\n".join(lines)))


def failure(error: ApiError | Unreachable) -> click.ClickException:
    """The end of a command that met `error`."""
    if isinstance(error, ApiError):
        return OutOfReach(refusal_lines(error)) if error.status >= 500 else Refused(error)
    return OutOfReach(unreachable_lines(error))


def refusal_lines(error: ApiError) -> list[str]:
    """Message and code, then each detail at its path, then what helps to find or to mend it."""
    lines = [f"{error.message} ({error.code})", *(f"  {line}" for line in detail_lines(error.details))]
    if error.status == 401:
        lines.append("Give a key with --api-key or BATON_API_KEY, or name the --data-dir of `baton up`.")
    if error.request_id:
        lines.append(f"Request: {error.request_id}")
    return lines


def unreachable_lines(error: Unreachable) -> list[str]:
    lines = [
        f"Cannot reach {error.url}: {error.reason}.",
        "Is `baton up` running there? Start it, or name the server with --url or BATON_URL.",
    ]
    if error.maybe_done:
        lines.append("The request may have been taken; with --idempotency-key it can be repeated without harm.")
    return lines


def detail_lines(details: Any) -> Iterator[str]:
    """One line for each thing that is wrong: `line 3, column 5: stages.again.needs[0]: no such stage`."""
    match details:
        case None:
            return
        case list():
            for detail in details:
                yield from detail_lines(detail)
        case Mapping() if "message" in details:
            yield ": ".join((*_places(details), str(details["message"])))
        case Mapping():
            for name, detail in details.items():
                if isinstance(detail, list | Mapping):
                    yield from detail_lines(detail)
                else:
                    yield f"{name}: {detail}"
        case _:
            yield str(details)


def _places(place: Mapping[str, Any]) -> Iterator[str]:
    if "line" in place:
        yield f"line {place['line']}" + (f", column {place['column']}" if "column" in place else "")
    if place.get("path"):
        yield str(place["path"])


def exit_unless_completed(execution: Document) -> None:
    """Ends the command with the code of a failed execution, unless it is a completed one."""
    if execution.get("status") != "completed":
        raise click.exceptions.Exit(ExitCode.EXECUTION_FAILED)
