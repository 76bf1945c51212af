"""Group commit: the one writer of execution state.

Whatever happened since the last flush of a partition goes into one statement and one commit. An execution always
belongs to the same partition, so its row is never in two flushes at once. Memory is ahead of the database by at most
one flush; whoever needs a fact to be durable hands in a callback or awaits the submission's outcome.

A flush that fails because the database is away is tried again until it is through: first it is settled what the lost
commit did, so nothing is written twice and nothing is given up.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final
from zlib import crc32

import structlog

from orchestrator.core.seams import Clock, Failpoints, Timer
from orchestrator.store.batch import Batch, Dirty
from orchestrator.store.blobs import Blobs
from orchestrator.store.breaker import DatabaseAway
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.flushing import Flushed, Flushing, FlushRefused, Key
from orchestrator.store.record import Accepted, Conversation, Duplicate, Durable, Outcome, Record, Submission

PARTITIONS: Final = 2
BATCH_EXECUTIONS: Final = 500
LAZY_SECONDS: Final = 0.04
"""How long a fact that nobody waits for may stay unflushed."""
RETRY_SECONDS: Final = 0.25
STUCK_SECONDS: Final = 5.0
"""A flush that takes longer than this is taken to be stuck: nothing new is put behind it."""

log = structlog.get_logger()


class EpochLost(Exception):
    """Another replica took over from this one: it owns nothing any more."""


class Journal:
    """The partitions of one replica's life under one epoch."""

    def __init__(
        self,
        open_flushing: Callable[[], Flushing],
        blobs: Blobs,
        clock: Clock,
        failpoints: Failpoints,
        replica_id: str,
        on_stale: Callable[[str], None],
    ) -> None:
        self.replica_id = replica_id
        self.epoch = 0
        self.blobs = blobs
        self.clock = clock
        self.failpoints = failpoints
        self.on_stale = on_stale
        self.epoch_lost = asyncio.Event()
        """Set when this life is over: another replica took over, or memory and the database may not agree."""
        self._partitions = [_Partition(self, open_flushing()) for _ in range(PARTITIONS)]

    def writers(self) -> "list[Coroutine[Any, Any, None]]":
        """The partitions' loops, for the caller to let run."""
        return [partition.work() for partition in self._partitions]

    def begin(self, epoch: int) -> None:
        """A life under a new epoch: what an earlier one had not flushed is void, for another owner has it now."""
        for partition in self._partitions:
            partition.abandon()
        self.epoch = epoch
        self.epoch_lost.clear()

    def submit(self, submission: Submission) -> "asyncio.Future[Outcome]":
        """The outcome once it is durable. Raises `DatabaseAway` while what came before it cannot be written."""
        return self._of(submission.record.execution.execution_id).submit(submission)

    def note(
        self,
        record: Record,
        stages: Iterable[str],
        conversations: Iterable[Conversation],
        then: Durable | None = None,
        *,
        urgent: bool,
    ) -> None:
        """This execution changed: write it as it stands when the flush begins; `then` is called once it is durable."""
        partition = self._of(record.execution.execution_id)
        dirty = partition.dirty(record, urgent=urgent)
        dirty.stages.update(stages)
        for conversation in conversations:
            dirty.conversations[conversation.fence] = conversation
        if then is not None:
            dirty.then.append(then)

    def give_back(self, record: Record, action: str) -> None:
        """Return unstarted work to the queue, for any replica to claim."""
        self._of(record.execution.execution_id).dirty(record, urgent=True).queue_action = action

    def consume(self, execution_id: str, inbox_id: int) -> None:
        """Remove an inbox row in the flush that makes its effect durable."""
        self._of(execution_id).consume(inbox_id)

    @property
    def is_stuck(self) -> bool:
        """Whether something waits to be written and cannot be."""
        return any(partition.is_stuck for partition in self._partitions)

    async def drain(self) -> None:
        """Return when everything noted so far is durable."""
        await asyncio.gather(*(partition.drained() for partition in self._partitions))

    def _of(self, execution_id: str) -> "_Partition":
        return self._partitions[partition_of(execution_id)]


def partition_of(execution_id: str) -> int:
    """Which partition writes this execution: its id ends in a digit of chance."""
    return ord(execution_id[-1]) % PARTITIONS


