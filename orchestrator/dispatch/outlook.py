"""Why an execution is where it is, and when it is likely to move: derived from the queue, estimates and history.

What cannot be derived is None. Nothing here is guessed.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.core.document import execution_document, instant, stage_id
from orchestrator.core.execution import Execution, ExecutionStatus
from orchestrator.core.order import OrderKey, order_key
from orchestrator.core.placement import objection
from orchestrator.core.requests import UnknownExecution
from orchestrator.core.stage import SHOWN_AS, Stage, StageStatus
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.line import Line
from orchestrator.dispatch.places import Places
from orchestrator.store.executions import Executions, Waiting

FARTHEST_POSITION: Final = 1000

AskOwner = Callable[[str, str, str], Awaitable[dict[str, Any] | None]]
"""What another replica says of an execution that it drives, by replica, client and execution id; None for nothing."""


class Outlook:
    """Positions, estimates and explanations, as this replica sees them."""

    def __init__(self, dispatcher: Dispatcher, executions: Executions) -> None:
        self._dispatcher = dispatcher
        self._executions = executions
        self._line = Line(dispatcher)
        self._places = Places(executions, dispatcher.clock)
        self.ask_owner: AskOwner | None = None

    # ------------------------------------------------------------------------------------------------ estimates

    def completion(self, execution: Execution, action: str, position: int | None) -> datetime | None:
        """When the execution is likely to be done. `position` is its place among those that wait for `action`."""
        if execution.is_final:
            return execution.finished_at
        key = self._dispatcher.engine.key(execution)
        return self._from_now(self._line.passage(key, action, position, execution).finish_ms)

    def _from_now(self, ms: float | None) -> datetime | None:
        return None if ms is None else self._dispatcher.clock.now() + timedelta(milliseconds=ms)

    # ------------------------------------------------------------------------------------------------- positions

    async def position(self, action: str, order: OrderKey, *, owned: bool) -> int | None:
        """The place in the queue for this action, from 1; None past 1,000."""
        here = self.position_in_memory(action, order)
        if owned or here is None:
            return here
        place = here + await self._places.ahead(action, -order[0], order[2])
        return place if place <= FARTHEST_POSITION else None

    def put_into_queue(self, action: str, order: OrderKey) -> None:
        """A new execution goes to the database's queue, and not into memory."""
        self._places.put(action, -order[0], order[2])

    def position_in_memory(self, action: str, order: OrderKey) -> int | None:
        """The same, counting only what this replica holds."""
        place = self._dispatcher.engine.ready[action].ahead_of(order) + 1
        return place if place <= FARTHEST_POSITION else None

    async def queue(self, client_id: str) -> dict[str, Any]:
        """The client's waiting executions with their positions among everybody's, and how much work there is."""
        waiting = await self._executions.waiting()
        queued, running, high_in_database = await self._executions.counts()
        entries = []
        places: Counter[str | None] = Counter()
        blocked = high_in_memory = 0
        for position, entry in enumerate(waiting, 1):
            record = self._dispatcher.engine.owned.get(entry.execution_id)
            action, reason, is_blocked = self._reason(entry)
            blocked += is_blocked
            high_in_memory += entry.priority >= 75 and record is not None
            places[action] += 1
            if entry.client_id != client_id:
                continue
            start = None
            if action is not None and not is_blocked:
                key = order_key(entry.priority, False, entry.execution_id)
                start = self._line.passage(key, action, places[action], None).start_ms
            entries.append(
                {
                    "executionId": entry.execution_id,
                    "priority": entry.priority,
                    "position": position,
                    "estimatedStartAt": instant(self._from_now(start)),
                    "reason": reason,
                }
            )
        stats = {
            "queued": queued,
            "running": running,
            "highPriority": high_in_database + high_in_memory,
            "blocked": blocked,
        }
        return {"queue": entries, "stats": stats}

    def _reason(self, entry: Waiting) -> tuple[str | None, str, bool]:
        """The action that a waiting execution needs, why it waits, and whether nobody could take it as things are."""
        record = self._dispatcher.engine.owned.get(entry.execution_id)
        if record is None:
            if entry.action and not self._dispatcher.fleet.offering(entry.action):
                return entry.action, f"no worker here offers {entry.action}", True
            return entry.action, "waits for its turn in the queue", False
        execution = record.execution
        for stage in execution.stages.values():
            if stage.status is StageStatus.READY:
                return self._reason_of_stage(execution, stage)
            if stage.status is StageStatus.OFFERED:
                return execution.spec(stage.name).action, f"stage {stage.name} is offered to {stage.worker_id}", False
        return None, f"is {execution.status.value}", False

    def _reason_of_stage(self, execution: Execution, stage: Stage) -> tuple[str | None, str, bool]:
        action = execution.spec(stage.name).action or ""
        considered = self._considered(execution, stage, action)
        if not considered:
            return action, f"no worker here offers {action}", True
        if all(worker["code"] == "busy" for worker in considered):
            return action, f"all slots for {action} are taken", False
        open_to_it = [worker for worker in considered if worker["code"] is None]
        if execution.paused:
            return action, f"stage {stage.name} is not offered while the execution is paused", False
        if open_to_it:
            return action, f"stage {stage.name} is about to be offered", False
        return action, "; ".join(f"{worker['workerId']}: {worker['reason']}" for worker in considered), True

    # ----------------------------------------------------------------------------------------------- explanation

    async def explain(self, client_id: str, execution_id: str) -> dict[str, Any]:
        """Where the execution is and why: its place, each worker considered and its refusal, when it should move."""
        snapshot = await self._executions.find(client_id, execution_id)
        if snapshot is None:
            raise UnknownExecution(execution_id)
        record = self._dispatcher.engine.owned.get(execution_id)
        if record is None and snapshot.owner is not None and self.ask_owner is not None:
            said = await self.ask_owner(snapshot.owner, client_id, execution_id)
            if said is not None:
                return said
        execution = record.execution if record is not None else snapshot.execution
        document = execution_document(execution)
        stages = [self._explain_stage(execution, stage) for stage in execution.stages.values() if not stage.is_final]
        position = await self._position_of(execution) if execution.started_at is None else None
        action = next((spec.action for spec in execution.template.stages if not spec.needs), None)
        at_rest = execution.is_final or execution.status is ExecutionStatus.PAUSED
        estimate = None if at_rest else self.completion(execution, action or "", position or 1)
        return {
            "executionId": execution_id,
            "status": document["status"],
            "currentStage": document["currentStage"],
            "reason": self._summary(execution, stages, owned_here=record is not None, owner=snapshot.owner),
            "position": position,
            "estimatedCompletionAt": instant(estimate),
            "stages": stages,
        }

    async def _position_of(self, execution: Execution) -> int | None:
        for place, entry in enumerate(await self._executions.waiting(), 1):
            if entry.execution_id == execution.execution_id:
                return place
        return None

    def _summary(
        self, execution: Execution, stages: list[dict[str, Any]], *, owned_here: bool, owner: str | None
    ) -> str:
        if execution.is_final:
            why = f": {execution.error.message}" if execution.error else ""
            return f"it is {execution.status.value}{why}"
        if execution.status is ExecutionStatus.PAUSED:
            return "it is paused; resume it to go on"
        if not owned_here and owner is not None:
            return f"replica {owner} drives it and knows more"
        moving = [stage["reason"] for stage in stages if not stage["needs"]]
        return "; ".join(moving) or "it waits for its turn in the queue"

    def _explain_stage(self, execution: Execution, stage: Stage) -> dict[str, Any]:
        spec = execution.spec(stage.name)
        workers: list[dict[str, Any]] = []
        unfinished = [need for need in spec.needs if not execution.stages[need].is_final]
        if stage.status is StageStatus.PENDING and (unfinished or spec.action is None):
            reason = f"stage {stage.name} needs {', '.join(unfinished)}" if unfinished else "waits to be taken up"
        elif stage.status in (StageStatus.PENDING, StageStatus.READY):
            workers = self._considered(execution, stage, spec.action or "")
            _, reason, _ = self._reason_of_stage(execution, stage)
        elif stage.status is StageStatus.WAITING and spec.wait is not None:
            reason = f"stage {stage.name} waits for the signal {spec.wait.signal}"
        elif stage.status is StageStatus.OFFERED:
            reason = f"stage {stage.name} is offered to {stage.worker_id}, which has not answered yet"
        elif stage.status is StageStatus.CANCELLING:
            reason = f"stage {stage.name} is being stopped at {stage.worker_id}"
        else:
            reason = f"stage {stage.name} is at work at {stage.worker_id}, {stage.progress:.0f} % done"
        if stage.error is not None and stage.attempt > 1:
            reason += f" (attempt {stage.attempt}, after: {stage.error.message})"
        return {
            "stageId": stage_id(execution.execution_id, stage.name),
            "name": stage.name,
            "action": spec.action,
            "status": SHOWN_AS[stage.status],
            "attempt": stage.attempt,
            "offerRound": stage.offer_round,
            "workerId": stage.worker_id,
            "expectedMs": stage.estimate.ms
            if stage.estimate.ms is not None
            else self._dispatcher.histories.expected_ms(spec.action or ""),
            "reason": reason,
            "needs": unfinished,
            "workers": workers,
        }

    def _considered(self, execution: Execution, stage: Stage, action: str) -> list[dict[str, Any]]:
        """Each worker that offers the action, with what keeps it from being asked now."""
        refused = self._dispatcher.refused(execution.execution_id, stage.name)
        now = self._dispatcher.clock.monotonic()
        considered = []
        for worker in self._dispatcher.fleet.offering(action):
            why = objection(worker.facts, action, execution.execution_id, refused, now)
            last = refused.get(worker.worker_id)
            considered.append(
                {
                    "workerId": worker.worker_id,
                    "code": why.code if why else None,
                    "reason": why.reason if why else "can be asked now",
                    "againInMs": None if why is None or why.until is None else round((why.until - now) * 1000),
                    "lastRefusal": None if last is None else {"code": last.code, "reason": last.reason},
                }
            )
        return considered
