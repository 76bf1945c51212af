"""What clients ask for: submissions, cancel, pause, resume, signals, retries. Each answer waits for its flush."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from orchestrator.core.decide import IllegalEvent, decide
from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import Execution, ExecutionStatus, prepare
from orchestrator.core.order import OrderKey, order_key
from orchestrator.core.requests import ExecuteRequest, KeyReused, Queued, UnknownExecution, WrongState
from orchestrator.core.seams import Clock, Ids
from orchestrator.core.stage import Stage, StageStatus
from orchestrator.dispatch.claims import NO_ACTION, Claims, document_of
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.outlook import Outlook
from orchestrator.store.breaker import DatabaseAway
from orchestrator.store.executions import Executions
from orchestrator.store.hints import Hint, Hints
from orchestrator.store.journal import Journal
from orchestrator.store.ownership import Ownership
from orchestrator.store.record import Duplicate, Outcome, Record, Submission
from protocol.codec import dumps

RETRIED: Final = frozenset({ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})

DURABLE_SECONDS: Final = 10.0
"""How long a caller waits for the flush. After that the outcome is unknown to it: it may ask again with its key."""

TRIES_WHILE_CHANGING_HANDS: Final = 3
"""Between a look and the next an execution may leave the queue, or come back to it."""

Command = CancelRequested | PauseRequested | ResumeRequested | SignalReceived

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A submission whose flush is still to come."""

    submission: Submission
    order: OrderKey
    outcome: "asyncio.Future[Outcome]"


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A durable submission; `execution` is None if its key had made one before."""

    execution_id: str
    execution: Execution | None
    action: str
    order: OrderKey
    owned: bool


class Commands:
    """The client-facing half of a replica."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        claims: Claims,
        ownership: Ownership,
        journal: Journal,
        executions: Executions,
        hints: Hints,
        outlook: Outlook,
        ids: Ids,
    ) -> None:
        self._dispatcher = dispatcher
        self._engine = dispatcher.engine
        self._claims = claims
        self._ownership = ownership
        self._journal = journal
        self._executions = executions
        self._hints = hints
        self._outlook = outlook
        self._ids = ids
        self._clock: Clock = dispatcher.clock

    async def execute(self, request: ExecuteRequest) -> Queued:
        """Make the execution durable and say where it stands.

        Raises `KeyReused` if its key came before with another body.
        """
        return await self._placed(await self._submit(self._fresh(request), request.key, request.body_hash))

    async def execute_all(self, requests: Sequence[ExecuteRequest]) -> list[Queued | Exception]:
        """For each request, in order, what `execute` returns or raises; all stand in the queue before one is placed.

        Nobody asks the database for the places of many: what went to its queue has none.
        """
        begun: list[_Begun | Exception] = []
        for request in requests:
            try:
                begun.append(self._begin(self._fresh(request), request.key, request.body_hash))
            except DatabaseAway as error:
                begun.append(error)
        await _flushed([each.outcome for each in begun if isinstance(each, _Begun)])
        return [each if isinstance(each, Exception) else self._answer(each) for each in begun]

    async def retry(self, client_id: str, execution_id: str, key: str | None, body_hash: bytes) -> Queued:
        """A new execution in place of a failed or cancelled one; the stages that were completed are kept.

        Raises `UnknownExecution`, `WrongState`, and `KeyReused` as `execute` does.
        """
        snapshot = await self._executions.find(client_id, execution_id, whole=True)
        if snapshot is None:
            raise UnknownExecution(execution_id)
        old = snapshot.execution
        if old.status not in RETRIED:
            raise WrongState(f"the execution is {old.status.value}; only a failed or cancelled one can be retried")
        execution = replace(
            self._new(ExecuteRequest(client_id, old.template, old.template_client_id, old.input, old.priority)),
            request_id=old.request_id,
            retry_of=execution_id,
        )
        kept = {name: _kept(stage) for name, stage in old.stages.items() if stage.status is StageStatus.COMPLETED}
        prepare(execution, kept)
        return await self._placed(await self._submit(execution, key, body_hash))

    async def command(self, client_id: str, execution_id: str, event: Command) -> ExecutionStatus | None:
        """Carry out a command and wait until it is durable.

        Returns the status it led to, or None if another replica drives the execution and will carry it out: unless
        what happens meanwhile forbids it. Raises `UnknownExecution` or `WrongState`.
        """
        for _ in range(TRIES_WHILE_CHANGING_HANDS):
            record = self._engine.owned.get(execution_id) or await self._claim(execution_id, client_id)
            if record is not None:
                return await self._carry_out(record, client_id, event)
            if await self._leave_for_owner(client_id, execution_id, event):
                return None
        raise WrongState("the execution is just changing hands; ask again")

    async def _leave_for_owner(self, client_id: str, execution_id: str, event: Command) -> bool:
        """Leave the command for the replica that drives the execution; False if none does any more."""
        snapshot = await self._executions.find(client_id, execution_id)
        if snapshot is None:
            raise UnknownExecution(execution_id)
        try:
            # What is durable already forbids it: the client is told so, as the owner would tell it.
            decide(snapshot.execution, event, self._clock.now())
        except IllegalEvent as refusal:
            raise WrongState(str(refusal)) from None
        if not await self._ownership.send(execution_id, client_id, document_of(event)):
            return False
        if snapshot.owner is not None:
            self._hints.tell(Hint.INBOX, snapshot.owner)
        return True

    async def _carry_out(self, record: Record, client_id: str, event: Command) -> ExecutionStatus:
        if record.execution.client_id != client_id:
            raise UnknownExecution(record.execution.execution_id)
        durable = asyncio.Event()
        try:
            self._engine.apply(record, event, (), durable.set)
        except IllegalEvent as refusal:
            raise WrongState(str(refusal)) from None
        async with asyncio.timeout(DURABLE_SECONDS):
            await durable.wait()
        return record.execution.status

    async def _claim(self, execution_id: str, client_id: str) -> Record | None:
        """Take the execution out of the queue, if it is this client's and nobody drives it yet."""
        if await self._executions.find(client_id, execution_id) is None:
            raise UnknownExecution(execution_id)
        return await self._claims.claim_one(execution_id)

    def _new(self, request: ExecuteRequest) -> Execution:
        return Execution(
            execution_id=self._ids.new("exec"),
            client_id=request.client_id,
            template=request.template,
            template_client_id=request.template_client_id,
            input=request.input,
            priority=request.priority,
            created_at=self._clock.now(),
            request_id=request.request_id,
        )

    def _fresh(self, request: ExecuteRequest) -> Execution:
        execution = self._new(request)
        prepare(execution, {})
        return execution

    async def _submit(self, execution: Execution, key: str | None, body_hash: bytes) -> _Submitted:
        begun = self._begin(execution, key, body_hash)
        await _flushed([begun.outcome])
        return _submitted(begun)

    def _begin(self, execution: Execution, key: str | None, body_hash: bytes) -> _Begun:
        """Hand the execution to the journal. Raises `DatabaseAway`."""
        action = first_action(execution)
        order = order_key(execution.priority, False, execution.execution_id)
        record = Record(execution, input_bytes=len(dumps(execution.input)))
        owned = self._claims.admits(action, order, record.input_bytes)
        if not owned:
            self._engine.ready[action].has_given_back(order)
            self._outlook.put_into_queue(action, order)
        submission = Submission(record, owned, action, key, body_hash)
        outcome = self._journal.submit(submission)
        if owned and key is None:
            # Its first offer may leave while the flush is under way; nothing that a worker reports can overtake it.
            self._engine.take_up(record)
            self._claims.trim(action)
        # A callback and not the code after the await: the caller may be gone before the flush is through.
        outcome.add_done_callback(partial(self._settled, submission))
        return _Begun(submission, order, outcome)

    def _answer(self, begun: _Begun) -> Queued | Exception:
        """What a caller is told of one among many."""
        try:
            submitted = _submitted(begun)
        except Exception as error:
            return error
        here = self._outlook.position_in_memory(submitted.action, submitted.order) if submitted.owned else None
        return self._queued(submitted, here)

    async def _placed(self, submitted: "_Submitted") -> Queued:
        position = None
        if submitted.execution is not None:
            position = await self._outlook.position(submitted.action, submitted.order, owned=submitted.owned)
        return self._queued(submitted, position)

    def _queued(self, submitted: "_Submitted", position: int | None) -> Queued:
        if submitted.execution is None:
            return Queued(submitted.execution_id, None, None, repeated=True)
        estimate = self._outlook.completion(submitted.execution, submitted.action, position)
        return Queued(submitted.execution_id, position, estimate)

    def _settled(self, submission: Submission, outcome: "asyncio.Future[Outcome]") -> None:
        """The submission's flush is through: drive the execution, or forget that it was begun."""
        failed = outcome.cancelled() or outcome.exception() is not None
        if not submission.owned:
            return
        if failed:
            self._dispatcher.abandon(submission.record.execution.execution_id)
        elif submission.key is not None and not isinstance(outcome.result(), Duplicate):
            self._engine.take_up(submission.record)
            self._claims.trim(submission.action)


