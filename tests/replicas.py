"""Replicas in the test's own loop, on a real database; and workers whose answers a test scripts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from orchestrator.core.execution import Execution, prepare
from orchestrator.core.requests import ExecuteRequest
from orchestrator.core.seams import Clock
from orchestrator.core.stage import Stage
from orchestrator.core.template import Template, parse_template
from orchestrator.dispatch.home import Reach
from orchestrator.dispatch.link import Receiver
from orchestrator.dispatch.outbound import HttpTransport, worker_session
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.replica import Replica
from orchestrator.store.blobs import ObjectBlobs
from orchestrator.store.database import Database
from orchestrator.store.record import Record
from orchestrator.store.store import postgres_store
from orchestrator.store.templates import Templates
from orchestrator.system import NoFailpoints, SystemClock, SystemRandom, TimeOrderedIds
from protocol.packets import (
    Accept,
    AttemptKey,
    Cancel,
    Failure,
    Offer,
    OrchestratorPacket,
    Process,
    Registration,
    Reject,
    Result,
    WorkerPacket,
)
from tests.peer_exchange import Exchange

CLIENT = "client_1"
CHAIN = """
template: chain
stages:
  one: {action: work, with: {value: "${input.value}"}}
  two: {needs: [one], action: work, with: {value: "${stages.one.output.value}"}}
output: {value: "${stages.two.output.value}"}
"""
SINGLE = "template: single\nstages: {only: {action: work, with: {value: '${input.value}'}}}\n"
BRISK = Pace(
    heartbeat=0.2, lease=0.6, offer_expires=0.5, cancel_grace=0.3, busy_again=0.05, refused_again=0.05, sweep=0.02
)

_ids = TimeOrderedIds()


async def published(database: Database, source: str = CHAIN) -> Template:
    """The template as `Templates` hands it out, published for the tests' client."""
    templates = Templates(database, SystemClock())
    template = parse_template(source)
    version, _ = await templates.publish(CLIENT, template, source)
    return await templates.version(CLIENT, template.name, version)


def a_record(template: Template, given: Any = None, priority: int = 50, kept: dict[str, Stage] | None = None) -> Record:
    execution = Execution(
        execution_id=_ids.new("exec"),
        client_id=CLIENT,
        template=template,
        template_client_id=CLIENT,
        input=given if given is not None else {"value": 1},
        priority=priority,
        created_at=SystemClock().now(),
    )
    prepare(execution, kept or {})
    return Record(execution)


def a_request(template: Template, given: Any = None, **fields: Any) -> ExecuteRequest:
    values = {"priority": 50, **fields}
    return ExecuteRequest(CLIENT, template, CLIENT, given if given is not None else {"value": 1}, **values)


@asynccontextmanager
async def a_replica(
    database: Database,
    folder: Path,
    name: str = "replica_1",
    pace: Pace = BRISK,
    *,
    clock: Clock | None = None,
    url: str = "http://127.0.0.1:1",
    exchange: Exchange | None = None,
) -> AsyncIterator[Replica]:
    """A replica that lives until the block ends, reached by the others of its exchange.

    `url` is where it tells its workers to dial.
    """
    async with worker_session() as session:
        templates, blobs = Templates(database, SystemClock()), ObjectBlobs.in_folder(folder / "artifacts", _ids)
        replica = Replica(
            replica_id=name,
            store=postgres_store(database, templates, blobs, name, clock or SystemClock()),
            reach=Reach(
                HttpTransport(session, "secret", pace.call_timeout),
                url,
                None if exchange is None else exchange.dialler(name),
            ),
            clock=clock or SystemClock(),
            ids=_ids,
            random=SystemRandom(),
            failpoints=NoFailpoints(),
            pace=pace,
        )
        if exchange is not None:
            exchange.add(replica)
        await replica.start()
        try:
            yield replica
        finally:
            await replica.stop()
            if exchange is not None:
                exchange.remove(name)


Script = Callable[["ScriptedWorker", OrchestratorPacket], None]


