"""Simulated workers that are called by their URL, as the protocol's README has it for HTTP.

One speaks the original calls and nothing else: it knows executions, not attempts, holds the call to `process` open,
and runs again what it is asked for again. Another knows attempts: it answers 202, says what it holds, and reports
later until its report is answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from orchestrator.core.standing import Dishonest
from orchestrator.dispatch.replica import Replica
from protocol.codec import dumps
from protocol.packets import AttemptKey, Failure, Metrics, Registered, Registration, Result
from tests.simulation.calling import HttpCall
from tests.simulation.faults import Fault
from tests.simulation.network import Network
from tests.simulation.replica import ReplicaProcess
from tests.simulation.worker_process import ACTION, Temper, WorkerProcess
from tests.simulation.world import Life, LifeClock, World

AGAIN_SECONDS: Final = 0.5
"""After a registration or a report that was not answered."""


@dataclass(slots=True)
class Accepted:
    """What the worker said yes to. `said_at` is when; a slot is kept for an offer's time, and while it runs."""

    offer: dict[str, Any]
    said_at: float
    running: int = 0
    progress: float = 0.0


class HttpWorker(WorkerProcess):
    """A worker with a URL. `knows_attempts` is whether it goes beyond the original calls."""

    def __init__(
        self,
        world: World,
        network: Network,
        replicas: Sequence[ReplicaProcess],
        worker_id: str,
        temper: Temper,
        slots: int,
        *,
        knows_attempts: bool,
    ) -> None:
        super().__init__(world, network, replicas, worker_id, temper, slots)
        self._knows_attempts = knows_attempts
        self._accepted: dict[object, Accepted] = {}
        self._results: dict[int, Result] = {}
        network.served[worker_id] = self

    # ----------------------------------------------------------------------------------------------------- its lives

    def _begin_life(self) -> None:
        self._accepted = {}
        self._results = {fence: result for fence, result in self._results.items() if self._chance.happens(0.7)}
        self._network.spawn(self._register(self.life))
        for result in self._results.values():
            self._network.spawn(self._report(self.life, result))

    def _hang_up(self, after: float) -> None:
        self._network.hang_up(self.worker_id, after)

    async def _register(self, life: Life) -> None:
        clock = LifeClock(self._world, life)
        registration = Registration(
            worker_id=self.worker_id,
            url=f"http://{self.worker_id}",
            capabilities=(ACTION,),
            max_concurrent_executions=self.slots,
            instance_id=self._instance_id if self._knows_attempts else None,
            running=self._attempts() if self._knows_attempts else (),
        )

        async def register(replica: Replica) -> Registered:
            return await replica.home.register(registration)

        while True:
            try:
                await self._network.call(life, self._chance.choice(self._replicas), register)
            except Exception as refused:
                self._world.trace.say(self.worker_id, "cannot register:", repr(refused))
            else:
                return
            await clock.sleep(AGAIN_SECONDS * (1 + self._chance.random()))

    # --------------------------------------------------------------------------------------------------- being called

    def serve(self, call: HttpCall) -> None:
        match call.method, call.path:
            case "POST", "/api/handshake":
                self._offered(call, call.document())
            case "POST", "/api/process":
                self._told_to_begin(call, call.document())
            case "GET", path if path.startswith("/api/progress/"):
                self._asked_for_progress(call, path.rpartition("/")[2])
            case "GET", "/api/held" if self._knows_attempts:
                attempts = [attempt.document() for attempt in self._attempts()]
                call.respond(200, dumps({"attempts": attempts}))
            case "POST", "/api/cancel" if self._knows_attempts:
                if not self._misbehaves(Temper.ZOMBIE, 0.8):
                    self._accepted.pop(self._name(call.document()), None)
                call.respond(200)
            case "POST", "/api/acknowledge" if self._knows_attempts:
                self._results.pop(call.document()["fence"], None)
                call.respond(200)
            case _:
                call.respond(404)

    def _offered(self, call: HttpCall, offer: dict[str, Any]) -> None:
        execution_id = offer["executionId"]
        if self._misbehaves(Temper.CRASHING, 0.12):
            self.crash(Fault.WORKER_BEFORE_ACCEPT)
            return
        if self._misbehaves(Temper.LYING, 0.3):
            self._lie(call)
            return
        if self._misbehaves(Temper.REFUSING, 0.3):
            call.respond(503, retry_after_ms=1000 if self._chance.happens(0.5) else None)
            return
        taken = self._taken() >= self.slots and self._name(offer) not in self._accepted
        if taken or self._misbehaves(Temper.REFUSING, 0.4):
            call.respond(200, dumps({"executionId": execution_id, "accepted": False, "reason": "not now"}))
            return
        self._accepted.setdefault(self._name(offer), Accepted(offer, self._world.loop.time()))
        answer = {"executionId": execution_id, "workerId": self.worker_id, "accepted": True}
        call.respond(200, dumps(answer | {"stageId": offer["stageId"]} if self._knows_attempts else answer))
        if self._misbehaves(Temper.CRASHING, 0.12):
            self.crash(Fault.WORKER_AFTER_ACCEPT)

    def _told_to_begin(self, call: HttpCall, process: dict[str, Any]) -> None:
        kept = self._results.get(process["fence"])
        accepted = self._accepted.get(self._name(process))
        if kept is not None:
            self._answer(call, kept)
        elif accepted is None:
            call.respond(503)
        elif self._misbehaves(Temper.LYING, 0.3):
            self._lie(call)
        elif not self._knows_attempts:
            self._begin(accepted, process, call)
        else:
            if accepted.running == 0:
                self._begin(accepted, process, None)
            call.respond(202)

    def _asked_for_progress(self, call: HttpCall, execution_id: str) -> None:
        for accepted in self._accepted.values():
            if accepted.offer["executionId"] == execution_id and accepted.running:
                progress = 10.0 if self._misbehaves(Temper.LYING, 0.5) else accepted.progress
                call.respond(200, dumps({"executionId": execution_id, "progress": progress}))
                return
        call.respond(404)

    def _lie(self, call: HttpCall) -> None:
        """Answer what cannot be an answer."""
        self._world.fire(Fault.LIE_ANSWER, self.worker_id)
        status = self._chance.choice((200, 200, 400, 500))
        wrong = {"executionId": "exec_0", "accepted": True, "status": "completed", "result": {"value": -4}}
        call.respond(status, self._chance.choice((b"", b'{"accepted"', b"[]", dumps(wrong))))

    # ------------------------------------------------------------------------------------------------------- its work

    def _begin(self, accepted: Accepted, process: dict[str, Any], call: HttpCall | None) -> None:
        accepted.running += 1
        accepted.progress = 0.0
        takes = self._takes()
        self.life.later(takes / 2, partial(self._half_way, accepted))
        self.life.later(takes, partial(self._finish, accepted, process, call))
        self._oversleeps()

    def _half_way(self, accepted: Accepted) -> None:
        accepted.progress = 50.0
        if (accepted.offer.get("inputData") or {}).get("poison"):
            self.crash(Fault.POISON)
        elif self._misbehaves(Temper.CRASHING, 0.25):
            self.crash(Fault.WORKER_MID_PROCESS)

    def _finish(self, accepted: Accepted, process: dict[str, Any], call: HttpCall | None) -> None:
        accepted.running -= 1
        result = self._result(accepted.offer, process)
        if accepted.running == 0 and self._accepted.pop(self._name(process), None) is None:
            return
        if call is not None:
            self._answer(call, result)
        else:
            self._results[result.fence] = result
            self._network.spawn(self._report(self.life, result))
        if self._misbehaves(Temper.CRASHING, 0.3):
            self.crash(Fault.WORKER_BEFORE_ACK)

    def _result(self, offer: dict[str, Any], process: dict[str, Any]) -> Result:
        key = {name: process[name] for name in ("executionId", "stageId", "fence")}
        metrics = Metrics(tokens_used=1)
        if not self._world.is_calm and self._chance.happens(0.08):
            failure = Failure(code="broken", message="by chance", retryable=self._chance.happens(0.8))
            return Result(**key, status="failed", error=failure, metrics=metrics)
        value = {"value": offer["inputData"]["value"] + 1, "fence": process["fence"], "worker": self.worker_id}
        return Result(**key, status="completed", result=value, metrics=metrics)

    def _answer(self, call: HttpCall, result: Result) -> None:
        call.respond(200, dumps(result.document()))

    async def _report(self, life: Life, result: Result) -> None:
        """Report until there is an answer: it was taken, or another attempt rules."""
        clock = LifeClock(self._world, life)

        async def report(replica: Replica) -> bool:
            try:
                is_taken = await replica.reports.result(self.worker_id, result)
            except Dishonest:
                return False
            if is_taken:
                self._network.checker.acked(result)
            return is_taken

        while result.fence in self._results:
            try:
                await self._network.call(life, self._chance.choice(self._replicas), report)
            except Exception as unknown:
                self._world.trace.say(self.worker_id, "cannot report:", repr(unknown))
                await clock.sleep(AGAIN_SECONDS * (1 + self._chance.random()))
            else:
                self._results.pop(result.fence, None)

    # ---------------------------------------------------------------------------------------------------- what it holds

    def _name(self, packet: dict[str, Any]) -> object:
        """What the worker knows an offer by."""
        return packet["fence"] if self._knows_attempts else packet["executionId"]

    def _taken(self) -> int:
        now, expires = self._world.loop.time(), self._world.pace.offer_expires
        return sum(accepted.running > 0 or now < accepted.said_at + expires for accepted in self._accepted.values())

    def _attempts(self) -> tuple[AttemptKey, ...]:
        """What it runs, and what it has a result of that was not taken yet."""
        running = [
            AttemptKey.model_validate(accepted.offer) for accepted in self._accepted.values() if accepted.running
        ]
        kept = [AttemptKey.model_validate(result.document() | {"attempt": 1}) for result in self._results.values()]
        return (*running, *kept)
