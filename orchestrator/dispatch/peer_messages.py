"""What replicas say to each other, in frames that are JSON arrays of messages.

A replica dials every other one as the home of its workers: it presents them, grants slots of them, and passes packets
on between them and whoever drives the execution. Whatever a worker said has passed the gate at its home, and peers
hold the secret of one system, so that here only the shape is checked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from orchestrator.core.order import OrderKey
from protocol.packets import Model, OrchestratorPacket, Registration, WorkerPacket

M = TypeVar("M")


class MalformedFrame(Exception):
    """A frame that no replica of this version sends; the message says where."""


class Present(Model):
    """Home to owner: this worker is at home here since then. `registration.running` is what it holds of others."""

    type: Literal["present"] = "present"
    worker_id: str
    registration: Registration
    since: datetime
    one_stage_of_an_execution: bool


class Grant(Model):
    """Home to owner: so many attempts, those that it has there included, the owner may have at this worker."""

    type: Literal["grant"] = "grant"
    worker_id: str
    slots: int


class Gone(Model):
    """Home to owner: the worker cannot be asked here any more."""

    type: Literal["gone"] = "gone"
    worker_id: str


class FromWorker(Model):
    """Home to owner: what the worker said of an attempt of the owner's."""

    type: Literal["from_worker"] = "from_worker"
    worker_id: str
    packet: WorkerPacket


class Ask(Model):
    """To the owner of an execution: why is it where it is?"""

    type: Literal["ask"] = "ask"
    question: int
    client_id: str
    execution_id: str


class ToWorker(Model):
    """Owner to home: pass this on to the worker."""

    type: Literal["to_worker"] = "to_worker"
    worker_id: str
    packet: OrchestratorPacket


class Wanted(Model):
    """The first in the order of work that waits for an action without a slot: the three parts of its key."""

    action: str
    rank: int
    is_fresh: bool
    execution_id: str

    @property
    def key(self) -> OrderKey:
        return (self.rank, self.is_fresh, self.execution_id)


class Want(Model):
    """Owner to home: all that the owner wants slots for at this moment."""

    type: Literal["want"] = "want"
    wanted: tuple[Wanted, ...]


class Answer(Model):
    """The explanation that was asked for; None if the execution is not the answering replica's."""

    type: Literal["answer"] = "answer"
    question: int
    explanation: dict[str, Any] | None = None


FromHome = Present | Grant | Gone | FromWorker | Ask
FromOwner = ToWorker | Want | Answer
Message = FromHome | FromOwner

_from_home: TypeAdapter[list[FromHome]] = TypeAdapter(list[Annotated[FromHome, Field(discriminator="type")]])
_from_owner: TypeAdapter[list[FromOwner]] = TypeAdapter(list[Annotated[FromOwner, Field(discriminator="type")]])


def frame_of(messages: Sequence[bytes]) -> bytes:
    """One frame of encoded messages."""
    return b"[" + b",".join(messages) + b"]"


def decode_from_home(frame: bytes) -> list[FromHome]:
    """What a home says to an owner; raises `MalformedFrame`."""
    return _decode(_from_home, frame)


def decode_from_owner(frame: bytes) -> list[FromOwner]:
    """What an owner says to a home; raises `MalformedFrame`."""
    return _decode(_from_owner, frame)


def _decode(adapter: TypeAdapter[M], frame: bytes) -> M:
    try:
        return adapter.validate_python(orjson.loads(frame))
    except orjson.JSONDecodeError as error:
        raise MalformedFrame(f"not valid JSON: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise MalformedFrame(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
