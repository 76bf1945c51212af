"""The real code without one of its safeguards: what the simulation has to notice.

Each is a small patch that is applied at run time. One whose target is gone fails, so that none can pass by doing
nothing.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final

from orchestrator.core.document import stage_name
from orchestrator.core.draft import Draft
from orchestrator.core.stage import StageStatus
from orchestrator.dispatch.answers import Answers
from orchestrator.dispatch.commands import Commands
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.fleet import Fleet
from orchestrator.dispatch.reaper import Reaper
from orchestrator.dispatch.watch import Hub
from orchestrator.store.journal import Journal

Method = Callable[..., Any]


@contextmanager
def replaced(owner: type, name: str, make: Callable[[Method], Method]) -> Iterator[None]:
    """The method of the class is what `make` makes of it until the block ends; `LookupError` if there is none."""
    if name not in vars(owner):
        raise LookupError(f"{owner.__name__}.{name} is gone: the ablation removes nothing")
    original = vars(owner)[name]
    setattr(owner, name, make(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def any_fence_will_do(original: Method) -> Method:
    """A result counts for whichever attempt of its stage is at work."""

    def result(self: Answers, worker: Any, packet: Any, answered: Any = None) -> None:
        record = self._engine.owned.get(packet.execution_id)
        name = stage_name(packet.execution_id, packet.stage_id) or ""
        stage = None if record is None else record.execution.stages.get(name)
        if stage is not None and stage.status is StageStatus.RUNNING:
            packet = packet.model_copy(update={"fence": stage.fence})
            worker = self._fleet.get(stage.worker_id or "") or worker
        original(self, worker, packet, answered)

    return result


def keys_are_forgotten(original: Method) -> Method:
    async def submit(self: Commands, execution: Any, key: str | None, body_hash: bytes) -> Any:
        return await original(self, execution, None, body_hash)

    return submit


def nothing_is_swept(original: Method) -> Method:
    def sweep(self: Reaper) -> None:
        return

    return sweep


def slots_are_never_debited(original: Method) -> Method:
    def take(self: Fleet, worker: Any, assignment: Any) -> None:
        original(self, worker, assignment)
        worker.facts.free = worker.facts.slots

    return take


def slots_end_with_a_life(original: Method) -> Method:
    """Whatever a replica may not judge any more, it does not count either."""

    def disown(self: Dispatcher, worker: Any, assignment: Any) -> None:
        self.free(worker, assignment.fence)

    return disown


def tries_never_end(original: Method) -> Method:
    def fail_attempt(self: Draft, stage: Any, failure: Any, jitter: float) -> None:
        if failure.retryable and self.ending is None:
            delay = self.execution.spec(stage.name).retry.delay(1, jitter)
            self.make_ready(stage._replace(attempt=stage.attempt + 1, offer_round=0, error=failure), delay)
        else:
            original(self, stage, failure, jitter)

    return fail_attempt


def told_before_it_is_durable(original: Method) -> Method:
    def note(self: Journal, record: Any, stages: Any, conversations: Any, then: Any = None, *, urgent: bool) -> None:
        original(self, record, stages, conversations, None, urgent=urgent)
        if then is not None:
            asyncio.get_running_loop().call_soon(then)

    return note


def nobody_looks_elsewhere(original: Method) -> Method:
    """Who watches what another replica drives is not told how far it has come."""

    def stands_at(self: Hub, execution_id: str, sequence: int) -> None:
        return

    return stands_at


ABLATIONS: Final[Mapping[str, Callable[[], AbstractContextManager[None]]]] = {
    "fence": partial(replaced, Answers, "result", any_fence_will_do),
    "idempotency-key": partial(replaced, Commands, "_submit", keys_are_forgotten),
    "reaper": partial(replaced, Reaper, "sweep", nothing_is_swept),
    "slot-limit": partial(replaced, Fleet, "take", slots_are_never_debited),
    "slots-across-lives": partial(replaced, Dispatcher, "_disown", slots_end_with_a_life),
    "retry-cap": partial(replaced, Draft, "fail_attempt", tries_never_end),
    "durable-before-ack": partial(replaced, Journal, "note", told_before_it_is_durable),
    "watch-elsewhere": partial(replaced, Hub, "stands_at", nobody_looks_elsewhere),
}
