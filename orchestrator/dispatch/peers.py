"""The other living replicas: each is dialled as the home of this one's workers, and told of them.

What a peer was told is compared with what is so, a few times a second; only differences are sent. So nothing need be
remembered that happened to a worker, and a new connection tells everything.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final

import aiohttp
import structlog

from orchestrator.core.seams import Random
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Worker
from orchestrator.dispatch.guests import Guests
from orchestrator.dispatch.peer_link import Dial, PeerLink, PeerSocket, decoded
from orchestrator.dispatch.peer_messages import (
    Answer,
    Ask,
    FromOwner,
    Gone,
    Grant,
    MalformedFrame,
    Present,
    ToWorker,
    Want,
    decode_from_owner,
)
from orchestrator.dispatch.relay import Relay
from orchestrator.dispatch.tasks import Tasks
from protocol.packets import Registration

DIAL_FAULTS: Final = (OSError, TimeoutError, aiohttp.ClientError)
EXPLAIN_SECONDS: Final = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class Peer:
    """One other replica. `link` is None while it is not reached; `told` is since when it knows each worker to be at
    home here, and how many slots of it it was granted."""

    peer_id: str
    url: str
    stay: "asyncio.Task[None] | None" = None
    link: PeerLink | None = None
    told: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    questions: "dict[int, asyncio.Future[dict[str, Any] | None]]" = field(default_factory=dict)


class Peers:
    """This replica's connections to the others."""

    def __init__(
        self,
        dial: Dial | None,
        dispatcher: Dispatcher,
        relay: Relay,
        guests: Guests,
        random: Random,
        tasks: Tasks,
    ) -> None:
        self.are_linked = guests.are_linked
        self._dial = dial
        self._dispatcher = dispatcher
        self._clock = dispatcher.clock
        self._pace = dispatcher.pace
        self._relay = relay
        self._guests = guests
        self._random = random
        self._tasks = tasks
        self._peers: dict[str, Peer] = {}
        self._numbers = count(1)

    def meet(self, living: Mapping[str, str]) -> None:
        """Who lives besides this replica: their ids and URLs. New ones are dialled until they are gone."""
        if self._dial is None:
            return
        for peer_id in [peer_id for peer_id, peer in self._peers.items() if living.get(peer_id) != peer.url]:
            gone = self._peers.pop(peer_id)
            if gone.stay is not None:
                gone.stay.cancel()
        for peer_id, url in living.items():
            if peer_id not in self._peers:
                peer = self._peers[peer_id] = Peer(peer_id, url)
                peer.stay = self._tasks.create_task(self._stay(peer, self._dial))

    def urls(self) -> list[str]:
        """Where the others are reached."""
        return [peer.url for peer in self._peers.values()]

    def tell(self) -> None:
        """Tell every peer what has changed: which workers are at home here, and how many slots of each it may use."""
        workers = [worker for worker in self._dispatcher.fleet if worker.is_at_home and worker.since is not None]
        for peer in self._peers.values():
            if peer.link is not None:
                self._tell_of_workers(peer, peer.link, workers)
        if not self._guests.want() and not any(peer.link for peer in self._peers.values()):
            self.are_linked.clear()

    async def explain(self, owner: str, client_id: str, execution_id: str) -> dict[str, Any] | None:
        """What the owner says of its execution; None if it cannot be asked, or does not answer soon."""
        peer = self._peers.get(owner)
        if peer is None or peer.link is None:
            return None
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        peer.questions[number] = answer
        peer.link.tell(Ask(question=number, client_id=client_id, execution_id=execution_id))
        try:
            async with asyncio.timeout(EXPLAIN_SECONDS):
                return await answer
        except TimeoutError:
            return None
        finally:
            peer.questions.pop(number, None)

    def _tell_of_workers(self, peer: Peer, link: PeerLink, workers: list[Worker]) -> None:
        present = set()
        for worker in workers:
            if worker.link is None or not worker.facts.connected or worker.since is None:
                continue
            present.add(worker.worker_id)
            since, granted = peer.told.get(worker.worker_id, (None, -1))
            spare = 0 if worker.facts.draining else max(worker.facts.free, 0)
            slots = self._relay.lent(worker, peer.peer_id) + spare
            if since != worker.since:
                link.tell(self._presented(worker, worker.since))
                granted = -1
            if slots != granted:
                link.tell(Grant(worker_id=worker.worker_id, slots=slots))
            peer.told[worker.worker_id] = (worker.since, slots)
        for worker_id in [worker_id for worker_id in peer.told if worker_id not in present]:
            link.tell(Gone(worker_id=worker_id))
            del peer.told[worker_id]

    def _presented(self, worker: Worker, since: datetime) -> Present:
        registration = Registration(
            worker_id=worker.worker_id,
            display_name=worker.display_name,
            version=worker.version,
            url=worker.url,
            capabilities=tuple(sorted(worker.facts.capabilities)),
            max_concurrent_executions=worker.facts.slots,
            instance_id=worker.instance_id,
            running=tuple(self._relay.begun(worker)),
            labels=worker.labels,
        )
        return Present(
            worker_id=worker.worker_id,
            registration=registration,
            since=since,
            one_stage_of_an_execution=worker.facts.one_stage_of_an_execution,
        )

    async def _stay(self, peer: Peer, dial: Dial) -> None:
        """Keep a connection to the peer until it is no longer among the living."""
        is_told = False
        while True:
            try:
                async with dial(peer.url, peer.peer_id) as socket:
                    is_told = False
                    await self._speak(peer, socket)
                reason = "it was closed"
            except DIAL_FAULTS as error:
                reason = repr(error)
            except MalformedFrame as fault:
                reason = f"malformed: {fault}"
            if not is_told:
                log.warning("peer.unlinked", peer_id=peer.peer_id, url=peer.url, why=reason)
                is_told = True
            await self._clock.sleep(self._pace.poll * (0.25 + 0.5 * self._random.draw()))

    async def _speak(self, peer: Peer, socket: PeerSocket) -> None:
        link = peer.link = PeerLink(socket)
        peer.told = {}
        writer = self._tasks.create_task(link.write())
        self.are_linked.set()
        log.info("peer.linked", peer_id=peer.peer_id, url=peer.url)
        self._tell_of_workers(peer, link, [worker for worker in self._dispatcher.fleet if worker.is_at_home])
        self._relay.linked(peer.peer_id, link)
        try:
            async for frame in socket.frames():
                for message in await decoded(decode_from_owner, frame):
                    self._take(peer, message)
        finally:
            writer.cancel()
            peer.link = None
            self._relay.unlinked(peer.peer_id, link)
            self._dispatcher.rivals.forget(peer.peer_id)
            for question in peer.questions.values():
                if not question.done():
                    question.set_result(None)

    def _take(self, peer: Peer, message: FromOwner) -> None:
        match message:
            case ToWorker():
                self._relay.to_worker(peer.peer_id, message.worker_id, message.packet)
            case Want():
                wanted = {one.action: one.key for one in message.wanted}
                self._dispatcher.rivals.want(peer.peer_id, wanted, self._clock.monotonic())
                self._dispatcher.wake()
            case Answer():
                question = peer.questions.get(message.question)
                if question is not None and not question.done():
                    question.set_result(message.explanation)
