"""The invariants, checked at every commit and at every packet, and once more at the end.

The checker sees what the database holds and what crosses the network, and asks the orchestrator's memory for nothing
but its slots, its order of work, and which attempts it goes by before that is durable.
"""

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from orchestrator.core.document import stage_id, stage_name
from orchestrator.core.draft import MOST_YIELDS
from orchestrator.core.execution import FINAL as FINAL_EXECUTIONS
from orchestrator.core.stage import FINAL as FINAL_STAGES
from orchestrator.core.template import Template
from orchestrator.core.template_stage import StageSpec
from orchestrator.store.executions import packets_of
from protocol.packets import Ack, Offer, OrchestratorPacket, Process, Result
from tests.simulation.store import Version
from tests.simulation.tables import Row, StageKey, Tables
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.replica import ReplicaProcess

CONVERSATION: Final = ("offer", "accept", "process", "result", "ack")
"""The packets of an attempt whose result was taken, in order; between and after them others may have come."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant: which, and what was seen of it at which virtual second."""

    invariant: str
    what: str
    at: float

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f} s: {self.what}"


@dataclass(slots=True)
class Checker:
    """What was promised so far, and whether it still holds."""

    world: World
    tables: Tables
    templates: dict[Version, Template]
    slots: dict[str, int]
    violations: list[Violation] = field(default_factory=list)
    acknowledged: dict[str, str | None] = field(default_factory=dict)
    """Submissions that were answered with 202: the execution's id and its key."""
    cancelled: set[str] = field(default_factory=set)
    """Executions whose cancel was answered with 200."""
    paused: set[str] = field(default_factory=set)
    """Executions whose pause was answered with 200."""
    resumed: set[str] = field(default_factory=set)
    """Executions that somebody asked to resume: of their pauses nothing more is promised."""
    offers: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """By fence: execution, stage id and worker that it was issued for."""
    attempts: dict[int, int] = field(default_factory=dict)
    """By fence: which attempt of its stage was offered under it."""
    settled: set[tuple[str, str, int]] = field(default_factory=set)
    """Execution, stage and fence of every result that is durable."""
    commits: dict[StageKey, int] = field(default_factory=dict)
    replicas: "Mapping[str, ReplicaProcess]" = field(default_factory=dict)
    _executions: dict[str, Row] = field(default_factory=dict)
    _stages: dict[StageKey, Row] = field(default_factory=dict)

    def violate(self, invariant: str, *what: object) -> None:
        text = " ".join(map(str, what))
        self.world.trace.say("VIOLATION", invariant, text)
        self.violations.append(Violation(invariant, text, self.world.loop.time()))

    def fault_in_a_loop(self, error: BaseException) -> None:
        """Something failed that nothing in a simulation gives a reason for."""
        said = "".join(traceback.format_exception(error)[-4:])
        self.violate("no loop fails", said)

    # ------------------------------------------------------------------------------------------------ at each commit

    def flushed(self, executions: Iterable[str], stages: Iterable[StageKey], consumed: Iterable[Row]) -> None:
        for execution_id in executions:
            if execution_id in self.tables.executions:
                self._execution_changed(execution_id)
        for key in stages:
            self._stage_changed(key)
        for message in consumed:
            row = self.tables.executions[message["execution_id"]]
            is_cancel = orjson.loads(message["event"])["type"] == "cancel"
            if is_cancel and row["ending"] is None and row["status"] not in FINAL_EXECUTIONS:
                self.violate("I8", f"a cancel of {row['execution_id']} was taken from the inbox without effect")

    def _execution_changed(self, execution_id: str) -> None:
        row, before = self.tables.executions[execution_id], self._executions.get(execution_id)
        if before is not None:
            if before["status"] in FINAL_EXECUTIONS and row != before:
                self.violate("I4", f"{execution_id} was {before['status']} and has changed")
            if row["progress"] < before["progress"]:
                self.violate("I17", f"{execution_id} fell from {before['progress']} to {row['progress']} %")
            if row["sequence"] < before["sequence"]:
                self.violate("I11", f"{execution_id} went back from {before['sequence']} to {row['sequence']}")
        self._executions[execution_id] = dict(row)

    def _stage_changed(self, key: StageKey) -> None:
        row, before = self.tables.stages[key], self._stages.get(key)
        if before is not None and before["status"] in FINAL_STAGES and row != before:
            self.violate("I4", f"{'.'.join(key)} was {before['status']} and has changed")
        spec = self._spec(*key)
        if row["attempt"] > spec.retry.max_attempts or row["yields"] > MOST_YIELDS:
            self.violate("I10", f"{'.'.join(key)} is at attempt {row['attempt']} of {spec.retry.max_attempts}")
        if row["status"] == "running":
            self._check_holder(key, row, row["fence"])
        if row["settled_fence"] is not None:
            self.settled.add((*key, row["settled_fence"]))
        if row["status"] == "completed" and (before is None or before["status"] != "completed"):
            self._committed(key, row, spec)
        self._stages[key] = dict(row)

    def _committed(self, key: StageKey, row: Row, spec: StageSpec) -> None:
        self.commits[key] = self.commits.get(key, 0) + 1
        if self.commits[key] > 1:
            self.violate("I3", f"{'.'.join(key)} was committed twice")
        if key[0] in self.cancelled:
            self.violate("I8", f"{'.'.join(key)} was committed after its cancel was acknowledged")
        if spec.wait is not None or row["settled_fence"] is None:
            return
        self._check_holder(key, row, row["settled_fence"])
        result = orjson.loads(row["result"])
        if (result["fence"], result["worker"]) != (row["settled_fence"], row["worker_id"]):
            self.violate(
                "I3", f"{'.'.join(key)} under fence {row['settled_fence']} took what was made under another:", result
            )

    def _check_holder(self, key: StageKey, row: Row, fence: int) -> None:
        mine = (key[0], stage_id(*key), row["worker_id"])
        if self.offers.get(fence) != mine:
            self.violate("I12", f"{mine} runs under fence {fence}, issued for {self.offers.get(fence)}")

    # ------------------------------------------------------------------------------------------------ at each packet

    def sent(self, process: "ReplicaProcess", worker_id: str, packet: OrchestratorPacket) -> None:
        if isinstance(packet, Offer):
            self._check_order(process, worker_id, packet)
        self.called(process, worker_id, packet)

    def called(self, process: "ReplicaProcess", worker_id: str, packet: OrchestratorPacket) -> None:
        """The packet leaves now, but may have been decided on some time ago."""
        match packet:
            case Offer():
                if packet.fence not in self.offers:
                    self.offered(worker_id, packet)
                self._check_slots(process, worker_id)
            case Process():
                if self.offers.get(packet.fence) != (packet.execution_id, packet.stage_id, worker_id):
                    self.violate("I12", f"{worker_id} is to begin {packet.stage_id} without an offer of its own")
            case Ack() if packet.status == "committed":
                self.acked(packet)

    def acked(self, told: Ack | Result) -> None:
        """A worker is told that the result under this fence was taken: it is durable, or that it was a failure after
        which the stage was tried again."""
        key = (told.execution_id, stage_name(told.execution_id, told.stage_id) or "")
        row = self.tables.stages.get(key)
        if (*key, told.fence) not in self.settled and (row is None or row["attempt"] <= self.attempts[told.fence]):
            self.violate("durable before acked", f"{told.stage_id} under fence {told.fence}")

    def reached(self, worker_id: str, offer: Offer, at_work: Iterable[Offer]) -> None:
        """The worker gets an offer while it works at these: of the attempts that count, no more than its slots."""
        if not self._counts(offer):
            return
        counting = [other.fence for other in at_work if other.fence != offer.fence and self._counts(other)]
        if len(counting) >= self.slots[worker_id]:
            self.violate("I6", f"{worker_id} works at {counting} and is offered {offer.stage_id} under {offer.fence}")

    def _counts(self, offer: Offer) -> bool:
        """Whether whoever drives the execution goes by this attempt; between two owners, what is durable says so."""
        name = stage_name(offer.execution_id, offer.stage_id) or ""
        row = self.tables.executions.get(offer.execution_id)
        process = None if row is None else self.replicas.get(row["owner"] or "")
        if row is None or process is None:
            return False
        replica = process.replica
        if replica is not None and replica.ownership.epoch == row["owner_epoch"]:
            record = replica.dispatcher.engine.owned.get(offer.execution_id)
            if record is not None:
                stage = record.execution.stages[name]
                return (stage.fence, stage.status) in [(offer.fence, "offered"), (offer.fence, "running")]
        durable = self.tables.stages.get((offer.execution_id, name))
        return durable is not None and durable["fence"] == offer.fence and durable["status"] in ("offered", "running")

    def offered(self, worker_id: str, offer: Offer) -> None:
        """The owner of the execution sends an offer, to the worker or to another replica that is its home."""
        execution_id, name = offer.execution_id, stage_name(offer.execution_id, offer.stage_id) or ""
        mine = (execution_id, offer.stage_id, worker_id)
        self.attempts[offer.fence] = offer.attempt
        if self.offers.setdefault(offer.fence, mine) != mine:
            self.violate("I12", f"fence {offer.fence} was issued for {self.offers[offer.fence]} and for {mine}")
        if execution_id in self.cancelled:
            self.violate("I8", f"{offer.stage_id} was offered after its cancel was acknowledged")
        if execution_id in self.paused - self.resumed:
            self.violate("a pause holds", f"{offer.stage_id} was offered after its pause was acknowledged")
        if execution_id in self.tables.executions:
            self._check_needs(execution_id, name)

    def _check_needs(self, execution_id: str, name: str) -> None:
        for need in self._spec(execution_id, name).needs:
            row = self.tables.stages.get((execution_id, need))
            if row is None or row["status"] not in ("completed", "skipped"):
                self.violate("I13", f"{execution_id}.{name} was offered before {need} was durable")

    def _check_slots(self, process: "ReplicaProcess", worker_id: str) -> None:
        worker = None if process.replica is None else process.replica.fleet.get(worker_id)
        if worker is None or worker.instance_id == "":
            return
        held = len(worker.assignments) + len(worker.lent)
        if held > self.slots[worker_id]:
            self.violate("I6", f"{worker_id} holds {held} of {self.slots[worker_id]} slots")

    def _check_order(self, process: "ReplicaProcess", worker_id: str, offer: Offer) -> None:
        if process.replica is None:
            return
        worker = process.replica.fleet.get(worker_id)
        if worker is None or worker.instance_id == "":
            return
        engine = process.replica.dispatcher.engine
        record = engine.owned.get(offer.execution_id)
        entries = engine.ready[offer.action].entries
        if record is not None and entries and entries[0][0] < engine.key(record.execution):
            self.violate("I7", f"{offer.stage_id} was offered while {entries[0]} waited")

    # ------------------------------------------------------------------------------------------------- at each answer

    def submission_answered(self, execution_id: str, key: str | None) -> None:
        self.acknowledged[execution_id] = key
        if execution_id not in self.tables.executions:
            self.violate("durable before acked", f"{execution_id} was acknowledged and is not there")

    def cancel_answered(self, execution_id: str) -> None:
        row = self.tables.executions[execution_id]
        if row["ending"] is None and row["status"] not in FINAL_EXECUTIONS:
            self.violate("durable before acked", f"the cancel of {execution_id} was acknowledged and is not there")
        self.cancelled.add(execution_id)

    def told_the_end(self, execution_id: str, status: str) -> None:
        """A client that watches is told that the execution has ended so."""
        durable = self.tables.executions[execution_id]["status"]
        if durable != status or status not in FINAL_EXECUTIONS:
            self.violate("streams", f"{execution_id} is {durable}, its stream ended with {status}")

    # ------------------------------------------------------------------------------------------------------ at the end

    def conclude(self) -> None:
        for execution_id in self.acknowledged:
            if execution_id not in self.tables.executions:
                self.violate("I1", f"{execution_id} was acknowledged and is lost")
        made: dict[str, list[str]] = {}
        for row in self.tables.executions.values():
            key = f"retry of {row['retry_of']}" if row["retry_of"] else orjson.loads(row["input"])["key"]
            if key is not None:
                made.setdefault(key, []).append(row["execution_id"])
            self._check_record(row)
        for key, execution_ids in made.items():
            if len(execution_ids) > 1:
                self.violate("I2", f"the key {key} made {execution_ids}")

    def stuck(self) -> list[str]:
        """The executions that have not ended."""
        return [row["execution_id"] for row in self.tables.executions.values() if row["status"] not in FINAL_EXECUTIONS]

    def _check_record(self, row: Row) -> None:
        """The packet log tells of every result that was taken, whole and in order."""
        execution_id = row["execution_id"]
        rows = [conversation for key, conversation in self.tables.packets.items() if key[0] == execution_id]
        packets = packets_of(execution_id, rows)
        numbers = [packet["seq"] for packet in packets]
        if len(set(numbers)) != len(numbers) or (numbers and numbers[-1] > row["sequence"]):
            self.violate("I11", f"{execution_id} is told up to {row['sequence']}, its packets are {numbers}")
        for stage in self.tables.stages_of(execution_id):
            if stage["status"] == "completed" and stage["settled_fence"] is not None:
                self._check_conversation(stage, [one for one in packets if one["fence"] == stage["settled_fence"]])

    def _check_conversation(self, stage: Row, packets: list[dict[str, Any]]) -> None:
        kinds = [packet["type"] for packet in packets]
        left = iter(kinds)
        if not all(kind in left for kind in CONVERSATION) or kinds.count("result") != 1:
            self.violate("I11", f"{stage['execution_id']}.{stage['name']} is completed, its packets are {kinds}")
        elif packets[kinds.index("result")]["body"]["result"] != orjson.loads(stage["result"]):
            self.violate("I11", f"{stage['execution_id']}.{stage['name']} holds another result than its packets")

    def _spec(self, execution_id: str, name: str) -> StageSpec:
        row = self.tables.executions[execution_id]
        return self.templates[row["template_client_id"], row["template"], row["version"]].by_name[name]
