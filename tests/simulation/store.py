"""The store's Protocols over simulated tables.

Everything goes through a `Wire`, which decides when a statement reaches the database, whether its answer comes back,
and what goes wrong on the way.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import orjson

from orchestrator.core.seams import Clock
from orchestrator.core.template import Template
from orchestrator.store.batch import Batch
from orchestrator.store.blobs import Blobs, Stored
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.executions import Snapshot, Waiting, Whereabouts, packets_of, summary_of, whereabouts_of
from orchestrator.store.flushing import Flushed, Key
from orchestrator.store.hints import CHECK_SECONDS, GATHER_SECONDS, RECONNECT_SECONDS, Heard, Hint
from orchestrator.store.loading import Loading
from orchestrator.store.ownership import Message
from orchestrator.store.record import Duplicate, Record, Standing
from orchestrator.store.store import Store
from orchestrator.store.templates import UnknownTemplate
from orchestrator.store.workers import RegisteredWorker
from protocol.packets import Registration
from tests.simulation.tables import Row, Tables, place

T = TypeVar("T")
Version = tuple[str, str, int]


class Wire(Protocol):
    """The way to the database and back."""

    async def call(self, name: str, statement: Callable[[], T], *, writes: bool = False) -> T:
        """The statement's outcome; raises one of `UNAVAILABLE` where that is unknown."""

    def push(self, callback: Callable[[], None]) -> None:
        """What the server sends by itself: the callback is called when it arrives, if it does."""


class Prompt:
    """A wire on which nothing goes wrong and nothing takes time."""

    async def call(self, name: str, statement: Callable[[], T], *, writes: bool = False) -> T:
        return statement()

    def push(self, callback: Callable[[], None]) -> None:
        callback()


def simulated_store(
    tables: Tables, wire: Wire, templates: Mapping[Version, Template], blobs: Blobs, replica_id: str
) -> Store:
    """The store of one life of this replica. `templates` are those that were published."""
    loading = Loading(PublishedTemplates(templates, wire), blobs)
    return Store(
        ownership=SimulatedOwnership(tables, wire, loading, replica_id),
        executions=SimulatedExecutions(tables, wire, loading),
        registry=SimulatedRegistry(tables, wire),
        open_flushing=lambda: SimulatedFlushing(tables, wire),
        open_hints=lambda clock: SimulatedHints(tables, wire, clock, replica_id),
        blobs=blobs,
    )


class PublishedTemplates:
    """Versions, each read from the database once."""

    def __init__(self, published: Mapping[Version, Template], wire: Wire) -> None:
        self._published = published
        self._wire = wire
        self._read: dict[Version, Template] = {}

    async def version(self, client_id: str, name: str, version: int) -> Template:
        key = (client_id, name, version)
        if key not in self._read:
            found = await self._wire.call("template", lambda: self._published.get(key))
            if found is None:
                raise UnknownTemplate(f"there is no template {name} {version}")
            self._read[key] = found
        return self._read[key]


class MemoryBlobs:
    """Artifacts that stand in memory, for all replicas."""

    def __init__(self) -> None:
        self._bytes: dict[tuple[str, str], bytes] = {}

    async def put(self, client_id: str, sha256: str, data: bytes) -> None:
        self._bytes[client_id, sha256] = data

    async def put_pieces(self, client_id: str, pieces: AsyncIterable[bytes]) -> Stored:
        data = b"".join([piece async for piece in pieces])
        digest = sha256(data).hexdigest()
        self._bytes[client_id, digest] = data
        return Stored(digest, len(data))

    async def get(self, client_id: str, sha256: str) -> bytes:
        if (client_id, sha256) not in self._bytes:
            raise FileNotFoundError(sha256)
        return self._bytes[client_id, sha256]

    async def get_pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        return _one_piece(await self.get(client_id, sha256))


async def _one_piece(data: bytes) -> AsyncIterator[memoryview]:
    yield memoryview(data)


class SimulatedFlushing:
    """One writer's way into the tables. Each call stands for itself, so there is no connection to break off."""

    def __init__(self, tables: Tables, wire: Wire) -> None:
        self._tables = tables
        self._wire = wire

    async def flush(self, replica_id: str, epoch: int, batch: Batch) -> Flushed | None:
        return await self._wire.call("flush", lambda: self._tables.flush(replica_id, epoch, batch), writes=True)

    async def standings(self, execution_ids: Sequence[str]) -> Mapping[str, Standing]:
        return await self._wire.call("standings", lambda: self._tables.standings(execution_ids))

    async def winners(self, keys: Sequence[Key]) -> Mapping[Key, Duplicate]:
        return await self._wire.call("winners", lambda: self._tables.winners(keys))

    def break_off(self) -> None:
        return