async def _flushed(outcomes: "Sequence[asyncio.Future[Outcome]]") -> None:
    """Return when all are known, or will not be in time. Whoever waits may be cancelled, and they are not."""
    if outcomes:
        await asyncio.wait(outcomes, timeout=DURABLE_SECONDS)


def _submitted(begun: _Begun) -> _Submitted:
    """Raises `KeyReused`, `TimeoutError` for an outcome that is not known in time, and what the journal raised."""
    submission, outcome = begun.submission, begun.outcome
    if not outcome.done():
        raise TimeoutError
    result = outcome.result()
    if not isinstance(result, Duplicate):
        return _Submitted(
            result.execution_id, submission.record.execution, submission.action, begun.order, submission.owned
        )
    if result.body_hash != submission.body_hash:
        raise KeyReused(f"the idempotency key {submission.key} was used before with another body")
    return _Submitted(result.execution_id, None, submission.action, begun.order, submission.owned)


def first_action(execution: Execution) -> str:
    """The action of the first stage that can begin: what a replica must have a worker for to claim it."""
    for spec in execution.template.stages:
        if execution.stages[spec.name].status is StageStatus.PENDING and execution.unmet[spec.name] == 0:
            return spec.action or NO_ACTION
    return NO_ACTION


def _kept(stage: Stage) -> Stage:
    """A completed stage as the retry has it: its result counts, what it cost was paid by the other execution."""
    return stage._replace(settled_fence=None, fence=None)
