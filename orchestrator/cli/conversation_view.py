"""What orchestrator and workers said to each other about an execution, and why it is where it is. Pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.cli.document_view import fields_view, rows_view
from orchestrator.cli.printable import plain
from orchestrator.cli.stage_view import status_text
from orchestrator.cli.wording import NOTHING, when

_SHOWN_OF_A_BODY: Final = 120
_ARROWS: Final[Mapping[str, str]] = {"out": "→", "in": "←"}


def packets_view(packets: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    """A row a packet: `→` went out to the worker, `←` came from it; of a long body, the beginning."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("#", "When", "Stage", "Attempt", "", "Worker", "Packet"):
        table.add_column(name, no_wrap=True)
    table.add_column("Body", overflow="fold")
    for packet in packets:
        table.add_row(
            plain(packet.get("seq", NOTHING)),
            plain(when(packet.get("at"), now)),
            plain(packet.get("stage") or packet.get("stageId") or NOTHING),
            plain(packet.get("attempt", NOTHING)),
            plain(_ARROWS.get(str(packet.get("direction")), "")),
            plain(packet.get("workerId") or NOTHING),
            plain(packet.get("type") or NOTHING),
            plain(_body(packet), "dim"),
        )
    return table


def explanation_view(explanation: Mapping[str, Any], now: datetime) -> Group:
    """The whole in a few fields, then each stage that is not done, with the workers that were considered for it."""
    stages = explanation.get("stages") or []
    parts: list[RenderableType] = [
        fields_view({name: content for name, content in explanation.items() if name != "stages"}, now)
    ]
    for stage in stages:
        title = Text.assemble((str(plain(stage.get("name"))), "bold"), "  ", status_text(stage.get("status")))
        parts += [Text(), title, Padding(_reason(stage), (0, 0, 0, 2))]
        workers = [_considered(worker) for worker in stage.get("workers") or []]
        parts += [Padding(rows_view(workers, now), (0, 0, 0, 2))] if workers else []
    return Group(*parts)


def _reason(stage: Mapping[str, Any]) -> Text:
    return plain(stage.get("reason") or NOTHING)


def _considered(worker: Mapping[str, Any]) -> dict[str, Any]:
    last = worker.get("lastRefusal")
    refusal = f"{last.get('code')}: {last.get('reason')}" if isinstance(last, Mapping) else last
    return {**worker, "lastRefusal": refusal}


def _body(packet: Mapping[str, Any]) -> str:
    if "body" in packet:
        body = json.dumps(packet["body"], ensure_ascii=False)
        return body if len(body) <= _SHOWN_OF_A_BODY else body[: _SHOWN_OF_A_BODY - 1] + "…"
    return f"{packet['bytes']} bytes, SHA-256 {packet['sha256']}" if "sha256" in packet else ""
