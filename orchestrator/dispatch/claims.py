"""What this replica drives: it claims from the queue what it has credit for, gives back what it does not need, renews
its lease, takes over from replicas that died, and reads the inbox.

A replica holds only a window of the queue. `dispatch/ready.py` says why that keeps strict priority.
"""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Final

import structlog

from orchestrator.core.events import CancelRequested, Event, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.order import OrderKey
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import LONGEST_WINDOW
from orchestrator.dispatch.home import Home
from orchestrator.dispatch.relay import Relay
from orchestrator.dispatch.tasks import Tasks
from orchestrator.dispatch.unread import UnreadExecutions
from orchestrator.store.database import NOTHING_DONE
from orchestrator.store.journal import Journal
from orchestrator.store.ownership import Message, Ownership
from orchestrator.store.record import Record
from protocol.packets import Failure

ADOPT_AT_ONCE: Final = 200
NO_ACTION: Final = ""
"""What the queue has as the action of work that needs no worker for its next step."""

log = structlog.get_logger()


class Claims:
    """Moves executions between the database's queue and this replica's memory."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        home: Home,
        relay: Relay,
        ownership: Ownership,
        journal: Journal,
        tasks: Tasks,
    ) -> None:
        self._dispatcher = dispatcher
        self._engine = dispatcher.engine
        self._home = home
        self._relay = relay
        self._ownership = ownership
        self._journal = journal
        self._lease = timedelta(seconds=dispatcher.pace.lease)
        self._unread = UnreadExecutions(ownership.complete, self.take_up, dispatcher.clock, dispatcher.pace.poll, tasks)
        self._seen: set[int] = set()

    # ----------------------------------------------------------------------------------------------- the window

    def admits(self, action: str, key: OrderKey, input_bytes: int) -> bool:
        """Whether a new execution that begins with this action is taken straight into memory."""
        if action == NO_ACTION:
            return True
        window = self._dispatcher.fleet.window(action)
        return self._engine.owned.has_room_for(input_bytes) and self._engine.ready[action].admits(key, window)

    def trim(self, action: str) -> None:
        """Give unstarted work back that no longer fits the window, the last in order first."""
        if action == NO_ACTION:
            return
        ready, window = self._engine.ready[action], self._dispatcher.fleet.window(action)
        while len(ready.entries) > max(window, 1):
            key, _ = ready.worst()
            record = self._engine.owned.get(key[2])
            if record is None:
                ready.entries.pop()
                continue
            if record.execution.started_at is not None:
                return
            ready.entries.pop()
            ready.has_given_back(key)
            self._engine.drop(key[2])
            self._journal.give_back(record, action)

    async def refill(self) -> None:
        """Claim, for each action with credit, what the window has room for."""
        for action in [*self._dispatcher.fleet.actions_at_home(), NO_ACTION]:
            if not self._engine.owned.has_room_for(0) and self._engine.ready[action].entries:
                continue
            ready = self._engine.ready[action]
            window = self._dispatcher.fleet.window(action) if action else LONGEST_WINDOW
            wanted = window - len(ready.entries) - self._unread.count(action)
            if wanted <= window // 2 or ready.claiming:
                continue
            before = ready.bound
            ready.begin_claim()
            try:
                records = await self._of_this_life(self._ownership.claim(action, wanted))
            except BaseException:
                ready.end_claim(before)
                raise
            last = max((self._engine.key(record.execution) for record in records), default=None)
            ready.end_claim(last if len(records) == wanted else None)
            for record in records:
                self.take_up(record)

    # ---------------------------------------------------------------------------------------------- its life

    def begin(self) -> None:
        """A new life: what an earlier one carried out of the inbox may not have become durable."""
        self._seen.clear()
        self._unread.clear()

    async def renew(self) -> bool:
        """Whether this replica still lives under its epoch."""
        asked_at = self._dispatcher.clock.monotonic()
        others = await self._ownership.renew(self._lease)
        self._share(bool(others))
        if others is None:
            return False
        self.offer_under_lease(asked_at)
        return True

    def _share(self, is_shared: bool) -> None:
        """Beside others, what this replica's slots will not soon take goes back for them to claim."""
        fleet = self._dispatcher.fleet
        was_alone, fleet.is_shared = not fleet.is_shared, is_shared
        if was_alone and is_shared:
            for action, _ in list(self._engine.ready.items()):
                self.trim(action)

    def offer_under_lease(self, asked_at: float) -> None:
        """Make offers for as long as a lease lasts that was asked for at this monotonic time."""
        self._dispatcher.offers_until = asked_at + self._lease.total_seconds()
        self._dispatcher.wake()

    async def take_over(self) -> int:
        """Adopt what belonged to earlier lives of this replica and to replicas whose lease is over."""
        deposed = await self._ownership.depose()
        total = 0
        while records := await self._of_this_life(self._ownership.adopt(ADOPT_AT_ONCE)):
            for record in records:
                self.take_up(record)
            total += len(records)
        if total or deposed:
            log.info("replica.took_over", executions=total, deposed=deposed)
        return total

    async def claim_one(self, execution_id: str) -> Record | None:
        """Take one execution out of the queue and drive it; None if it does not wait there, or is still to be read."""
        for record in await self._of_this_life(self._one(execution_id)):
            self.take_up(record)
            return None if record.unread else record
        return None

    async def _one(self, execution_id: str) -> list[Record]:
        record = await self._ownership.claim_one(execution_id)
        return [] if record is None else [record]

    async def _of_this_life(self, taking: Awaitable[list[Record]]) -> list[Record]:
        """What is taken from the database for as long as this life lasts.

        When the answer is lost, nobody knows what was taken: a new life finds out. And what came under the epoch of
        a life that ended meanwhile has been taken up again by the next one.
        """
        epoch = self._ownership.epoch
        try:
            records = await taking
        except NOTHING_DONE:
            raise
        except BaseException:
            if self._ownership.epoch == epoch:
                self._journal.epoch_lost.set()
            raise
        return records if self._ownership.epoch == epoch else []

    def take_up(self, record: Record, lost: Failure | None = None) -> None:
        """Drive it from now on, or as soon as its large payloads are read; with one `lost` it fails."""
        if record.unread and lost is None:
            self._unread.add(record)
            return
        gone = self._home.adopt(record)
        self._engine.take_up(record, lost)
        self._relay.owned(record.execution.execution_id)
        self._home.give_back(gone)

    # ----------------------------------------------------------------------------------------------- the inbox

    async def read_inbox(self) -> None:
        """Carry out what was left for executions of this replica. A row goes in the flush of what it caused."""
        messages = await self._ownership.inbox(ADOPT_AT_ONCE)
        self._seen &= {message.inbox_id for message in messages}
        for message in messages:
            record = self._engine.owned.get(message.execution_id)
            # One that is this replica's in the database and not in memory yet hears of it at a later reading.
            if record is None or message.inbox_id in self._seen:
                continue
            self._seen.add(message.inbox_id)
            self._engine.apply_if_valid(record, event_of(message))
            self._journal.consume(message.execution_id, message.inbox_id)


def event_of(message: Message) -> Event:
    match message.event:
        case {"type": "cancel"}:
            return CancelRequested()
        case {"type": "pause"}:
            return PauseRequested()
        case {"type": "resume"}:
            return ResumeRequested()
        case {"type": "signal", "signal": signal, "value": value}:
            return SignalReceived(signal, value)
    raise ValueError(f"inbox row {message.inbox_id} holds no event that is known: {message.event}")


def document_of(event: CancelRequested | PauseRequested | ResumeRequested | SignalReceived) -> dict[str, object]:
    match event:
        case CancelRequested():
            return {"type": "cancel"}
        case PauseRequested():
            return {"type": "pause"}
        case ResumeRequested():
            return {"type": "resume"}
        case SignalReceived(signal, value):
            return {"type": "signal", "signal": signal, "value": value}
