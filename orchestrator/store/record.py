"""An execution as its owner keeps it: the core's state, and what the journal needs to write it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from orchestrator.core.execution import Execution

MAX_PACKET_BODY: Final = 4096
"""Bytes of a packet's body that the packet log keeps; of a larger one it keeps the hash and the size."""


@dataclass(slots=True)
class Conversation:
    """All packets of one offer; written as one row."""

    stage: str
    fence: int
    attempt: int
    worker_id: str
    packets: list[dict[str, Any]] = field(default_factory=list)

    def add(self, sequence: int, at: datetime, outgoing: bool, kind: str, encoded: bytes) -> None:
        """Append a packet, given as the JSON that crosses the wire."""
        entry = {"seq": sequence, "at": at, "direction": "out" if outgoing else "in", "type": kind}
        if len(encoded) <= MAX_PACKET_BODY:
            entry["body"] = orjson.Fragment(encoded)
        else:
            entry |= {"sha256": sha256(encoded).hexdigest(), "bytes": len(encoded)}
        self.packets.append(entry)

    def encoded(self) -> str:
        """The packets as a JSON array."""
        return orjson.dumps(self.packets).decode()


class Unread(NamedTuple):
    """A payload that stands elsewhere: the execution's input, or the result of the stage, and the hash it has."""

    stage: str | None
    sha256: str


@dataclass(slots=True)
class Record:
    """`revision` is what the database holds (or will, once the flush under way is through); `sequence` numbers all
    that is told of this execution: packets and events. `unread` are artifacts that are still to be read: until then
    what they are is None."""

    execution: Execution
    revision: int = 0
    sequence: int = 0
    conversations: dict[int, Conversation] = field(default_factory=dict)
    input_bytes: int = 0
    unread: tuple[Unread, ...] = ()

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence


class Standing(NamedTuple):
    """Which write an execution's row stems from. The revision alone does not tell: a takeover raises it as well."""

    revision: int
    owner_epoch: int | None


@dataclass(frozen=True, slots=True)
class Submission:
    """A new execution on its way into the database; `owned` means that this replica drives it from the start."""

    record: Record
    owned: bool
    action: str
    key: str | None = None
    body_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The submission is durable."""

    execution_id: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The idempotency key was there already, for this execution and this body."""

    execution_id: str
    body_hash: bytes


Outcome = Accepted | Duplicate
Durable = Callable[[], None]