class _Partition:
    """One writer and what waits for it."""

    def __init__(self, journal: Journal, flushing: Flushing) -> None:
        self._journal = journal
        self._flushing = flushing
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dirty: dict[str, Dirty] = {}
        self._submissions: dict[str, Submission] = {}
        self._outcomes: dict[str, asyncio.Future[Outcome]] = {}
        self._inbox: list[int] = []
        self._due = asyncio.Event()
        self._lazy: Timer | None = None
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing_since: float | None = None
        self._has_failed = False

    @property
    def is_stuck(self) -> bool:
        if self._writing_since is None:
            return False
        return self._has_failed or self._journal.clock.monotonic() - self._writing_since > STUCK_SECONDS

    def submit(self, submission: Submission) -> "asyncio.Future[Outcome]":
        execution_id = submission.record.execution.execution_id
        if self.is_stuck:
            # Memory is bounded, and who is told at once can go elsewhere. An id is as good as chance to spread them.
            raise DatabaseAway("the database takes no writes now", 1 + crc32(execution_id.encode()) % 1000 / 500)
        # Asked once: before Python 3.12 each question is a call of the kernel.
        self._loop = self._loop or asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._submissions[execution_id] = submission
        self._outcomes[execution_id] = outcome
        self.wake(urgent=True)
        return outcome

    def dirty(self, record: Record, *, urgent: bool) -> Dirty:
        """What is to be written of this execution, at once or before `LAZY_SECONDS` are over."""
        execution_id = record.execution.execution_id
        dirty = self._dirty.get(execution_id)
        if dirty is None:
            due = 0.0 if urgent else self._journal.clock.monotonic() + LAZY_SECONDS
            dirty = self._dirty[execution_id] = Dirty(record, due)
        elif urgent:
            dirty.due = 0.0
        self.wake(urgent=urgent)
        return dirty

    def consume(self, inbox_id: int) -> None:
        self._inbox.append(inbox_id)
        self.wake(urgent=True)

    def wake(self, *, urgent: bool) -> None:
        self._idle.clear()
        if urgent:
            self._due.set()
        elif self._lazy is None and not self._due.is_set():
            self._lazy = self._journal.clock.call_later(LAZY_SECONDS, self._due.set)

    async def drained(self) -> None:
        self._draining = True
        self._due.set()
        await self._idle.wait()
        self._draining = False

    async def work(self) -> None:
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                if self._lazy is not None:
                    self._lazy.cancel()
                    self._lazy = None
                batch, epoch = self._take(), self._journal.epoch
                self._writing_since = self._journal.clock.monotonic()
                try:
                    await self._write(batch, epoch)
                except EpochLost as lost:
                    log.error("journal.epoch_lost", why=str(lost))
                    if epoch == self._journal.epoch:
                        self.abandon()
                        self._journal.epoch_lost.set()
                self._writing_since, self._has_failed = None, False
                self._plan_next()
        finally:
            self._flushing.break_off()

    def _plan_next(self) -> None:
        if self._submissions or self._inbox or any(dirty.due == 0.0 for dirty in self._dirty.values()):
            self._due.set()
        elif self._dirty:
            self.wake(urgent=False)
        else:
            self._idle.set()

    def abandon(self) -> None:
        """Forget what is not flushed and tell those who wait that they will not be told."""
        self._dirty.clear()
        self._submissions.clear()
        self._inbox.clear()
        for outcome in self._outcomes.values():
            if not outcome.done():
                outcome.set_exception(EpochLost("this replica lost its ownership; ask again"))
        self._outcomes.clear()

    def _take(self) -> Batch:
        batch = Batch(inbox=self._inbox)
        self._inbox = []
        for execution_id in list(self._submissions)[:BATCH_EXECUTIONS]:
            batch.add_submission(self._submissions.pop(execution_id))
        # What nobody waits for stays back until its time: its next state is likely to overtake it, and saves a write.
        now = self._journal.clock.monotonic()
        due = [
            execution_id
            for execution_id, dirty in self._dirty.items()
            # A statement does not see the rows that it inserts itself: what is submitted here changes in the next one.
            if (dirty.due <= now or self._draining) and execution_id not in batch.submitted
        ]
        for execution_id in due[:BATCH_EXECUTIONS]:
            batch.add_dirty(self._dirty.pop(execution_id))
        return batch

    async def _write(self, batch: Batch, epoch: int) -> None:
        """Write under the epoch that the batch was taken in: in a life after it, what it says may no longer be so."""
        if not (batch.submitted or batch.dirty or batch.inbox):
            return
        await self._keep_payloads(batch)
        unknown, refused = False, None
        while True:
            try:
                if epoch != self._journal.epoch:
                    raise EpochLost(f"epoch {epoch} of {self._journal.replica_id} is over")
                if unknown and await self._settled(batch, epoch):
                    return
                if refused is not None:
                    await self._write_apart(batch, epoch, refused)
                    return
                await self._flush(batch, epoch)
                return
            except FlushRefused as refusal:
                # A flush whose answer was lost may have come through since it was asked after: once more, then.
                refused = refusal
            except UNAVAILABLE as error:
                unknown = self._has_failed = True
                log.warning("journal.flush_unknown", error=repr(error), executions=len(batch.dirty))
                self._flushing.break_off()
                await self._journal.clock.sleep(RETRY_SECONDS)

    async def _keep_payloads(self, batch: Batch) -> None:
        """Large payloads are durable before the rows that name them; a store that is away is waited for."""
        for artifact in batch.payloads.values():
            while True:
                try:
                    await self._journal.blobs.put(artifact.client_id, artifact.sha256, artifact.data)
                    break
                except OSError as error:
                    self._has_failed = True
                    log.warning("journal.payload_not_kept", error=repr(error), bytes=len(artifact.data))
                    await self._journal.clock.sleep(RETRY_SECONDS)

    async def _write_apart(self, batch: Batch, epoch: int, refusal: FlushRefused) -> None:
        """The database refuses something in this batch: find it, so that nothing else is held up by it."""
        ids = batch.ids()
        if len(ids) > 1:
            for execution_id in ids:
                await self._write(batch.only(execution_id), epoch)
            return
        for execution_id in ids:
            log.error("journal.refused", execution_id=execution_id, why=str(refusal))
            outcome = self._outcomes.pop(execution_id, None)
            if outcome is not None and not outcome.done():
                outcome.set_exception(refusal)
            self._dirty.pop(execution_id, None)
            self._journal.on_stale(execution_id)

    async def _flush(self, batch: Batch, epoch: int) -> None:
        journal = self._journal
        await journal.failpoints.hit("journal.before_flush")
        flushed = await self._flushing.flush(journal.replica_id, epoch, batch)
        await journal.failpoints.hit("journal.after_flush")
        if flushed is None:
            raise EpochLost(f"epoch {epoch} of {journal.replica_id} is over")
        await self._conclude(batch, epoch, flushed)

    async def _conclude(self, batch: Batch, epoch: int, flushed: Flushed) -> None:
        """Tell everyone who waits. What the statement did not write was somebody else's already."""
        losers = [new for execution_id, new in batch.submitted.items() if execution_id not in flushed.submitted]
        winners = await self._winners(losers) if losers else {}
        if epoch != self._journal.epoch:
            raise EpochLost(f"epoch {epoch} of {self._journal.replica_id} ended while its last flush was under way")
        for execution_id, new in batch.submitted.items():
            winner: Outcome | None = None if execution_id in flushed.submitted else winners[_key_of(new)]
            # It may have lost to itself: to a flush of which nothing was heard.
            if winner is None or winner.execution_id == execution_id:
                winner = Accepted(execution_id)
            self._tell(execution_id, winner)
        for execution_id, dirty in batch.dirty.items():
            if execution_id in flushed.changed:
                for durable in dirty.then:
                    durable()
            else:
                log.warning("journal.stale", execution_id=execution_id, epoch=epoch)
                self._dirty.pop(execution_id, None)
                self._journal.on_stale(execution_id)
                # Under an epoch that stands nobody else writes this row: what it has become, the next life will read.
                self._journal.epoch_lost.set()

    async def _winners(self, losers: list[Submission]) -> Mapping[Key, Duplicate]:
        return await self._flushing.winners([_key_of(submission) for submission in losers])

    def _tell(self, execution_id: str, outcome: Outcome) -> None:
        waiter = self._outcomes.pop(execution_id, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    async def _settled(self, batch: Batch, epoch: int) -> bool:
        """After a commit whose outcome is unknown: whether it happened; if so, everyone is told.

        The statement is one transaction: it wrote all that it could or nothing. Rows at the revision and with the
        owner that only this flush would have given them, or submissions that exist, show that it is through.
        """
        there = await self._flushing.standings([*batch.dirty, *batch.submitted])
        changed = frozenset(
            execution_id for execution_id, standing in batch.standings(epoch) if there.get(execution_id) == standing
        )
        submitted = frozenset(batch.submitted).intersection(there)
        if not changed and not submitted:
            return False
        await self._conclude(batch, epoch, Flushed(submitted, changed))
        return True


def _key_of(submission: Submission) -> Key:
    return (submission.record.execution.client_id, submission.key or "")
