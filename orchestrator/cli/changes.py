"""What happens to a watched execution, as lines for a log or a pipe. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.cli.stage_view import attempt_note, elapsed
from orchestrator.cli.watched import Watched
from orchestrator.cli.wording import instant
from orchestrator.event_stream import Event


def changes(before: Watched | None, after: Watched) -> Iterator[str]:
    """A line for each stage, and for the execution, that has another status, worker, attempt or tenth of progress."""
    known = {stage["stageId"]: stage for stage in _stages(before)} if before else {}
    for stage in _stages(after):
        if stage.get("status") != "pending" and _mark(stage) != _mark(known.get(stage["stageId"], {})):
            yield _stage_line(stage)
    status = after.document.get("status")
    if before is None or before.document.get("status") != status:
        yield f"execution: {status}"


def log_line(event: Event) -> str | None:
    """What a `log` event says, with the stage that said it; None for every other event."""
    match event.name, event.data:
        case "log", {"message": message, **rest}:
            level = "" if rest.get("level") in (None, "info") else f"{rest['level']}: "
            return f"{rest.get('name') or rest.get('stageId') or 'log'} | {level}{message}"
        case _:
            return None


def _stages(watched: Watched) -> Iterator[dict[str, Any]]:
    return (stage for stage in watched.document.get("stages") or [] if "stageId" in stage)


def _mark(stage: Mapping[str, Any]) -> tuple[Any, ...]:
    progress = stage.get("progress")
    tenth = int(progress // 10) if isinstance(progress, int | float) and stage.get("status") == "running" else None
    return stage.get("status"), stage.get("attempt"), stage.get("workerId"), tenth


def _stage_line(stage: Mapping[str, Any]) -> str:
    line = f"{stage.get('name') or stage['stageId']}: {stage.get('status')}{attempt_note(stage)}"
    if stage.get("workerId"):
        line += f" at {stage['workerId']}"
    if stage.get("status") == "running" and stage.get("progress"):
        line += f", {stage['progress']:.0f} %" + (f": {stage['message']}" if stage.get("message") else "")
    if (finished := instant(stage.get("finishedAt"))) and stage.get("startedAt"):
        line += f", took {elapsed(stage, finished)}"
    error = stage.get("error")
    # While it runs, the error is that of the attempt before.
    if isinstance(error, Mapping) and error.get("message") and stage.get("status") != "running":
        line += f": {error['message']}"
    return line
