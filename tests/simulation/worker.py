"""Simulated workers that dial: the duties of the protocol's README, and tempers that neglect them.

A worker answers the same offer in the same way, refuses what it has no slot for, works at what it was told to begin,
and keeps each result until it is acked; what it wrote down outlives its crashes. Its temper says how it fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from orchestrator.dispatch.replica import Replica
from protocol.errors import RefusalCode
from protocol.packets import (
    Accept,
    Ack,
    AttemptKey,
    Cancel,
    Directive,
    Drain,
    Failure,
    Heartbeat,
    Metrics,
    Offer,
    OrchestratorPacket,
    Process,
    Progress,
    Registered,
    Registration,
    Reject,
    Result,
)
from tests.simulation.faults import Fault
from tests.simulation.network import Link, Network, Unanswered
from tests.simulation.replica import ReplicaProcess
from tests.simulation.worker_process import ACTION, Temper, WorkerProcess
from tests.simulation.world import Life, LifeClock, World

RESEND_SECONDS: Final = 1.0
REDIAL_SECONDS: Final = 0.3


@dataclass(slots=True)
class Held:
    """An attempt that the worker said yes to; its slot is free again when it ends, or when nobody has it begin."""

    offer: Offer
    reserved_until: float
    is_running: bool = False


@dataclass(slots=True)
class Kept:
    """A result that was not acked yet."""

    result: Result
    said_at: float
    is_written: bool


class SimulatedWorker(WorkerProcess):
    """A worker that dials."""

    def __init__(
        self,
        world: World,
        network: Network,
        replicas: Sequence[ReplicaProcess],
        worker_id: str,
        temper: Temper,
        slots: int,
    ) -> None:
        super().__init__(world, network, replicas, worker_id, temper, slots)
        self.held: dict[int, Held] = {}
        self.results: dict[int, Kept] = {}
        self._link: Link | None = None
        self._is_draining = False

    # ----------------------------------------------------------------------------------------------------- its lives

    def _begin_life(self) -> None:
        self.held = {}
        self.results = {fence: kept for fence, kept in self.results.items() if kept.is_written}
        self._is_draining = False
        self._link = None
        self._network.spawn(self._live(self.life))

    def _hang_up(self, after: float) -> None:
        if self._link is not None:
            self._link.end(after)

    async def _live(self, life: Life) -> None:
        clock = LifeClock(self._world, life)
        while True:
            link = await self._join(life)
            if link is not None:
                self._link = link
                self._say_again(0.0)
                while link.is_open and await self._beat(life, link):
                    await clock.sleep(self._world.pace.heartbeat)
                    self._say_again(RESEND_SECONDS)
                if link.is_open:
                    link.end(0.0)
            await clock.sleep(REDIAL_SECONDS * (1 + self._chance.random()))

    async def _join(self, life: Life) -> Link | None:
        """Register with any replica, and dial it."""
        process = self._chance.choice(self._replicas)
        registration = Registration(
            worker_id=self.worker_id,
            capabilities=(ACTION,),
            max_concurrent_executions=self.slots,
            instance_id=self._instance_id,
            running=self._running(),
        )

        async def register(replica: Replica) -> Registered:
            return await replica.home.register(registration)

        try:
            await self._network.call(life, process, register)
        except Exception as refused:
            self._world.trace.say(self.worker_id, "cannot register:", repr(refused))
            return None
        return self._network.dial(self, process) if process.serves else None

    async def _beat(self, life: Life, link: Link) -> bool:
        """Whether the worker is known where it is at home, or may be."""
        heartbeat = Heartbeat(running=self._running(), draining=self._is_draining)

        async def beat(replica: Replica) -> list[Directive] | None:
            return replica.home.beat(self.worker_id, heartbeat)

        try:
            directives = await self._network.call(life, link.process, beat)
        except Unanswered:
            return True
        for directive in directives or ():
            if directive.directive == "stop" and directive.fence is not None and self.temper is not Temper.ZOMBIE:
                self.held.pop(directive.fence, None)
        return directives is not None

    def unlinked(self, link: Link) -> None:
        if self._link is link:
            self._link = None

    # --------------------------------------------------------------------------------------------------- its duties

    def receive(self, packet: OrchestratorPacket) -> None:
        match packet:
            case Offer():
                self._offered(packet)
            case Process():
                self._told_to_begin(packet)
            case Cancel():
                self._cancelled(packet)
            case Ack():
                self.results.pop(packet.fence, None)
            case Drain():
                self._is_draining = True

    def _offered(self, offer: Offer) -> None:
        at_work = [held.offer for held in self.held.values() if held.is_running]
        self._network.checker.reached(self.worker_id, offer, at_work)
        if self._misbehaves(Temper.CRASHING, 0.12):
            self.crash(Fault.WORKER_BEFORE_ACCEPT)
            return
        if self._misbehaves(Temper.LYING, 0.3):
            self._lie_before(offer)
        refusal = self._refusal(offer)
        if refusal is not None:
            self._say(Reject(**_key(offer), worker_id=self.worker_id, code=refusal, reason="not now"))
            return
        if offer.fence not in self.held:
            reserved_until = self._world.loop.time() + offer.offer_expires_ms / 1000
            self.held[offer.fence] = Held(offer, reserved_until)
        self._say(Accept(**_key(offer), worker_id=self.worker_id, estimated_completion_ms=500))
        if self._misbehaves(Temper.CRASHING, 0.12):
            self.crash(Fault.WORKER_AFTER_ACCEPT)

    def _refusal(self, offer: Offer) -> RefusalCode | None:
        if offer.fence in self.held:
            return None
        if self._is_draining:
            return RefusalCode.DRAINING
        now = self._world.loop.time()
        taken = sum(held.is_running or held.reserved_until > now for held in self.held.values())
        if taken >= self.slots:
            return RefusalCode.BUSY
        if self._misbehaves(Temper.REFUSING, 0.6):
            return self._chance.choice((RefusalCode.BUSY, RefusalCode.POLICY, RefusalCode.OVER_BUDGET))
        return None

    def _told_to_begin(self, packet: Process) -> None:
        kept, held = self.results.get(packet.fence), self.held.get(packet.fence)
        if kept is not None:
            self._say(kept.result)
        elif held is None:
            reason = "no accepted offer with this fence is held here"
            self._say(Reject(**_key(packet), worker_id=self.worker_id, code=RefusalCode.BUSY, reason=reason))
        elif not held.is_running:
            held.is_running = True
            self._begin(held)

    def _begin(self, held: Held) -> None:
        fence, takes = held.offer.fence, self._takes()
        self.life.later(takes / 2, partial(self._half_way, fence))
        self.life.later(takes, partial(self._finish, fence))
        self._oversleeps()

    def _half_way(self, fence: int) -> None:
        held = self.held.get(fence)
        if held is None:
            return
        if (held.offer.input_data or {}).get("poison"):
            self.crash(Fault.POISON)
            return
        self._say(Progress(**_key(held.offer), progress=50.0))
        if self._misbehaves(Temper.CRASHING, 0.25):
            self.crash(Fault.WORKER_MID_PROCESS)
        elif self._misbehaves(Temper.LYING, 0.7):
            self._lie_during(held.offer)

    def _finish(self, fence: int) -> None:
        held = self.held.pop(fence, None)
        if held is None:
            return
        result = self._result(held.offer)
        self._keep(result)
        if self._misbehaves(Temper.LYING, 0.3):
            self._world.fire(Fault.LIE_SECOND, self.worker_id)
            self._say(result.model_copy(update={"result": {**(result.result or {}), "value": -1}}))
        if self._misbehaves(Temper.CRASHING, 0.3):
            self.crash(Fault.WORKER_BEFORE_ACK)

    def _result(self, offer: Offer) -> Result:
        metrics = Metrics(tokens_used=1)
        if not self._world.is_calm and self._chance.happens(0.08):
            failure = Failure(code="broken", message="by chance", retryable=self._chance.happens(0.8))
            return Result(**_key(offer), status="failed", error=failure, metrics=metrics)
        value = {"value": offer.input_data["value"] + 1, "fence": offer.fence, "worker": self.worker_id}
        return Result(**_key(offer), status="completed", result=value, metrics=metrics)

    def _cancelled(self, packet: Cancel) -> None:
        if self._misbehaves(Temper.ZOMBIE, 0.8):
            return
        held = self.held.pop(packet.fence, None)
        if packet.reason != "stale" and (held is not None or packet.fence not in self.results):
            self._keep(Result(**_key(packet), status="cancelled"))

    # ------------------------------------------------------------------------------------------------------ its lies

    def _lie_before(self, offer: Offer) -> None:
        self._world.fire(Fault.LIE_EARLY, self.worker_id)
        value = {"value": -2, "fence": offer.fence, "worker": self.worker_id}
        self._say(Result(**_key(offer), status="completed", result=value))

    def _lie_during(self, offer: Offer) -> None:
        mine = {"value": -3, "fence": offer.fence, "worker": self.worker_id}
        overheard = [other for worker_id, other in self._network.offers[-30:] if worker_id != self.worker_id]
        other = self._chance.choice(overheard or [offer])
        match self._chance.randrange(4) if overheard else 3:
            case 0:
                self._world.fire(Fault.LIE_EXECUTION, self.worker_id)
                wrong = {**_key(offer), "execution_id": other.execution_id, "stage_id": other.stage_id}
                self._say(Result(**wrong, status="completed", result=mine))
            case 1:
                self._world.fire(Fault.LIE_FENCE, self.worker_id)
                self._say(Result(**_key(other), status="completed", result=mine))
            case 2:
                self._world.fire(Fault.LIE_WORKER, self.worker_id)
                self._say(Accept(**_key(other), worker_id=self.worker_id))
            case 3:
                self._world.fire(Fault.LIE_FALL, self.worker_id)
                self._say(Progress(**_key(offer), progress=10.0))

    # ------------------------------------------------------------------------------------------------------ speaking

    def _keep(self, result: Result) -> None:
        """Keep the result until it is acked, and say it."""
        now = self._world.loop.time()
        self.results[result.fence] = Kept(result, now, is_written=self._chance.happens(0.7))
        self._say(result)

    def _say_again(self, after: float) -> None:
        now = self._world.loop.time()
        for kept in self.results.values():
            if kept.said_at + after <= now:
                kept.said_at = now
                self._say(kept.result)

    def _say(self, packet: Accept | Reject | Progress | Result) -> None:
        if self._link is not None:
            self._link.say(packet)

    def _running(self) -> tuple[AttemptKey, ...]:
        """What it works at, and what it has a result of that is on its way."""
        running = [
            AttemptKey(**_key(held.offer), attempt=held.offer.attempt) for held in self.held.values() if held.is_running
        ]
        kept = [AttemptKey(**_key(kept.result), attempt=1) for kept in self.results.values()]
        return (*running, *kept)


def _key(packet: Any) -> dict[str, Any]:
    return {"execution_id": packet.execution_id, "stage_id": packet.stage_id, "fence": packet.fence}
