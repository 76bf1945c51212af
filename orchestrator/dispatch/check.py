"""The built-in check: an echo worker inside the orchestrator, reached through the real queue and the real handshake.

Its action has a name of its own, so it never competes with the workers that users bring.
"""

import asyncio
from typing import Final

from orchestrator.core.seams import Clock
from orchestrator.core.template import Template, parse_template
from orchestrator.dispatch.link import Receiver
from protocol.packets import Accept, Metrics, Offer, OrchestratorPacket, Process, Registration, Result, WorkerPacket

ACTION: Final = "baton.check"
WORKER_ID: Final = "baton-check"
TEMPLATE: Final = f"""
template: baton_check
description: One stage through the real queue, answered by the orchestrator's own echo worker.
stages:
  echo: {{action: {ACTION}, with: {{sent: "${{input}}"}}, timeout: 30s}}
output: {{received: "${{stages.echo.output.sent}}"}}
"""


def check_template() -> Template:
    return parse_template(TEMPLATE)


def check_registration() -> Registration:
    return Registration(worker_id=WORKER_ID, capabilities=(ACTION,), max_concurrent_executions=16)


class CheckWorker:
    """Accepts every offer of its action and answers with what it was given."""

    def __init__(self, receiver: Receiver, clock: Clock) -> None:
        self._receiver = receiver
        self._clock = clock
        self._accepted: dict[int, Offer] = {}

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        match packet:
            case Offer():
                self._accepted[packet.fence] = packet
                accept = Accept(
                    execution_id=packet.execution_id,
                    stage_id=packet.stage_id,
                    fence=packet.fence,
                    worker_id=WORKER_ID,
                    estimated_completion_ms=1,
                )
                self._answer(accept)
            case Process() if packet.fence in self._accepted:
                began = self._clock.monotonic()
                offer = self._accepted.pop(packet.fence)
                result = Result(
                    execution_id=packet.execution_id,
                    stage_id=packet.stage_id,
                    fence=packet.fence,
                    status="completed",
                    result=offer.input_data,
                    metrics=Metrics(processing_time_ms=(self._clock.monotonic() - began) * 1000),
                )
                self._answer(result)

    def close(self, reason: str) -> None:
        self._accepted.clear()

    def _answer(self, packet: WorkerPacket) -> None:
        # In a later turn of the loop, as any other worker's answer would come.
        asyncio.get_running_loop().call_soon(self._receiver.receive, WORKER_ID, (packet,))
