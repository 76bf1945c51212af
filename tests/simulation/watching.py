"""Clients that watch executions: the real event streams, over connections that break and are resumed.

A stream is served inside a replica, as the web serves it, and is cut off with it. What is checked is what a client
sees over all its connections.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.dispatch.replica import Replica
from orchestrator.dispatch.watch import Watcher
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.executions import Snapshot
from orchestrator.web.streams import next_events
from orchestrator.web.told import Event, Told
from tests.simulation.faults import Fault
from tests.simulation.network import DELAY, LONGEST_DELAY, LOSS, WAY, Network
from tests.simulation.replica import ReplicaProcess
from tests.simulation.world import Life, LifeClock, conclude

if TYPE_CHECKING:
    from tests.simulation.checker import Checker

RESUME_SECONDS: Final = 0.5


class Watch:
    """What one client saw of an execution, from its first event to the end."""

    def __init__(self, network: Network, life: Life, client_id: str, execution_id: str) -> None:
        self.execution_id = execution_id
        self.last_event_id: int | None = None
        self.has_ended = False
        self._network = network
        self._checker: Checker = network.checker
        self._life = life
        self._client_id = client_id
        self._chance = network.world.chance.stream(f"watch {execution_id}")
        self._progress = 0.0

    async def until_the_end(self, replicas: Sequence[ReplicaProcess]) -> None:
        """Watch at whichever replica answers, and resume elsewhere when the stream breaks."""
        clock = LifeClock(self._network.world, self._life)
        while not self.has_ended:
            process = self._chance.choice(replicas)
            if (
                process.replica is not None
                and process.serves
                and not self._network.is_cut(self._life.name, process.name)
            ):
                await EventStream(self._network, self._life, process, self).served(process.replica, self._client_id)
            await clock.sleep(RESUME_SECONDS * (1 + self._chance.random()))

    def see(self, event: Event) -> None:
        """An event arrives. Its id is never less than an earlier one; nothing follows the end, which is as durable."""
        about = f"{self.execution_id}: {event.name} {event.id}"
        if self.has_ended:
            self._checker.violate("streams", f"{about} after the end")
        if event.id is not None:
            if self.last_event_id is not None and event.id < self.last_event_id:
                self._checker.violate("streams", f"{about} after {self.last_event_id}")
            self.last_event_id = event.id
            progress = event.data["progress"]
            if progress < self._progress:
                self._checker.violate("I17", f"{about}: {progress} % after {self._progress}")
            self._progress = progress
        if event.name == "end":
            self.has_ended = True
            self._checker.told_the_end(self.execution_id, event.data["status"])


class EventStream:
    """One connection of a watch: in order and whole, until it breaks."""

    def __init__(self, network: Network, life: Life, process: ReplicaProcess, watch: Watch) -> None:
        self.ends = frozenset({life.name, process.name})
        self.is_open = True
        self._network = network
        self._life, self._process_life = life, process.life
        self._process = process
        self._watch = watch
        self._over = network.world.loop.create_future()
        self._watcher: Watcher | None = None
        self._last = 0.0
        network.hold(self)

    async def served(self, replica: Replica, client_id: str) -> None:
        """Return when the client has noticed that the stream is over."""
        self._process.spawn(self._serve(replica, client_id, Told(self._watch.last_event_id)))
        await self._over

    async def _serve(self, replica: Replica, client_id: str, told: Told) -> None:
        execution_id = self._watch.execution_id

        async def read() -> Snapshot:
            snapshot = await replica.executions.find(client_id, execution_id)
            if snapshot is None:
                self._network.checker.violate("I1", f"{execution_id} was acknowledged and cannot be watched")
                raise LookupError(execution_id)
            return snapshot

        watcher = self._watcher = replica.hub.watch(execution_id)
        try:
            self._carry(told.of_snapshot(await read()))
            while self.is_open and not told.ended:
                self._carry(await next_events(watcher, told, read))
        except UNAVAILABLE:
            self._network.world.trace.say(self._process.name, "breaks the stream of", execution_id)
        except Exception as error:
            self._network.checker.fault_in_a_loop(error)
        finally:
            replica.hub.leave(watcher)
            self._process_life.deliver(self.end, 0.0)

    def _carry(self, events: Sequence[Event]) -> None:
        if events:
            self._process_life.deliver(self._send, events)

    def _send(self, events: Sequence[Event]) -> None:
        network, world = self._network, self._network.world
        fate = 1.0 if world.is_calm else network.chance.random()
        if fate < LOSS:
            world.fire(Fault.LOSS, *sorted(self.ends))
            self.end(0.0)
            return
        delay = network.chance.random() * WAY
        if fate < LOSS + DELAY:
            world.fire(Fault.DELAY, *sorted(self.ends))
            delay += network.chance.random() * LONGEST_DELAY
        self._last = max(world.loop.time() + delay, self._last, network.cut_until(*self.ends))
        for event in events:
            world.loop.call_at(self._last, self._life.deliver, self._arrive, event)

    def _arrive(self, event: Event) -> None:
        if not self._over.done():
            self._watch.see(event)

    def end(self, after: float) -> None:
        """The stream is over; the client notices after so many seconds, and after what was sent before."""
        self.is_open = False
        if self._watcher is not None:
            self._watcher.wake()
        loop = self._network.world.loop
        at = max(loop.time() + after + self._network.chance.random() * WAY, self._last)
        loop.call_at(at, self._life.deliver, partial(conclude, self._over, None))
