"""The tables of schema.sql in memory, and the statements of the store's queries on them.

Each method is one statement: it happens at once, whole or not at all, as a transaction of PostgreSQL is seen by the
others. Rows are dicts with the columns' names. `tests/store/test_store_contract.py` holds these statements and those
of PostgreSQL to the same rules.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol

from orchestrator.core.execution import FINAL as FINAL_EXECUTIONS
from orchestrator.core.stage import FINAL as FINAL_STAGES
from orchestrator.core.stage import LIVE
from orchestrator.store.batch import Batch
from orchestrator.store.flushing import Flushed, FlushRefused, Key
from orchestrator.store.hints import Hint
from orchestrator.store.record import Duplicate, Standing

Row = dict[str, Any]
StageKey = tuple[str, str]

NEVER: Final = float("-inf")
EPOCH: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)

_SUBMISSION: Final = [
    "execution_id",
    "client_id",
    "template_client_id",
    "template",
    "version",
    "priority",
    "input",
    "input_sha256",
    "request_id",
    "retry_of",
    "created_at",
    "owned",
    "keyed",
]
_CHANGE: Final = [
    "execution_id",
    "revision_was",
    "revision",
    "sequence",
    "status",
    "ending",
    "progress",
    "result",
    "result_sha256",
    "error",
    "cost_usd",
    "tokens",
    "started_at",
    "finished_at",
    "kept",
]
_STAGE: Final = [
    "execution_id",
    "name",
    "client_id",
    "action",
    "status",
    "attempt",
    "offer_round",
    "fence",
    "settled_fence",
    "worker_id",
    "message",
    "progress",
    "estimate",
    "result",
    "result_sha256",
    "metrics",
    "error",
    "started_at",
    "finished_at",
    "yields",
    "losses",
]
_PACKETS: Final = ["execution_id", "fence", "client_id", "stage_name", "attempt", "worker_id", "packets"]
_QUEUE: Final = ["execution_id", "client_id", "action", "priority", "started"]
_FRESH: Final[Mapping[str, Any]] = {
    "status": "queued",
    "ending": None,
    "progress": 0,
    "sequence": 0,
    "revision": 0,
    "result": None,
    "result_sha256": None,
    "error": None,
    "cost_usd": Decimal(0),
    "tokens": 0,
    "started_at": None,
    "finished_at": None,
}


class Witness(Protocol):
    """Sees every change of execution state when it is durable, before anybody is told."""

    def flushed(self, executions: Iterable[str], stages: Iterable[StageKey], consumed: Iterable[Row]) -> None: ...


@dataclass(slots=True)
class Replica:
    """A row of replicas; the lease in seconds of database time."""

    url: str
    epoch: int
    lease_until: float


@dataclass(slots=True)
class Tables:
    """One database. `now` is its clock, in seconds."""

    now: Callable[[], float]
    witness: Witness | None = None
    replicas: dict[str, Replica] = field(default_factory=dict)
    executions: dict[str, Row] = field(default_factory=dict)
    stages: dict[StageKey, Row] = field(default_factory=dict)
    packets: dict[tuple[str, int], Row] = field(default_factory=dict)
    queue: dict[str, Row] = field(default_factory=dict)
    inbox: dict[int, Row] = field(default_factory=dict)
    keys: dict[Key, Duplicate] = field(default_factory=dict)
    references: set[tuple[str, str]] = field(default_factory=set)
    workers: dict[str, Row] = field(default_factory=dict)
    listeners: list[Callable[[Hint, str | None], None]] = field(default_factory=list)
    _epochs: int = 0
    _messages: int = 0

    # ---------------------------------------------------------------------------------------------------- the flush

    def flush(self, replica_id: str, epoch: int, batch: Batch) -> Flushed | None:
        if not self._rules(replica_id, epoch):
            return None
        keys: dict[Key, Duplicate] = {}
        for client_id, key, body_hash, execution_id in batch.keys:
            if (client_id, key) not in self.keys:
                keys.setdefault((client_id, key), Duplicate(execution_id, body_hash))
        won = {winner.execution_id for winner in keys.values()}
        new = [
            row
            for row in (dict(zip(_SUBMISSION, values, strict=True)) for values in batch.submissions)
            if not row["keyed"] or row["execution_id"] in won
        ]
        changes = [
            row
            for row in (dict(zip(_CHANGE, values, strict=True)) for values in batch.changes)
            if self._stands(row, epoch)
        ]
        submitted = frozenset(row["execution_id"] for row in new)
        changed = frozenset(row["execution_id"] for row in changes)
        stages = [dict(zip(_STAGE, row, strict=True)) for row in batch.stages if row[0] in submitted | changed]
        queued = [dict(zip(_QUEUE, row, strict=True)) for row in batch.queue if row[0] in submitted | changed]
        self._check(new, changes, stages, queued)

        self.keys.update(keys)
        for row in new:
            owned = row.pop("owned")
            del row["keyed"]
            owner = {"owner": replica_id if owned else None, "owner_epoch": epoch if owned else None}
            self.executions[row["execution_id"]] = {**_FRESH, **row, **owner}
        for row in changes:
            self._change(row)
        for row in stages:
            self._upsert_stage(row)
        for values in batch.packets:
            if values[0] in changed:
                conversation = dict(zip(_PACKETS, values, strict=True))
                there = self.packets.setdefault((values[0], values[1]), conversation)
                there["packets"] = conversation["packets"]
        for row in queued:
            self.queue[row["execution_id"]] = row
        self.references.update((row[0], row[1]) for row in batch.artifacts)
        consumed = [self.inbox.pop(number) for number in batch.inbox if number in self.inbox]
        if self.witness is not None:
            self.witness.flushed(
                [*batch.submitted, *batch.dirty], [(row["execution_id"], row["name"]) for row in stages], consumed
            )
        return Flushed(submitted, changed)

    def standings(self, execution_ids: Sequence[str]) -> dict[str, Standing]:
        found = [self.executions[name] for name in execution_ids if name in self.executions]
        return {row["execution_id"]: Standing(row["revision"], row["owner_epoch"]) for row in found}

    def winners(self, keys: Sequence[Key]) -> dict[Key, Duplicate]:
        return {key: self.keys[key] for key in keys if key in self.keys}

    def _rules(self, replica_id: str, epoch: int) -> bool:
        replica = self.replicas.get(replica_id)
        return replica is not None and replica.epoch == epoch

    def _stands(self, change: Row, epoch: int) -> bool:
        row = self.executions.get(change["execution_id"])
        return row is not None and row["revision"] == change["revision_was"] and row["owner_epoch"] == epoch

    def _change(self, change: Row) -> None:
        row = self.executions[change["execution_id"]]
        kept = change.pop("kept")
        del change["revision_was"]
        row.update(change, cost_usd=round(change["cost_usd"], 9))
        if not kept:
            row.update(owner=None, owner_epoch=None)

    def _upsert_stage(self, row: Row) -> None:
        row["progress"] = struct.unpack("f", struct.pack("f", row["progress"]))[0]
        there = self.stages.get((row["execution_id"], row["name"]))
        if there is None:
            self.stages[row["execution_id"], row["name"]] = row
        else:
            there.update(row, client_id=there["client_id"], action=there["action"])

    def _check(self, new: list[Row], changes: list[Row], stages: list[Row], queued: list[Row]) -> None:
        """The constraints of schema.sql; nothing is written when one of them is broken."""
        for row in new:
            if row["execution_id"] in self.executions:
                raise FlushRefused(f"{row['execution_id']} is there already")
        for row in changes:
            is_final = row["status"] in FINAL_EXECUTIONS
            if is_final is not (row["finished_at"] is not None) or (is_final and row["kept"]):
                raise FlushRefused(f"{row['execution_id']}: final_is_finished, final_has_no_owner")
            if row["status"] == "completed" and row["progress"] != 100:
                raise FlushRefused(f"{row['execution_id']}: completed_is_whole")
        for row in stages:
            if row["status"] in LIVE and (row["fence"] is None or row["worker_id"] is None):
                raise FlushRefused(f"{row['execution_id']}.{row['name']}: live_has_a_fence")
            if (row["status"] in FINAL_STAGES) is not (row["finished_at"] is not None):
                raise FlushRefused(f"{row['execution_id']}.{row['name']}: final_stage_is_finished")
        for row in queued:
            if row["execution_id"] in self.queue:
                raise FlushRefused(f"{row['execution_id']} is in the queue already")

    # ----------------------------------------------------------------------------------------------------- ownership

    def register(self, replica_id: str, url: str, lease: timedelta) -> int:
        self._epochs += 1
        self.replicas[replica_id] = Replica(url, self._epochs, self.now() + lease.total_seconds())
        return self._epochs

    def renew(self, replica_id: str, epoch: int, lease: timedelta) -> int | None:
        if not self._rules(replica_id, epoch):
            return None
        now = self.now()
        self.replicas[replica_id].lease_until = now + lease.total_seconds()
        return sum(other.lease_until > now for name, other in self.replicas.items() if name != replica_id)

    def others(self, replica_id: str) -> dict[str, str]:
        now = self.now()
        return {name: row.url for name, row in self.replicas.items() if name != replica_id and row.lease_until > now}

    def lapse(self, replica_id: str, epoch: int) -> None:
        if self._rules(replica_id, epoch):
            self.replicas[replica_id].lease_until = self.now() - 1

    def depose(self, replica_id: str) -> list[str]:
        now = self.now()
        over = [name for name, row in self.replicas.items() if name != replica_id and NEVER < row.lease_until < now]
        for name in over:
            self._epochs += 1
            self.replicas[name].epoch, self.replicas[name].lease_until = self._epochs, NEVER
        return over

    def adopt(self, replica_id: str, epoch: int, limit: int) -> list[str]:
        if not self._rules(replica_id, epoch):
            return []
        orphans = sorted(
            row["execution_id"]
            for row in self.executions.values()
            if row["owner"] in self.replicas and row["owner_epoch"] != self.replicas[row["owner"]].epoch
        )[:limit]
        return self._take(replica_id, epoch, orphans)

    def claim(self, replica_id: str, epoch: int, action: str, limit: int) -> list[str]:
        if not self._rules(replica_id, epoch):
            return []
        waiting = [row for row in self.queue.values() if row["action"] == action]
        first = [row["execution_id"] for row in sorted(waiting, key=place)[:limit]]
        for execution_id in first:
            del self.queue[execution_id]
        return self._take(replica_id, epoch, first)

    def claim_one(self, replica_id: str, epoch: int, execution_id: str) -> list[str]:
        if not self._rules(replica_id, epoch) or self.queue.pop(execution_id, None) is None:
            return []
        return self._take(replica_id, epoch, [execution_id])

    def _take(self, replica_id: str, epoch: int, execution_ids: list[str]) -> list[str]:
        for execution_id in execution_ids:
            row = self.executions[execution_id]
            row.update(owner=replica_id, owner_epoch=epoch, revision=row["revision"] + 1)
        return execution_ids

    def send(self, replica_id: str, execution_id: str, client_id: str, event: str) -> bool:
        row = self.executions.get(execution_id)
        if row is None or row["client_id"] != client_id or row["owner"] is None:
            return False
        self._messages += 1
        self.inbox[self._messages] = {
            "inbox_id": self._messages,
            "execution_id": execution_id,
            "client_id": client_id,
            "event": event,
        }
        return True

    def messages(self, replica_id: str, epoch: int, limit: int) -> list[Row]:
        mine = (replica_id, epoch)
        found = []
        for message in self.inbox.values():
            row = self.executions.get(message["execution_id"])
            if row is not None and (row["owner"], row["owner_epoch"]) == mine:
                found.append(message)
        return found[:limit]

    def tell(self, told: Iterable[tuple[Hint, str | None]]) -> None:
        for hint, replica_id in told:
            for listener in list(self.listeners):
                listener(hint, replica_id)

    # -------------------------------------------------------------------------------------------------------- reads

    def execution(self, execution_id: str) -> Row:
        return dict(self.executions[execution_id])

    def stages_of(self, execution_id: str) -> list[Row]:
        return [dict(row) for row in self.stages.values() if row["execution_id"] == execution_id]

    def living_conversations(self, execution_id: str) -> list[Row]:
        """The packets of attempts that may still be alive."""
        return [
            dict(self.packets[execution_id, stage["fence"]])
            for stage in self.stages_of(execution_id)
            if stage["status"] in LIVE and (execution_id, stage["fence"]) in self.packets
        ]

    # ------------------------------------------------------------------------------------------------------ workers

    def enter_worker(self, row: Row) -> datetime:
        before = self.workers.get(row["worker_id"])
        now = EPOCH + timedelta(seconds=self.now())
        is_same = before is not None and before["instance_id"] == row["instance_id"]
        registered_at = before["registered_at"] if before is not None and is_same else now
        self.workers[row["worker_id"]] = {
            **row,
            "draining": False,
            "registered_at": registered_at,
            "home_since": now,
        }
        return now

    def drain_worker(self, worker_id: str) -> bool:
        if worker_id not in self.workers:
            return False
        self.workers[worker_id]["draining"] = True
        return True

    def take_home(self, replica_id: str) -> list[Row]:
        now, since = self.now(), EPOCH + timedelta(seconds=self.now())
        living = {name for name, row in self.replicas.items() if name != replica_id and row.lease_until > now}
        moved = [
            row
            for row in self.workers.values()
            if row["url"] is not None and not row["draining"] and row["home"] not in living
        ]
        for row in moved:
            if row["home"] != replica_id:
                row.update(home=replica_id, home_since=since)
        return [dict(row) for row in moved]


def place(row: Row) -> tuple[int, bool, str]:
    """A queue row's place in the order of work: the index queue_order."""
    return (-row["priority"], not row["started"], row["execution_id"])
