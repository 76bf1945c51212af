"""Plain HTTP to a worker, packet by packet, exactly as the original wire format has it.

A call here is a task: an offer is answered by its response, `process` by its response or, after a 202, by a later
report. What cannot be read is a fault of the attempt.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import structlog
from pydantic import ValidationError

from orchestrator.dispatch.called_link import CalledLink, Place, Unreadable, described, read
from orchestrator.dispatch.link import Receiver
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.transport import CALL_FAULTS, Reply
from protocol.codec import LARGE_BYTES, MAX_DOCUMENT_BYTES, MAX_RESULT_BYTES, dumps, loads
from protocol.errors import FailureCode, ProtocolError, RefusalCode
from protocol.packets import (
    Accept,
    Ack,
    Cancel,
    Failure,
    HandshakeAnswer,
    Offer,
    OrchestratorPacket,
    Process,
    ProcessAnswer,
    Progress,
    Reject,
    Result,
)

BUSY: Final = (429, 503)
ABSENT: Final = (404, 405, 501)

log = structlog.get_logger()


class HttpLink(CalledLink):
    """One worker that is reached by its URL, by the original calls."""

    def __init__(self, worker_id: str, place: Place, receiver: Receiver, tasks: Tasks) -> None:
        super().__init__(worker_id, place)
        self._receiver = receiver
        self._tasks = tasks
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._acknowledges = True

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        match packet:
            case Offer():
                self._begin(packet.fence, self._offer(packet, encoded))
            case Process():
                self._begin(packet.fence, self._process(packet, encoded))
            case Cancel():
                self._spawn(self._cancel(packet, encoded))
            case Ack() if self._acknowledges:
                self._spawn(self._acknowledge(packet))

    def close(self, reason: str) -> None:
        for call in list(self._calls.values()):
            call.cancel(reason)

    def open_calls(self) -> list[int]:
        return list(self._calls)

    async def probe(self, attempts: Sequence[tuple[str, str, int]]) -> bool:
        """Asks how far each attempt is."""
        if not attempts:
            return await self.answers("/api/held")
        held = Counter(execution_id for execution_id, _, _ in attempts)
        alive = False
        for execution_id, identifier, fence in attempts:
            try:
                reply = await self.call("GET", f"/api/progress/{execution_id}", None, MAX_DOCUMENT_BYTES)
            except CALL_FAULTS:
                continue
            except Unreadable:
                reply = Reply(0, b"")
            alive = True
            # The original call knows no stages: with two of one execution it cannot be told whose progress it is.
            if reply.status == 200 and held[execution_id] == 1:
                self._report_progress(execution_id, identifier, fence, reply.body)
        return alive

    def _report_progress(self, execution_id: str, identifier: str, fence: int, body: bytes) -> None:
        try:
            document = {**loads(body), "executionId": execution_id, "stageId": identifier, "fence": fence}
            packet = Progress.model_validate({**document, "type": "progress"})
        except (ProtocolError, ValidationError, TypeError):
            return
        self._receiver.receive(self.worker_id, (packet,))

    # -------------------------------------------------------------------------------------------------- the calls

    async def _offer(self, offer: Offer, encoded: bytes) -> None:
        try:
            packet = self._answer(offer, await self.call("POST", "/api/handshake", encoded, MAX_DOCUMENT_BYTES))
        except (Unreadable, *CALL_FAULTS) as fault:
            self._receiver.offer_unanswered(self.worker_id, offer.fence, described(fault))
            return
        self._receiver.receive(self.worker_id, (packet,))

    def _answer(self, offer: Offer, reply: Reply) -> Accept | Reject:
        status = reply.status
        key: dict[str, Any] = {"execution_id": offer.execution_id, "stage_id": offer.stage_id, "fence": offer.fence}
        if status in BUSY:
            return Reject(
                **key, code=RefusalCode.BUSY, reason=f"answered {status}", retry_after_ms=reply.retry_after_ms
            )
        if status == 413:
            return Reject(**key, code=RefusalCode.TOO_LARGE, reason="answered 413: its input is too large")
        if status in ABSENT:
            return Reject(**key, code=RefusalCode.UNSUPPORTED, reason=f"answered {status} to the handshake")
        if status >= 500:
            raise Unreadable(f"answered {status} to the handshake")
        answer = read(HandshakeAnswer, reply.body, f"its answer ({status}) to the handshake")
        if answer.execution_id != offer.execution_id:
            raise Unreadable(f"answered the handshake for another execution, {answer.execution_id}")
        if not answer.accepted:
            return Reject(
                **key,
                worker_id=answer.worker_id,
                code=answer.code or (RefusalCode.INVALID_INPUT if status == 400 else RefusalCode.POLICY),
                reason=answer.reason or "refused without a reason",
                retry_after_ms=answer.retry_after_ms,
            )
        if status >= 400:
            raise Unreadable(f"answered {status} to the handshake, but accepted")
        if answer.stage_id is not None:
            if answer.stage_id != offer.stage_id:
                raise Unreadable(f"answered the handshake for another stage, {answer.stage_id}")
            self._receiver.understands_stages(self.worker_id)
        return Accept(
            **key,
            worker_id=answer.worker_id,
            estimated_completion_ms=answer.estimated_completion_ms,
            resource_requirements=answer.resource_requirements,
        )

    async def _process(self, process: Process, encoded: bytes) -> None:
        try:
            reply = await self.call("POST", "/api/process", encoded, MAX_RESULT_BYTES, bounded=False)
            if reply.status == 202:
                return
            if reply.status in BUSY:
                reason = f"answered {reply.status} to process"
                self._receiver.not_started(self.worker_id, process.fence, reason, reply.retry_after_ms)
                return
            if len(reply.body) > LARGE_BYTES:
                packet = await asyncio.to_thread(self._result, process, reply.status, reply.body)
            else:
                packet = self._result(process, reply.status, reply.body)
        except Unreadable as fault:
            retryable = fault.code is not FailureCode.RESULT_TOO_LARGE
            self._failed(process, fault.code, str(fault), retryable=retryable)
        except CALL_FAULTS as fault:
            self._failed(process, FailureCode.WORKER_LOST, described(fault), retryable=True)
        else:
            self._receiver.receive(self.worker_id, (packet,))

    def _result(self, process: Process, status: int, body: bytes) -> Result:
        if status != 200:
            try:
                answer = read(ProcessAnswer, body, "")
            except Unreadable:
                raise Unreadable(f"answered {status} to process", FailureCode.WORKER_ERROR) from None
        else:
            answer = read(ProcessAnswer, body, "its answer to process")
        if answer.execution_id != process.execution_id:
            raise Unreadable(f"answered process for another execution, {answer.execution_id}")
        error = answer.error
        if isinstance(error, str):
            error = Failure(message=error)
        if status >= 500:
            error = (error or Failure(message=f"answered {status} to process")).model_copy(update={"retryable": True})
        return Result(
            execution_id=process.execution_id,
            stage_id=process.stage_id,
            fence=process.fence,
            status="failed" if status != 200 else answer.status,
            result=answer.result,
            metrics=answer.metrics,
            error=error,
        )

    def _failed(self, process: Process, code: FailureCode, message: str, *, retryable: bool) -> None:
        self._receiver.attempt_failed(
            self.worker_id, process.fence, code.value, f"worker {self.worker_id} {message}", retryable
        )

    async def _cancel(self, cancel: Cancel, encoded: bytes) -> None:
        try:
            await self.call("POST", "/api/cancel", encoded, MAX_DOCUMENT_BYTES)
        except (Unreadable, *CALL_FAULTS) as fault:
            log.info("cancel.undelivered", worker_id=self.worker_id, why=described(fault))
        call = self._calls.get(cancel.fence)
        if call is not None:
            call.cancel()
        self._receiver.settled(self.worker_id, cancel.fence)

    async def _acknowledge(self, ack: Ack) -> None:
        body = dumps({**ack.document(), "status": "processed" if ack.status == "committed" else "failed"})
        try:
            reply = await self.call("POST", "/api/acknowledge", body, MAX_DOCUMENT_BYTES)
            self._acknowledges = reply.status not in ABSENT
        except (Unreadable, *CALL_FAULTS) as fault:
            # The worker sends the result again and is answered with the same ack.
            log.info("ack.undelivered", worker_id=self.worker_id, why=described(fault))

    def _begin(self, fence: int, call: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(call)
        self._calls[fence] = task

        def ended(_: asyncio.Task[None]) -> None:
            if self._calls.get(fence) is task:
                del self._calls[fence]

        task.add_done_callback(ended)

    def _spawn(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(call)