class SimulatedHints:
    """What replicas tell each other through the database."""

    def __init__(self, tables: Tables, wire: Wire, clock: Clock, replica_id: str) -> None:
        self._tables = tables
        self._wire = wire
        self._clock = clock
        self._replica_id = replica_id
        self._waiting: dict[tuple[Hint, str | None], None] = {}
        self._sending: asyncio.Task[None] | None = None

    def tell(self, hint: Hint, replica_id: str | None = None) -> None:
        self._waiting[hint, replica_id] = None
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_soon())

    async def flush(self) -> None:
        told, self._waiting = list(self._waiting), {}
        await self._wire.call("tell", lambda: self._tables.tell(told))

    async def listen(self, heard: Heard) -> None:
        def pass_on(hint: Hint, meant: str | None) -> None:
            if meant in (None, self._replica_id):
                self._wire.push(lambda: heard(hint))

        while True:
            try:
                await self._wire.call("listen", lambda: self._tables.listeners.append(pass_on))
                for hint in Hint:
                    heard(hint)
                while True:
                    await self._clock.sleep(CHECK_SECONDS)
                    await self._wire.call("check", lambda: None)
            except UNAVAILABLE:
                await self._clock.sleep(RECONNECT_SECONDS)
            finally:
                if pass_on in self._tables.listeners:
                    self._tables.listeners.remove(pass_on)

    async def _send_soon(self) -> None:
        await self._clock.sleep(GATHER_SECONDS)
        with suppress(*UNAVAILABLE):
            await self.flush()


class SimulatedOwnership:
    """What one replica owns."""

    def __init__(self, tables: Tables, wire: Wire, loading: Loading, replica_id: str) -> None:
        self.replica_id = replica_id
        self.epoch = 0
        self._tables = tables
        self._wire = wire
        self._loading = loading

    async def register(self, url: str, lease: timedelta) -> int:
        self.epoch = await self._wire.call(
            "register", lambda: self._tables.register(self.replica_id, url, lease), writes=True
        )
        return self.epoch

    async def renew(self, lease: timedelta) -> int | None:
        epoch = self.epoch
        return await self._wire.call("renew", lambda: self._tables.renew(self.replica_id, epoch, lease), writes=True)

    async def others(self) -> dict[str, str]:
        return await self._wire.call("others", lambda: self._tables.others(self.replica_id))

    async def lapse(self) -> None:
        epoch = self.epoch
        await self._wire.call("lapse", lambda: self._tables.lapse(self.replica_id, epoch), writes=True)

    async def depose(self) -> list[str]:
        return await self._wire.call("depose", lambda: self._tables.depose(self.replica_id), writes=True)

    async def adopt(self, limit: int) -> list[Record]:
        epoch = self.epoch
        return await self._taken("adopt", lambda: self._tables.adopt(self.replica_id, epoch, limit))

    async def claim(self, action: str, limit: int) -> list[Record]:
        epoch = self.epoch
        return await self._taken("claim", lambda: self._tables.claim(self.replica_id, epoch, action, limit))

    async def claim_one(self, execution_id: str) -> Record | None:
        epoch = self.epoch
        taken = await self._taken("claim_one", lambda: self._tables.claim_one(self.replica_id, epoch, execution_id))
        return taken[0] if taken else None

    async def send(self, execution_id: str, client_id: str, event: dict[str, Any]) -> bool:
        body = orjson.dumps(event).decode()
        return await self._wire.call(
            "send", lambda: self._tables.send(self.replica_id, execution_id, client_id, body), writes=True
        )

    async def inbox(self, limit: int) -> list[Message]:
        epoch = self.epoch
        rows = await self._wire.call("inbox", lambda: self._tables.messages(self.replica_id, epoch, limit))
        return [
            Message(row["inbox_id"], row["execution_id"], row["client_id"], orjson.loads(row["event"])) for row in rows
        ]

    async def _taken(self, name: str, take: Callable[[], list[str]]) -> list[Record]:
        def statement() -> tuple[list[Row], list[Row], list[Row]]:
            ids = take()
            return (
                [self._tables.execution(one) for one in ids],
                [stage for one in ids for stage in self._tables.stages_of(one)],
                [conversation for one in ids for conversation in self._tables.living_conversations(one)],
            )

        return await self._loading.records(*await self._wire.call(name, statement, writes=True))