class ScriptedWorker:
    """A worker on the other end of a link: what it is sent goes through its script and is kept."""

    def __init__(self, replica: Replica, script: Script, worker_id: str = "w", slots: int = 4) -> None:
        self.worker_id = worker_id
        self.received: list[OrchestratorPacket] = []
        self.closed: str | None = None
        self._receiver: Receiver = replica.reception
        self._script = script
        self._changed = asyncio.Event()
        self._slots = slots
        self._home = replica.home

    async def join(
        self, *capabilities: str, instance_id: str = "life_1", running: Sequence[AttemptKey] = ()
    ) -> "ScriptedWorker":
        """Register and dial in; `running` is what it says that it holds."""
        registration = Registration(
            worker_id=self.worker_id,
            capabilities=capabilities or ("work",),
            max_concurrent_executions=self._slots,
            instance_id=instance_id,
            running=tuple(running),
        )
        await self._home.register(registration)
        self._home.connected(self.worker_id, self)
        return self

    def leave(self) -> None:
        """The link breaks."""
        self._home.disconnected(self.worker_id, self)

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        self.received.append(packet)
        self._changed.set()
        self._script(self, packet)

    def close(self, reason: str) -> None:
        self.closed = reason

    def say(self, *packets: WorkerPacket) -> None:
        """Answer in a later turn of the loop, as over a network."""
        asyncio.get_running_loop().call_soon(self._receiver.receive, self.worker_id, packets)

    async def got(self, kind: type[Any], count: int = 1) -> Any:
        """The n-th packet of this kind that reaches the worker."""
        async with asyncio.timeout(10):
            while len(found := [packet for packet in self.received if isinstance(packet, kind)]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found[count - 1]

    def offered(self) -> list[str]:
        """The stages it was offered, in order."""
        return [packet.stage_id for packet in self.received if isinstance(packet, Offer)]


def key_of(packet: Any) -> dict[str, Any]:
    return {"execution_id": packet.execution_id, "stage_id": packet.stage_id, "fence": packet.fence}


def accept(packet: Offer, estimate_ms: int | None = 10) -> Accept:
    return Accept(**key_of(packet), estimated_completion_ms=estimate_ms)


def reject(packet: Offer, code: str, retry_after_ms: int | None = None) -> Reject:
    return Reject.model_validate(
        {**key_of(packet), "code": code, "reason": "not now", "retry_after_ms": retry_after_ms}
    )


def completed(packet: Any, result: Any) -> Result:
    return Result(**key_of(packet), status="completed", result=result)


def failed(packet: Any, *, retryable: bool) -> Result:
    return Result(**key_of(packet), status="failed", error=Failure(code="broken", message="no", retryable=retryable))


def honest(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
    """Accepts everything and adds one."""
    match packet:
        case Offer():
            worker.say(accept(packet))
        case Process():
            # An attempt that another life of the script accepted is not known to this one, and goes on all the same.
            for offer in worker.received:
                if isinstance(offer, Offer) and offer.fence == packet.fence:
                    worker.say(completed(packet, {"value": offer.input_data["value"] + 1}))


def accepting(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
    """Accepts everything and never ends; says that it stopped when it is told to."""
    match packet:
        case Offer():
            worker.say(accept(packet))
        case Cancel():
            worker.say(Result(**key_of(packet), status="cancelled"))


def silent(worker: ScriptedWorker, packet: OrchestratorPacket) -> None:
    """Never says anything."""


async def final(replica: Replica, execution_id: str) -> Execution:
    """The execution once its end is durable."""
    watcher = replica.hub.watch(execution_id)
    try:
        async with asyncio.timeout(20):
            while True:
                snapshot = await replica.executions.find(CLIENT, execution_id, whole=True)
                if snapshot is not None and snapshot.execution.is_final:
                    return snapshot.execution
                await watcher.next(0.5)
    finally:
        replica.hub.leave(watcher)


def kinds(packets: Sequence[dict[str, Any]]) -> list[str]:
    return [packet["type"] for packet in packets]
