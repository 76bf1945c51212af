"""The worker's side of the protocol: packets in, handlers run, packets out.

Everything here runs on the event loop. A packet is dealt with at once and without a task of its own; only a started
attempt has one.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from protocol.attempt import FINAL, AttemptState
from protocol.errors import RefusalCode
from protocol.packets import (
    Accept,
    Ack,
    Cancel,
    Directive,
    Drain,
    Metrics,
    Offer,
    OrchestratorPacket,
    Packet,
    Process,
    Progress,
    Reject,
    Result,
)
from workers.kit.action import Action
from workers.kit.admission import Admission
from workers.kit.artifacts import Transfers
from workers.kit.attempts import Attempt, Attempts, Identity, Named, Origin, StopReason, Work, identity_of
from workers.kit.context import Context, Report
from workers.kit.learning import Experience, taken
from workers.kit.outbox import Outbox
from workers.kit.outgoing import Outgoing
from workers.kit.result_files import ResultFiles, StoredResult
from workers.kit.results import encode, sealed, stopped
from workers.kit.runner import run
from workers.kit.seams import Seams
from workers.kit.stage_folders import StageFolders
from workers.kit.timing import Timing

_LOOK_AGAIN_S: Final = 0.25

log = structlog.get_logger()


class Engine:
    """Holds the attempts of one worker and speaks for them."""

    def __init__(
        self,
        worker_id: str,
        slots: int,
        actions: Mapping[str, Action],
        *,
        seams: Seams,
        timing: Timing,
        folders: StageFolders,
        files: ResultFiles | None = None,
        transfers: Transfers | None = None,
        experience: Experience | None = None,
    ) -> None:
        self.worker_id = worker_id
        self.attempts = Attempts(slots)
        self.outgoing = Outgoing()
        self.outbox = Outbox(timing.resend, seams.chance)
        self.drain_asked = asyncio.Event()
        self._draining = threading.Event()
        self.experience = experience or Experience({})
        self._admission = Admission(worker_id, actions, self.attempts, timing.offer_grace_s, self.experience)
        self._clock = seams.clock
        self._file_after_s = timing.file_after_s
        self._files = files
        self._folders = folders
        self._transfers = transfers
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @property
    def is_draining(self) -> bool:
        return self._admission.draining

    def now(self) -> float:
        return self._clock.monotonic()

    def receive(self, packet: OrchestratorPacket) -> None:
        """Deals with one packet of the link."""
        match packet:
            case Offer():
                answer = self.offer(packet, Origin.LINK)
                self._send(answer if isinstance(answer, Reject) else answer.answer)
            case Process():
                self._process(packet)
            case Ack():
                self.acknowledge(identity_of(packet), is_committed=packet.status == "committed")
                if packet.status == "stale":
                    log.info("result.refused_as_stale", **_ids(packet))
            case Cancel():
                self._cancel(packet)
            case Drain():
                self.drain()

    def obey(self, directives: Iterable[Directive]) -> None:
        """Does what a heartbeat's answer says; to be stopped there means that another fence rules."""
        for directive in directives:
            if directive.directive == "drain":
                self.drain()
            elif directive.execution_id and directive.stage_id and directive.fence:
                attempt = self.attempts.find((directive.execution_id, directive.stage_id, directive.fence))
                if attempt is not None:
                    self.stop(attempt, StopReason.STALE)

    def offer(self, offer: Offer, origin: Origin, *, is_local: bool = False) -> Attempt | Reject:
        """The attempt that has a slot from now on, or the refusal."""
        return self._admission.answer(offer, origin, self.now(), is_local=is_local)

    def start(self, attempt: Attempt) -> None:
        """Starts an accepted attempt; does nothing for one that runs or has ended."""
        if attempt.state is not AttemptState.ACCEPTED or attempt.work is None:
            return
        self.attempts.start(attempt, self.now())
        attempt.context = Context(
            attempt.key,
            attempt.action,
            lambda report: self._report(attempt, report),
            transfers=self._transfers,
            open_folder=lambda: self._folders.open(attempt.stage),
            draining=self._draining,
            time_left_s=lambda: attempt.time_left_s(self.now()),
        )
        attempt.handler = self._loop.create_task(self._run(attempt, attempt.work, attempt.context))

    def stop(self, attempt: Attempt, reason: StopReason) -> None:
        """Stops an attempt, started or not. Unless it is stale or we shut down, a `cancelled` result follows."""
        if attempt.state in FINAL:
            return
        is_first = attempt.stop_reason is None
        is_reserved = attempt.state is AttemptState.ACCEPTED
        self.attempts.stop(attempt, reason)
        if is_reserved:
            self._end_unstarted(attempt, reason)
        elif is_first and attempt.context is not None:
            attempt.context.cancelled.set()
            # A task that was cancelled before its first step would never reach the code that reports its end.
            if attempt.work and attempt.work.action.is_async and attempt.handler and attempt.began_at is not None:
                attempt.handler.cancel()

    def acknowledge(self, identity: Identity, *, is_committed: bool = True) -> bool:
        """Forgets an ended attempt, and with a committed one what its stage had on disk; whether one was held."""
        self.outbox.remove(identity)
        attempt = self.attempts.forget(identity)
        if attempt is not None:
            if attempt.is_filed:
                self._remove_file(identity)
            if attempt.ended_its_stage(is_committed) and self._folders.holds(attempt.stage):
                self._loop.run_in_executor(None, self._folders.remove, attempt.stage)
        self._changed.set()
        return attempt is not None

    def link_up(self) -> None:
        """A link is open: everything without an ack goes out on it."""
        self.outgoing.open()
        for result in self.outbox.all_again(self.now()):
            self._send(result)

    def link_down(self) -> None:
        self.outgoing.close()

    def resend_due(self) -> None:
        """Sends again what has waited too long for its ack."""
        for result in self.outbox.due(self.now()):
            self._send(result)

    def drain(self) -> None:
        """Takes no more offers; what was accepted goes on, or is given back by handlers that look at `draining`."""
        self._draining.set()
        self._admission.draining = True
        self.drain_asked.set()

    def drain_soon(self) -> None:
        """The same from another thread. Handlers see it at once, also one that blocks the event loop."""
        self._draining.set()
        self._loop.call_soon_threadsafe(self.drain)

    async def forget_old_folders(self, kept_s: float) -> None:
        """Deletes the folders of stages that are held no more and were not touched for `kept_s` seconds."""
        await asyncio.to_thread(self._folders.sweep, kept_s, self.attempts.stages_held())

    async def until_idle(self) -> None:
        """Returns when no attempt takes a slot."""
        await self._until(lambda: self.attempts.free(self.now()) == self.attempts.slots)

    async def until_flushed(self) -> None:
        """Returns when every result of the link is acked."""
        await self._until(lambda: not self.outbox)

    def stop_all(self) -> None:
        """The drain's time is over: what still runs is cancelled and fails as retryable."""
        for attempt in list(self.attempts.live()):
            self.stop(attempt, StopReason.SHUTDOWN)

    def restore(self, stored: Iterable[StoredResult]) -> None:
        """Takes back the results that an earlier life of this worker had on disk."""
        for kept in stored:
            key = kept.key
            accept = Accept(
                execution_id=key.execution_id, stage_id=key.stage_id, fence=key.fence, worker_id=self.worker_id
            )
            state = AttemptState(kept.result.status)
            attempt = Attempt(key, kept.action, kept.origin, False, accept, state=state, result=kept.result)
            attempt.is_filed = True
            attempt.progress = 100.0 if state is AttemptState.COMPLETED else 0.0
            self.attempts.restore(attempt)
            if kept.origin is Origin.LINK:
                self.outbox.put(attempt.identity, kept.result, self.now())
            log.info("result.restored", **_ids(key))

    def _process(self, packet: Process) -> None:
        identity = identity_of(packet)
        attempt = self.attempts.find(identity)
        if attempt is None:
            reason = "no accepted offer with this fence is held here; it may have expired"
            self._send(
                Reject(
                    execution_id=packet.execution_id,
                    stage_id=packet.stage_id,
                    fence=packet.fence,
                    worker_id=self.worker_id,
                    code=RefusalCode.BUSY,
                    reason=reason,
                )
            )
        elif (result := self.outbox.again(identity, self.now())) is not None:
            self._send(result)
        else:
            self.start(attempt)

    def _cancel(self, packet: Cancel) -> None:
        attempt = self.attempts.find(identity_of(packet))
        reason = StopReason(packet.reason)
        if attempt is not None:
            self.stop(attempt, reason)
        elif reason is not StopReason.STALE:
            # Not held, so it does not run: that is all the orchestrator waits to hear.
            self._send(stopped(packet, reason, Metrics()))

    def _end_unstarted(self, attempt: Attempt, reason: StopReason) -> None:
        match reason:
            case StopReason.SHUTDOWN:
                self.attempts.withdraw(attempt)
            case StopReason.STALE:
                self.attempts.drop(attempt)
            case _:
                result, encoded = sealed(stopped(attempt.key, reason, Metrics()))
                self._keep(attempt, result, len(encoded))
                self.outgoing.put(encoded)
        self._changed.set()

    async def _run(self, attempt: Attempt, work: Work, context: Context) -> None:
        ended = await run(attempt, work, context, self._clock)
        if attempt.stop_reason is StopReason.STALE:
            self.attempts.drop(attempt)
        else:
            result, encoded = sealed(ended)
            self._keep(attempt, result, len(encoded))
            if self._is_dear(attempt, result):
                await self._write_file(attempt, result)
            if attempt.origin is Origin.LINK:
                self.outgoing.put(encoded)
            self._learn(attempt, work, result)
        self._changed.set()

    def _learn(self, attempt: Attempt, work: Work, result: Result) -> None:
        """What succeeded is measured from its accept, as the orchestrator sees it: the ways of both packets cancel out.

        Who calls over bare HTTP may let an accept wait as long as they like, so there it is from the start.
        """
        since = attempt.began_at if attempt.is_local else attempt.accepted_at
        if result.status == "completed" and since is not None:
            actual = taken((self.now() - since) * 1000, result.metrics)
            self.experience.learn(attempt.action, work.estimate, actual)

    def _keep(self, attempt: Attempt, result: Result, size_bytes: int) -> None:
        """Frees the slot and holds the result: for the outbox, or for whoever asks over HTTP."""
        self.attempts.end(attempt, result)
        if attempt.state is AttemptState.COMPLETED:
            attempt.progress = 100.0
        if attempt.origin is Origin.LINK:
            self.outbox.put(attempt.identity, result, self.now(), size_bytes)
            return
        for forgotten in self.attempts.overdue_for_http():
            self.acknowledge(forgotten.identity)

    def _is_dear(self, attempt: Attempt, result: Result) -> bool:
        """Whether losing this result would cost more than a write to disk."""
        if attempt.is_local or result.status == "cancelled":
            return False
        return (result.metrics.processing_time_ms or 0) >= self._file_after_s * 1000

    async def _write_file(self, attempt: Attempt, result: Result) -> None:
        if self._files is None:
            return
        stored = StoredResult(key=attempt.key, action=attempt.action, origin=attempt.origin, result=result)
        try:
            await asyncio.to_thread(self._files.write, stored)
        except OSError as error:
            log.error("result_file.not_written", error=str(error), **_ids(attempt.key))
            return
        attempt.is_filed = True
        if self.attempts.find(attempt.identity) is not attempt:  # acked while it was being written
            self._remove_file(attempt.identity)

    def _remove_file(self, identity: Identity) -> None:
        if self._files is not None:
            self._loop.run_in_executor(None, self._files.remove, identity)

    def _report(self, attempt: Attempt, report: Report) -> None:
        """A handler's progress or log line, from whatever thread it is called in."""
        encoded = encode(report)
        if threading.get_ident() == self._thread:
            self._pass_on(attempt, report, encoded)
        else:
            self._loop.call_soon_threadsafe(self._pass_on, attempt, report, encoded)

    def _pass_on(self, attempt: Attempt, report: Report, encoded: bytes) -> None:
        if attempt.state is not AttemptState.RUNNING:
            return
        if isinstance(report, Progress):
            attempt.progress = report.progress
            attempt.message = report.message or attempt.message
        if attempt.origin is Origin.LINK:
            self.outgoing.put_report(encoded)
        elif not isinstance(report, Progress):
            log.info("attempt.says", message=report.message, level_said=report.level, **_ids(report))

    def _send(self, packet: Packet) -> None:
        """Sends what needs no gate: packets of the kit's own making, and results that have passed it before."""
        self.outgoing.put(packet.encoded())

    async def _until(self, is_done: Callable[[], bool]) -> None:
        """Looks after every change, and now and then besides: an offer that merely expires changes nothing."""
        while not is_done():
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._changed.wait()


def _ids(packet: Named) -> dict[str, Any]:
    return {"execution_id": packet.execution_id, "stage_id": packet.stage_id, "fence": packet.fence}
