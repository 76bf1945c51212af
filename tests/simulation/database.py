"""The simulated database server: when statements reach it, what it answers, and what goes wrong.

A statement that fails may fail before it was carried out or after: whoever sent it cannot know.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

import asyncpg

from orchestrator.store.flushing import FlushRefused
from tests.simulation.faults import Fault
from tests.simulation.tables import Tables
from tests.simulation.world import Life, World, conclude

T = TypeVar("T")

WAY: Final = 0.002
"""Seconds that a statement takes there, at most, and its answer back."""
RESETS: Final = 0.012
"""How probable it is that a statement's connection breaks while there are faults."""
SLOWEST: Final = 3.5
LOST_PUSHES: Final = (0.0, 0.1, 1.0)
"""How probable it is, in a history and also when there are no faults any more, that what was pushed is lost."""


class Server:
    """One PostgreSQL. What it has committed survives whatever happens to it."""

    def __init__(self, world: World, tables: Tables) -> None:
        self.tables = tables
        self._world = world
        self._chance = world.chance.stream("database")
        self._life = Life(world, "postgres")
        self._lost_pushes = self._chance.choice(LOST_PUSHES)
        self._away_until = 0.0
        self._refuses: tuple[Fault, float] | None = None
        self._slow_until = 0.0

    def crash(self, fault: Fault, seconds: float) -> None:
        """Break every connection, and be away for a while."""
        self._world.fire(fault, f"{seconds:.1f} s")
        self._life.die()
        self._life = Life(self._world, "postgres")
        self._away_until = self._world.loop.time() + seconds

    def refuse_writes(self, fault: Fault, seconds: float) -> None:
        """Go on reading only."""
        self._world.fire(fault, f"{seconds:.1f} s")
        self._refuses = (fault, self._world.loop.time() + seconds)

    def slow_down(self, seconds: float) -> None:
        self._world.fire(Fault.SLOW, f"{seconds:.1f} s")
        self._slow_until = self._world.loop.time() + seconds

    def depose(self, replica_id: str, by: str) -> None:
        """The lease of a replica is over before it can renew it, and another one is there to see it."""
        replica = self.tables.replicas.get(replica_id)
        if replica is not None:
            self._world.fire(Fault.DEPOSED, replica_id, "by", by)
            self.tables.lapse(replica_id, replica.epoch)
            self.tables.depose(by)

    def heal(self) -> None:
        self._away_until = self._slow_until = 0.0
        self._refuses = None

    def receive(self, name: str, statement: Callable[[], Any], writes: bool, answer: Callable[[object], None]) -> None:
        """Carry out the statement in its time; `answer` gets its outcome, or the error that hides it."""
        loop, chance = self._world.loop, self._chance
        there, back = chance.random() * WAY, chance.random() * WAY
        if loop.time() < self._slow_until and chance.happens(0.3):
            there += chance.random() * SLOWEST
        if loop.time() < self._away_until:
            loop.call_later(there, answer, ConnectionRefusedError("the database is away"))
            return
        is_cut = not self._world.is_calm and chance.happens(RESETS)
        is_carried_out = not is_cut or chance.happens(0.6)
        if is_cut:
            self._world.fire(Fault.RESET, name, "after" if is_carried_out else "before")
        if is_cut and is_carried_out and chance.happens(0.3):
            # The server is still at it when the other side already knows that the connection broke.
            loop.call_later(there, answer, ConnectionResetError("the connection broke"))
            there += chance.random()
        life = self._life

        def carry_out() -> None:
            if life.is_dead or not is_carried_out:
                answer(ConnectionResetError("the connection broke"))
                return
            outcome = self._outcome(statement, writes)
            # A server that dies now has committed; nobody is told.
            loop.call_later(
                back,
                lambda: answer(ConnectionResetError("the connection broke") if is_cut or life.is_dead else outcome),
            )

        loop.call_later(there, carry_out)

    def push(self, callback: Callable[[], None]) -> None:
        """Send what nobody asked for; it may be lost."""
        if self._chance.happens(self._lost_pushes):
            self._world.fire(Fault.HINT)
        else:
            self._world.loop.call_later(self._chance.random() * WAY, callback)

    def _outcome(self, statement: Callable[[], object], writes: bool) -> object:
        if writes and self._refuses is not None and self._world.loop.time() < self._refuses[1]:
            if self._refuses[0] is Fault.DISK_FULL:
                return asyncpg.DiskFullError("could not extend file: No space left on device")
            return asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction")
        try:
            return statement()
        except FlushRefused as refusal:
            return refusal


class Connection:
    """The `Wire` of one life of a replica."""

    def __init__(self, world: World, server: Server, life: Life) -> None:
        self._world = world
        self._server = server
        self._life = life

    async def call(self, name: str, statement: Callable[[], T], *, writes: bool = False) -> T:
        outcome = self._world.loop.create_future()

        answer = partial(self._life.deliver, conclude, outcome)
        self._life.deliver(self._server.receive, name, statement, writes, answer)
        return cast(T, await outcome)

    def push(self, callback: Callable[[], None]) -> None:
        self._server.push(partial(self._life.deliver, callback))
