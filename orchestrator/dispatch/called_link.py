"""What all links to workers that are reached by their URL share: how they are called, and what is made of the answers.

Nothing a worker answers is trusted: sizes are capped, and what cannot be read is a fault of the worker's, never of the
orchestrator.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import ValidationError
from yarl import URL

from orchestrator.dispatch.link import Link
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.transport import CALL_FAULTS, Reply, TooLong, Transport
from protocol.codec import MAX_DOCUMENT_BYTES, MAX_RESULT_BYTES, loads
from protocol.errors import FailureCode, ProtocolError
from protocol.packets import AttemptKey, Model, OrchestratorPacket

log = structlog.get_logger()

M = TypeVar("M", bound=Model)


class Held(Model):
    """A worker's answer to `GET /api/held`."""

    attempts: tuple[AttemptKey, ...]


class Unreadable(Exception):
    """An answer that is not what the protocol says; the message says how."""

    def __init__(self, message: str, code: FailureCode = FailureCode.MALFORMED_ANSWER) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is called, by what transport, and with how much patience."""

    url: str
    transport: Transport
    pace: Pace


class CalledLink(ABC):
    """One worker that is reached by its URL."""

    def __init__(self, worker_id: str, place: Place) -> None:
        self.worker_id = worker_id
        self.url = place.url
        self._base = URL(place.url.rstrip("/"))
        self._transport = place.transport
        self._pace = place.pace

    def leads_as(self, other: Link | None) -> bool:
        """Whether the other one calls the same URL in the same way."""
        return isinstance(other, CalledLink) and type(other) is type(self) and other.url == self.url

    @abstractmethod
    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        """As `Link` has it."""

    @abstractmethod
    def close(self, reason: str) -> None:
        """Abandon all calls. What they were about is settled by whoever closes."""

    @abstractmethod
    def open_calls(self) -> list[int]:
        """The fences of attempts whose calls are open: for as long as they are, the attempts live."""

    @abstractmethod
    async def probe(self, attempts: Sequence[tuple[str, str, int]]) -> bool:
        """Whether the worker answers at all; `attempts` are those it was told to begin: execution, stage, fence."""

    async def held(self) -> tuple[AttemptKey, ...] | None:
        """What the worker says that it holds; None of one that does not know the question, or does not answer."""
        try:
            reply = await self.call("GET", "/api/held", None, MAX_DOCUMENT_BYTES)
            return read(Held, reply.body, "what it holds").attempts if reply.status == 200 else None
        except (Unreadable, *CALL_FAULTS) as fault:
            log.info("worker.holds_unknown", worker_id=self.worker_id, why=described(fault))
            return None

    async def answers(self, path: str) -> bool:
        """Whether anything comes back from there."""
        try:
            await self.call("GET", path, None, MAX_DOCUMENT_BYTES)
        except CALL_FAULTS:
            return False
        except Unreadable:
            return True
        return True

    async def call(self, method: str, path: str, body: bytes | None, max_bytes: int, *, bounded: bool = True) -> Reply:
        """One call to the worker; raises one of `CALL_FAULTS`, or `Unreadable` for more than `max_bytes`.

        Only one that is not `bounded` may take longer than the pace allows.
        """
        timeout = self._pace.call_timeout if bounded else None
        try:
            return await self._transport.call(
                method, self._base.joinpath(path.lstrip("/")), body, max_bytes=max_bytes, timeout=timeout
            )
        except TooLong:
            raise Unreadable(
                f"answered {path} with more than {max_bytes} bytes: what is large is uploaded as an artifact",
                FailureCode.RESULT_TOO_LARGE,
            ) from None


def read(model: type[M], body: bytes, what: str) -> M:
    """A worker's answer as a model, or `Unreadable`."""
    try:
        return model.model_validate(loads(body, MAX_RESULT_BYTES))
    except ProtocolError as error:
        raise Unreadable(f"cannot be understood: {what}: {error.message}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise Unreadable(f"cannot be understood: {what}: {path}: {first['msg']}") from None


def described(fault: BaseException) -> str:
    """A fault of the network as a sentence's end."""
    if isinstance(fault, Unreadable):
        return str(fault)
    if isinstance(fault, TimeoutError):
        return "did not answer in time"
    return f"cannot be reached: {str(fault) or type(fault).__name__}"
