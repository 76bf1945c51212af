"""Where transports hand in what workers at home here say: to this replica's own judgement, or on to the owner's."""

from collections.abc import Sequence

from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.fleet import Fleet
from orchestrator.dispatch.relay import Relay
from protocol.packets import Failure, Heartbeat, WorkerPacket


class Reception:
    """A `Receiver` in front of two: `Answers` for executions that are driven here, `Relay` for the others'."""

    def __init__(self, answers: Answers, relay: Relay, fleet: Fleet) -> None:
        self._answers = answers
        self._relay = relay
        self._fleet = fleet

    def receive(self, worker_id: str, packets: Sequence[WorkerPacket]) -> None:
        worker = self._fleet.get(worker_id)
        if worker is not None and self._relay.is_needed:
            own: list[WorkerPacket] = []
            for packet in packets:
                if isinstance(packet, Heartbeat):
                    self._relay.beat(worker, packet)
                    own.append(packet)
                elif not self._relay.takes(worker, packet):
                    own.append(packet)
            packets = own
        self._answers.receive(worker_id, packets)

    def heard(self, worker_id: str) -> None:
        worker = self._fleet.get(worker_id)
        if worker is not None:
            self._relay.beat(worker, Heartbeat())
        self._answers.heard(worker_id)

    def understands_stages(self, worker_id: str) -> None:
        self._answers.understands_stages(worker_id)

    def offer_unanswered(self, worker_id: str, fence: int, reason: str) -> None:
        if not self._relay.offer_unanswered(worker_id, fence, reason):
            self._answers.offer_unanswered(worker_id, fence, reason)

    def not_started(self, worker_id: str, fence: int, reason: str, retry_after_ms: int | None) -> None:
        if not self._relay.not_started(worker_id, fence, reason, retry_after_ms):
            self._answers.not_started(worker_id, fence, reason, retry_after_ms)

    def attempt_failed(self, worker_id: str, fence: int, code: str, message: str, retryable: bool) -> None:
        if not self._relay.failed(fence, Failure(code=code, message=message, retryable=retryable)):
            self._answers.attempt_failed(worker_id, fence, code, message, retryable)

    def settled(self, worker_id: str, fence: int) -> None:
        if not self._relay.settled(fence):
            self._answers.settled(worker_id, fence)
