"""What the dispatcher needs of a transport: send packets to one worker; what comes back goes to a `Receiver`."""

from collections.abc import Sequence
from typing import Protocol

from protocol.packets import OrchestratorPacket, WorkerPacket


class Link(Protocol):
    """A way to one worker. `send` never blocks and never raises: a fault comes back through the receiver."""

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None: ...

    def close(self, reason: str) -> None: ...


class Receiver(Protocol):
    """Where transports hand in what they hear from a worker."""

    def receive(self, worker_id: str, packets: Sequence[WorkerPacket]) -> None:
        """Packets that the worker sent, in order."""

    def heard(self, worker_id: str) -> None:
        """A sign of life without a packet."""

    def understands_stages(self, worker_id: str) -> None:
        """The worker echoes stage ids, so it may hold several stages of one execution."""

    def offer_unanswered(self, worker_id: str, fence: int, reason: str) -> None:
        """The answer to an offer is unknown: no reply, or none that can be read."""

    def not_started(self, worker_id: str, fence: int, reason: str, retry_after_ms: int | None) -> None:
        """The worker said that an attempt it accepted has not begun."""

    def attempt_failed(self, worker_id: str, fence: int, code: str, message: str, retryable: bool) -> None:
        """The transport saw the attempt fail: a 5xx, a disconnect, a malformed answer."""

    def settled(self, worker_id: str, fence: int) -> None:
        """A cancelled attempt is no longer the worker's, as far as its transport can know."""
