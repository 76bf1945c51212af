"""A watched execution: its document as the events tell it on. Pure; what an event does not change is shared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from orchestrator.client import TERMINAL_STATUSES, Document
from orchestrator.event_stream import Event

# These carry the whole document; the others only what changed.
_WHOLE: Final = frozenset({"snapshot", "execution", "end"})


@dataclass(frozen=True, slots=True)
class Watched:
    """`final` is true of a whole document that is terminal: nothing more will be heard."""

    document: Document
    final: bool = False

    @classmethod
    def of(cls, document: Document) -> Self:
        return cls(document, final=document.get("status") in TERMINAL_STATUSES)

    def after(self, event: Event) -> Self:
        """The execution as it is once `event` has been heard; an event that is not known changes nothing."""
        match event.name, event.data:
            case name, {"executionId": _, "status": status, **rest} if name in _WHOLE and "stages" in rest:
                return replace(self, document=event.data, final=status in TERMINAL_STATUSES)
            case "stage", {"stage": {"stageId": str(stage_id)} as stage}:
                whole = {name: event.data[name] for name in ("status", "progress") if name in event.data}
                return replace(self, document={**self.document, **whole, "stages": self._with(stage_id, stage)})
            case "progress", {"stageId": str(stage_id), **news}:
                told = {name: news[name] for name in ("progress", "message") if news.get(name) is not None}
                return replace(self, document={**self.document, "stages": self._with(stage_id, told)})
            case _:
                return self

    def _with(self, stage_id: str, news: Mapping[str, Any]) -> list[Document]:
        stages = list(self.document.get("stages") or [])
        for index, stage in enumerate(stages):
            if stage.get("stageId") == stage_id:
                stages[index] = {**stage, **news, **_furthest(stage, news)}
                return stages
        return [*stages, {"stageId": stage_id, **news}]


def _furthest(known: Mapping[str, Any], news: Mapping[str, Any]) -> Mapping[str, Any]:
    """The progress of an attempt that was running and still is, which does not fall.

    Progress is told as it comes, a stage when its state is durable; so the first overtakes the second.
    """
    same = all(news.get(name, known.get(name)) == known.get(name) for name in ("attempt", "status"))
    match known, news:
        case {"status": "running", "progress": int() | float() as before}, {"progress": int() | float() as after} if (
            same
        ):
            return {"progress": max(before, after)}
        case _:
            return {}
