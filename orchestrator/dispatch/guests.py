"""Workers that are at home with other replicas and work here as guests: offered to, and judged, as any other worker.

What differs is the way to them, which leads through their home, and that the home says how many slots they have here.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

from orchestrator.core.requests import UnknownExecution
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.dispatcher import Dispatcher, ack_of
from orchestrator.dispatch.fleet import Worker
from orchestrator.dispatch.home import Home
from orchestrator.dispatch.outlook import Outlook
from orchestrator.dispatch.peer_link import PeerLink, PeerSocket, decoded
from orchestrator.dispatch.peer_messages import (
    Answer,
    Ask,
    FromHome,
    FromWorker,
    Gone,
    Grant,
    MalformedFrame,
    Present,
    ToWorker,
    Want,
    Wanted,
    decode_from_home,
)
from orchestrator.dispatch.rivals import WANT_AGAIN_SECONDS
from orchestrator.dispatch.tasks import Tasks
from orchestrator.store.database import UNAVAILABLE
from protocol.packets import Cancel, Heartbeat, OrchestratorPacket, Result

log = structlog.get_logger()

CLOSE_SECONDS: Final = 2.0


class Channel:
    """The way to one guest: a `Link` whose packets its home passes on."""

    def __init__(self, worker_id: str, link: PeerLink) -> None:
        self._worker_id = worker_id
        self._link = link

    def send(self, packet: OrchestratorPacket, encoded: bytes) -> None:
        self._link.tell(ToWorker(worker_id=self._worker_id, packet=packet))

    def close(self, reason: str) -> None:
        """The worker is reached in another way now; its home need not be told."""


class Hosting:
    """One home that presents its workers here."""

    def __init__(self, peer_id: str, socket: PeerSocket) -> None:
        self.peer_id = peer_id
        self.socket = socket
        self.link = PeerLink(socket)
        self.channels: dict[str, Channel] = {}
        self.wanted: tuple[Wanted, ...] = ()
        self.wanted_at = 0.0


class Guests:
    """The owner's side of what is lent by others."""

    def __init__(self, dispatcher: Dispatcher, home: Home, answers: Answers, outlook: Outlook, tasks: Tasks) -> None:
        self._dispatcher = dispatcher
        self._fleet = dispatcher.fleet
        self._clock = dispatcher.clock
        self._home = home
        self._answers = answers
        self._outlook = outlook
        self._tasks = tasks
        self._hosts: list[Hosting] = []
        self.are_linked = asyncio.Event()
        """Whether anybody is there to be told something, now and then."""

    async def serve(self, peer_id: str, socket: PeerSocket) -> None:
        """Hold the connection of one home, from its first frame to its end."""
        host = Hosting(peer_id, socket)
        self._hosts.append(host)
        self.are_linked.set()
        writer = self._tasks.create_task(host.link.write())
        try:
            async for frame in socket.frames():
                for message in await decoded(decode_from_home, frame):
                    self._take(host, message)
        except MalformedFrame as fault:
            log.error("peer.malformed", peer_id=peer_id, why=str(fault))
        finally:
            self._hosts.remove(host)
            writer.cancel()
            for worker_id, channel in host.channels.items():
                self._home.disconnected(worker_id, channel)

    async def close(self) -> None:
        """Nobody's guests work here any more."""
        async with asyncio.timeout(CLOSE_SECONDS):
            await asyncio.gather(*(host.socket.close() for host in self._hosts))

    def want(self) -> bool:
        """Tell each home what waits here for its workers' actions and finds no slot; whether there is any home."""
        if not self._hosts:
            return False
        now = self._clock.monotonic()
        starving = self._dispatcher.starving()
        for host in self._hosts:
            offered = {action for worker_id in host.channels for action in self._capabilities(worker_id)}
            wanted = tuple(
                Wanted(action=action, rank=key[0], is_fresh=key[1], execution_id=key[2])
                for action, key in starving.items()
                if action in offered
            )
            is_news = wanted != host.wanted or (wanted and now - host.wanted_at >= WANT_AGAIN_SECONDS)
            if is_news:
                host.wanted, host.wanted_at = wanted, now
                host.link.tell(Want(wanted=wanted))
        return True

    def _capabilities(self, worker_id: str) -> frozenset[str]:
        worker = self._fleet.get(worker_id)
        return frozenset() if worker is None else worker.facts.capabilities

    def _take(self, host: Hosting, message: FromHome) -> None:
        match message:
            case Present():
                channel = host.channels[message.worker_id] = Channel(message.worker_id, host.link)
                self._home.present(message, host.peer_id, channel)
            case Grant():
                worker = self._guest(host, message.worker_id)
                if worker is not None:
                    self._fleet.grant(worker, message.slots)
                    self._dispatcher.wake()
            case Gone():
                gone = host.channels.pop(message.worker_id, None)
                if gone is not None:
                    self._home.disconnected(message.worker_id, gone)
            case FromWorker():
                self._hear(host, message)
            case Ask():
                self._tasks.create_task(self._explain(host, message))

    def _hear(self, host: Hosting, message: FromWorker) -> None:
        worker, packet = self._guest(host, message.worker_id), message.packet
        if isinstance(packet, Heartbeat):
            if worker is not None:
                self._beat(host, worker, packet)
        elif packet.execution_id not in self._dispatcher.engine.owned:
            # It has changed hands: its home will find its owner. Passing it on from here could go round in circles.
            log.info("peer.not_owned", peer_id=host.peer_id, execution_id=packet.execution_id)
        elif isinstance(packet, Result):
            known, answered = self._fleet.get(message.worker_id), self._acknowledger(host, message, packet)
            if known is None:
                self._answers.late_results.answer(packet, answered)
            else:
                self._answers.result(known, packet, answered)
        elif worker is not None:
            self._answers.receive(worker.worker_id, (packet,))

    def _acknowledger(self, host: Hosting, message: FromWorker, result: Result) -> Callable[[bool], None]:
        def answered(committed: bool) -> None:
            host.link.tell(ToWorker(worker_id=message.worker_id, packet=ack_of(result, committed=committed)))

        return answered

    def _beat(self, host: Hosting, worker: Worker, heartbeat: Heartbeat) -> None:
        for directive in self._home.beat(worker.worker_id, heartbeat) or ():
            if directive.directive == "stop":
                about = directive.document() | {"type": "cancel", "reason": "stale"}
                host.link.tell(ToWorker(worker_id=worker.worker_id, packet=Cancel.model_validate(about)))

    def _guest(self, host: Hosting, worker_id: str) -> Worker | None:
        """The worker, if it is this home's guest now."""
        worker, channel = self._fleet.get(worker_id), host.channels.get(worker_id)
        return worker if worker is not None and channel is not None and worker.link is channel else None

    async def _explain(self, host: Hosting, ask: Ask) -> None:
        explanation: dict[str, Any] | None = None
        if ask.execution_id in self._dispatcher.engine.owned:
            try:
                explanation = await self._outlook.explain(ask.client_id, ask.execution_id)
            except (UnknownExecution, *UNAVAILABLE) as error:
                log.info("peer.not_explained", execution_id=ask.execution_id, why=repr(error))
        host.link.tell(Answer(question=ask.question, explanation=explanation))
