"""One replica: its parts wired together, its life under an epoch, and its loops.

Each loop is a small `tick` that is called again and again; tests call the ticks themselves.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

import structlog

from orchestrator.core.seams import Clock, Failpoints, Ids, Random
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.check import CheckWorker, check_registration
from orchestrator.dispatch.claims import Claims
from orchestrator.dispatch.commands import Commands
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Fleet
from orchestrator.dispatch.guests import Guests
from orchestrator.dispatch.home import Home, Reach
from orchestrator.dispatch.outlook import Outlook
from orchestrator.dispatch.pace import Pace
from orchestrator.dispatch.peers import Peers
from orchestrator.dispatch.probes import Probes
from orchestrator.dispatch.reaper import Reaper
from orchestrator.dispatch.reception import Reception
from orchestrator.dispatch.relay import Relay
from orchestrator.dispatch.reports import Reports
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.watch import Hub
from orchestrator.dispatch.workers import Workers
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.hints import Hint
from orchestrator.store.journal import Journal
from orchestrator.store.store import Store

STOP_SECONDS: Final = 10.0

log = structlog.get_logger()


class Tick(Protocol):
    """One turn of a loop."""

    __name__: str

    def __call__(self) -> Awaitable[None]: ...


class Replica:
    """Everything that drives executions in this process."""

    def __init__(
        self,
        *,
        replica_id: str,
        store: Store,
        reach: Reach,
        clock: Clock,
        ids: Ids,
        random: Random,
        failpoints: Failpoints,
        pace: Pace,
    ) -> None:
        self.replica_id = replica_id
        self.clock = clock
        self.pace = pace
        self.reach = reach
        tasks = self._tasks = Tasks()
        self.hub = Hub()
        self.fleet = Fleet()
        self.registry = store.registry
        self.ownership = store.ownership
        self.executions = store.executions
        self.journal = Journal(store.open_flushing, store.blobs, clock, failpoints, replica_id, self._abandon)
        self.dispatcher = Dispatcher(self.journal, clock, self.hub, self.fleet, pace)
        self.answers = Answers(self.dispatcher, random, self.executions.whereabouts, tasks)
        self.relay = Relay(self.dispatcher, self.answers, self.executions, replica_id, tasks)
        self.dispatcher.disowned = self.relay.disowned
        self.reception = Reception(self.answers, self.relay, self.fleet)
        self.home = Home(
            self.dispatcher, self.answers, self.relay, self.reception, self.registry, reach, ids, replica_id, tasks
        )
        self.probes = Probes(self.dispatcher, self.relay, self.reception, tasks)
        self.claims = Claims(self.dispatcher, self.home, self.relay, self.ownership, self.journal, tasks)
        self.hints = store.open_hints(clock)
        self.outlook = Outlook(self.dispatcher, self.executions)
        self.guests = Guests(self.dispatcher, self.home, self.answers, self.outlook, tasks)
        self.peers = Peers(reach.dial, self.dispatcher, self.relay, self.guests, random, tasks)
        self.outlook.ask_owner = self.peers.explain
        self.commands = Commands(
            self.dispatcher, self.claims, self.ownership, self.journal, self.executions, self.hints, self.outlook, ids
        )
        self.reports = Reports(self.answers, self.relay, self.fleet, self.dispatcher.engine.owned, self.executions)
        self.reaper = Reaper(self.dispatcher, self.answers, random)
        self.workers = Workers(
            self.home, self.reception, self.fleet, self.registry, self.guests, self.peers, replica_id, pace
        )
        self._told = {hint: asyncio.Event() for hint in Hint}
        self._living = asyncio.Lock()
        self._has_lapsed = False
        self._swept_at = clock.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether this replica holds its epoch, under a lease that is not over."""
        has_lease = self.clock.monotonic() < self.dispatcher.offers_until
        return has_lease and self.ownership.epoch > 0 and not self.journal.epoch_lost.is_set()

    async def start(self) -> None:
        """Begin a life and take up what earlier ones left, before any worker can report."""
        for writer in self.journal.writers():
            self._tasks.create_task(writer)
        await self._begin()
        self.dispatcher.histories.begin(await self.executions.durations())
        self.home.enter_built_in(check_registration(), CheckWorker(self.answers, self.clock))
        for tick, seconds in (
            (self._sweep, self.pace.sweep),
            (self._live, self.pace.lease / 3),
            (self._probe, self.pace.heartbeat / 2),
            (self.claims.read_inbox, self.pace.poll),
            (self._look_elsewhere, self.pace.poll / 2),
        ):
            self._tasks.create_task(self._every(seconds, tick))
        self._tasks.create_task(self._claim_when_hungry())
        self._tasks.create_task(self._when_told(Hint.INBOX, self.claims.read_inbox))
        self._tasks.create_task(self._when_told(Hint.REPLICAS, self._live))
        self._tasks.create_task(self._talk())
        self._tasks.create_task(self.hints.listen(lambda hint: self._told[hint].set()))

    async def stop(self) -> None:
        """End cleanly: nothing more is offered or claimed, everything is flushed, and others need not wait."""
        self.dispatcher.stop_offering()
        with suppress(TimeoutError, *UNAVAILABLE):
            async with asyncio.timeout(STOP_SECONDS):
                await self.journal.drain()
                async with self._living:
                    # A renewal after this would keep others waiting for a lease that nobody holds.
                    self._has_lapsed = True
                    await self.ownership.lapse()
                self.hints.tell(Hint.REPLICAS)
                await self.hints.flush()
        for worker in self.fleet:
            if worker.link is not None and worker.is_at_home:
                worker.link.close("the orchestrator stops")
        with suppress(TimeoutError):
            await self.guests.close()
        await self._tasks.close()

    async def _begin(self) -> None:
        # As soon as a new epoch stands, and be its answer lost, anybody may adopt what this life drives.
        self.dispatcher.offers_until = 0.0
        asked_at = self.clock.monotonic()
        epoch = await self.ownership.register(self.reach.public_url, timedelta(seconds=self.pace.lease))
        self.journal.begin(epoch)
        self.dispatcher.begin(epoch)
        self.claims.begin()
        self.claims.offer_under_lease(asked_at)
        log.info("replica.began", replica_id=self.replica_id, epoch=epoch)
        await self.claims.take_over()
        await self.home.take_home()
        self.hints.tell(Hint.REPLICAS)
        self.dispatcher.hungry.set()

    async def _sweep(self) -> None:
        # Who stood still, or is dead to the others, did not hear what its workers said: their silence is its own.
        now = self.clock.monotonic()
        stood_still = now - self._swept_at >= self.pace.lease / 2
        self._swept_at = now
        if self.is_alive and not stood_still:
            self.reaper.sweep()

    async def _live(self) -> None:
        async with self._living:
            if self._has_lapsed:
                return
            if self.journal.epoch_lost.is_set() or not await self.claims.renew():
                log.error("replica.deposed", replica_id=self.replica_id, epoch=self.ownership.epoch)
                await self._begin()
                return
            self.peers.meet(await self.ownership.others() if self.fleet.is_shared else {})
            await self.claims.take_over()
            await self.home.take_home()

    async def _look_elsewhere(self) -> None:
        """What other replicas know: who owns what is held for them, and what they did to executions watched here."""
        await self.relay.look()
        owned = self.dispatcher.engine.owned
        elsewhere = [execution_id for execution_id in self.hub.watched() if execution_id not in owned]
        if elsewhere:
            for execution_id, sequence in (await self.executions.sequences(elsewhere)).items():
                self.hub.stands_at(execution_id, sequence)

    async def _talk(self) -> None:
        while True:
            await self.peers.are_linked.wait()
            self.peers.tell()
            await self.clock.sleep(self.pace.talk)

    async def _probe(self) -> None:
        self.probes.probe_quiet()

    async def _claim_when_hungry(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.pace.poll):
                    await self.dispatcher.hungry.wait()
            self.dispatcher.hungry.clear()
            await self._bounded(self.claims.refill)

    async def _when_told(self, hint: Hint, tick: Tick) -> None:
        while True:
            await self._told[hint].wait()
            self._told[hint].clear()
            if not await self._bounded(tick):
                # Nobody tells it twice, and the loop that looks by itself may be long in coming.
                self._told[hint].set()

    async def _every(self, seconds: float, tick: Tick) -> None:
        while True:
            await self._bounded(tick)
            await self.clock.sleep(seconds)

    async def _bounded(self, tick: Tick) -> bool:
        """A tick whose fault does not end its loop: it is tried again at its next turn. Whether it went through."""
        try:
            await tick()
        except UNAVAILABLE as error:
            log.warning("database.away", loop=tick.__name__, error=repr(error))
            await self.clock.sleep(self.pace.poll)
        except Exception:
            log.exception("loop.failed", loop=tick.__name__)
            await self.clock.sleep(self.pace.poll)
        else:
            return True
        return False

    def _abandon(self, execution_id: str) -> None:
        self.dispatcher.abandon(execution_id)
