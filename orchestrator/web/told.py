"""What one event stream has told of an execution, and so which events come next. Pure.

An event's id is a sequence number of the execution. The kept facts (`stage`, `execution`, `end`) are told when they are
durable, in the order of their sequence, and a client that resumes from the id of one misses none. Measurements and
lines come as they happen, ahead of the flush that makes older facts durable: they bear no id, because an id would say
that all before it was told. Invariant: ids never go back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.core.document import execution_document
from orchestrator.store.executions import Snapshot
from orchestrator.web.ports import Notice
from protocol.codec import dumps

KEPT: Final = frozenset({"stage", "execution", "end"})
ALWAYS_TOLD: Final = frozenset({"log", "end"})
"""No snapshot makes these superfluous: it holds no lines, and a stream has an end."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; without an id it leaves the client's as it is."""

    name: str
    data: dict[str, Any]
    id: int | None = None

    def encode(self) -> bytes:
        """The event as it crosses the wire; its data is JSON on one line."""
        head = f"event: {self.name}\n" if self.id is None else f"id: {self.id}\nevent: {self.name}\n"
        return head.encode() + b"data: " + dumps(self.data) + b"\n\n"


class Told:
    """One stream's place. `floor` is the sequence up to which everything has been told; None before the first."""

    def __init__(self, last_event_id: int | None) -> None:
        self.floor = last_event_id
        self.ended = False

    def of_snapshot(self, snapshot: Snapshot) -> list[Event]:
        """The whole execution, if anything of it is new; and the end, if it is final."""
        document = execution_document(snapshot.execution)
        events = [] if snapshot.sequence == self.floor else [Event("snapshot", document, snapshot.sequence)]
        self.floor = snapshot.sequence
        if snapshot.execution.is_final:
            self.ended = True
            events.append(Event("end", document, snapshot.sequence))
        return events

    def of_notices(self, notices: Sequence[Notice]) -> list[Event]:
        """The events of what the hub told, without what was told before; none after the end."""
        events: list[Event] = []
        for notice in notices:
            if self.ended:
                break
            is_new = self.floor is None or notice.sequence > self.floor
            if not (is_new or notice.kind in ALWAYS_TOLD):
                continue
            if is_new and notice.kind in KEPT:
                self.floor = notice.sequence
                events.append(Event(notice.kind, notice.data, notice.sequence))
            else:
                events.append(Event(notice.kind, notice.data))
            if notice.kind == "end":
                self.ended = True
        return events