class SimulatedExecutions:
    """What is durable of executions."""

    def __init__(self, tables: Tables, wire: Wire, loading: Loading) -> None:
        self._tables = tables
        self._wire = wire
        self._loading = loading

    async def find(self, client_id: str, execution_id: str, *, whole: bool = False) -> Snapshot | None:
        def statement() -> tuple[Row, list[Row]] | None:
            row = self._tables.executions.get(execution_id)
            if row is None or row["client_id"] != client_id:
                return None
            return dict(row), self._tables.stages_of(execution_id)

        found = await self._wire.call("find", statement)
        if found is None:
            return None
        row, stages = found
        [record] = await self._loading.records([row], stages, (), whole=whole)
        read = self._loading.payload if whole else self._loading.shown
        record.execution.result = await read(client_id, row["result"], row["result_sha256"])
        return Snapshot(record.execution, row["sequence"], row["owner"])

    async def page(
        self, client_id: str, status: str | None, template: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        def statement() -> list[dict[str, Any]]:
            rows = [
                row
                for row in self._tables.executions.values()
                if row["client_id"] == client_id
                and status in (None, row["status"])
                and template in (None, row["template"])
                and (before is None or row["execution_id"] < before)
            ]
            rows.sort(key=lambda row: row["execution_id"], reverse=True)
            return [summary_of(row) for row in rows[:limit]]

        return await self._wire.call("list", statement)

    async def packets(self, client_id: str, execution_id: str) -> list[dict[str, Any]]:
        def statement() -> list[dict[str, Any]]:
            rows = [
                row
                for row in self._tables.packets.values()
                if row["execution_id"] == execution_id and row["client_id"] == client_id
            ]
            return packets_of(execution_id, rows)

        return await self._wire.call("packets", statement)

    async def client_of(self, execution_id: str) -> str | None:
        def statement() -> str | None:
            row = self._tables.executions.get(execution_id)
            return None if row is None else row["client_id"]

        return await self._wire.call("client_of", statement)

    async def whereabouts(self, execution_id: str, stage: str, fence: int) -> Whereabouts | None:
        def statement() -> tuple[Row, Row | None] | None:
            execution = self._tables.executions.get(execution_id)
            row = self._tables.stages.get((execution_id, stage))
            return None if execution is None else (dict(execution), None if row is None else dict(row))

        found = await self._wire.call("whereabouts", statement)
        if found is None:
            return None
        execution, row = found
        known = None if row is None else await self._loading.stage(row, whole=row["settled_fence"] == fence)
        return whereabouts_of(execution["owner"], execution["owner_epoch"], known, fence)

    async def sequences(self, execution_ids: Sequence[str]) -> dict[str, int]:
        def statement() -> dict[str, int]:
            known = self._tables.executions
            return {one: known[one]["sequence"] for one in execution_ids if one in known}

        return await self._wire.call("sequences", statement)

    async def waiting(self) -> list[Waiting]:
        def statement() -> list[Waiting]:
            held = [
                {**row, "started": False, "action": None}
                for row in self._tables.executions.values()
                if row["owner"] is not None and row["status"] == "queued"
            ]
            rows = sorted([*self._tables.queue.values(), *held], key=place)
            return [Waiting(row["execution_id"], row["client_id"], row["priority"], row["action"]) for row in rows]

        return (await self._wire.call("waiting", statement))[:1000]

    async def ahead(self, action: str, priority: int, execution_id: str) -> int:
        mine = (-priority, True, execution_id)

        def statement() -> int:
            return sum(row["action"] == action and place(row) < mine for row in self._tables.queue.values())

        return await self._wire.call("ahead", statement)

    async def counts(self) -> tuple[int, int, int]:
        def statement() -> tuple[int, int, int]:
            statuses = [row["status"] for row in self._tables.executions.values() if row["owner"] is not None]
            queue = self._tables.queue.values()
            running = sum(status in ("running", "waiting", "paused") for status in statuses)
            return statuses.count("queued") + len(queue), running, sum(row["priority"] >= 75 for row in queue)

        return await self._wire.call("counts", statement)

    async def durations(self) -> dict[str, float]:
        def statement() -> dict[str, float]:
            took: dict[str, list[float]] = {}
            for row in self._tables.stages.values():
                if row["status"] == "completed" and row["started_at"] is not None and row["action"] is not None:
                    took.setdefault(row["action"], []).append((row["finished_at"] - row["started_at"]).total_seconds())
            return {action: sum(seconds) / len(seconds) * 1000 for action, seconds in took.items()}

        return await self._wire.call("durations", statement)


class SimulatedRegistry:
    """Who there is."""

    def __init__(self, tables: Tables, wire: Wire) -> None:
        self._tables = tables
        self._wire = wire

    async def register(self, registration: Registration, instance_id: str, home: str) -> datetime:
        row = {
            "worker_id": registration.worker_id,
            "instance_id": instance_id,
            "display_name": registration.display_name,
            "version": registration.version,
            "url": registration.url,
            "packet_arrays": registration.packet_arrays,
            "capabilities": registration.capabilities,
            "slots": registration.max_concurrent_executions,
            "labels": registration.labels,
            "resources": registration.resources,
            "home": home,
        }
        return await self._wire.call("enter_worker", lambda: self._tables.enter_worker(row), writes=True)

    async def drain(self, worker_id: str) -> bool:
        return await self._wire.call("drain_worker", lambda: self._tables.drain_worker(worker_id), writes=True)

    async def take_home(self, replica_id: str) -> Sequence[RegisteredWorker]:
        rows = await self._wire.call("homeless", lambda: self._tables.take_home(replica_id), writes=True)
        return [RegisteredWorker(**row) for row in rows]

    async def list(self) -> Sequence[RegisteredWorker]:
        def statement() -> list[RegisteredWorker]:
            return [RegisteredWorker(**self._tables.workers[worker_id]) for worker_id in sorted(self._tables.workers)]

        return await self._wire.call("workers", statement)
