"""A worker whose stages wait at a gate, a named pipe, until a test opens it; beside it they leave a log."""

from pathlib import Path

from workers.kit import Worker

worker = Worker("gated", slots=2)


@worker.action("gate")
def gate(given: dict[str, str]) -> dict[str, str]:
    """Begins with a line in the log, ends with another one."""
    folder = Path(given["folder"])
    _note(folder, "began")
    (folder / "gate").read_bytes()
    _note(folder, "ended")
    return {"passed": "once"}


def _note(folder: Path, what: str) -> None:
    with (folder / "log").open("a") as log:
        log.write(f"{what}\n")
