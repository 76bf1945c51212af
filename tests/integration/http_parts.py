"""What stands behind the HTTP API in its tests: parts that keep what they are asked and give what they are told to."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from aiohttp import web

from orchestrator.accounts.accounts import LoginRefused, Session
from orchestrator.accounts.principal import EVERY_SCOPE, ClientPrincipal, Role, Scope, WorkerPrincipal
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.requests import ExecuteRequest, KeyReused, Queued, UnknownExecution
from orchestrator.core.standing import Dishonest, Offence
from orchestrator.core.template import Template, parse_template
from orchestrator.dispatch.watch import Hub
from orchestrator.store.executions import Snapshot
from orchestrator.store.templates import SHIPPED, Published, UnknownTemplate, VersionTaken
from orchestrator.web.ports import Check, Command, Services
from protocol.codec import encode_frame, sift_worker_frame
from protocol.errors import ProtocolError
from protocol.packets import (
    Ack,
    Artifact,
    Directive,
    Heartbeat,
    Progress,
    Registered,
    Registration,
    Result,
    WorkerPacket,
)
from tests.driven_clock import DrivenClock

CLIENT = "client_1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GREETING = """
template: greet
input: {type: object, required: [name], properties: {name: {type: string}}}
stages:
  hello: {action: echo, with: {text: "hello ${input.name}"}}
"""


@dataclass(slots=True)
class Authenticator:
    principals: dict[str, ClientPrincipal] = field(
        default_factory=lambda: {
            "key-of-a-client": ClientPrincipal(CLIENT, "first", EVERY_SCOPE),
            "key-of-another-client": ClientPrincipal("client_2", "second", EVERY_SCOPE),
            "key-that-only-reads": ClientPrincipal(CLIENT, "first", frozenset({Scope.READ})),
            "token-of-a-session": ClientPrincipal(CLIENT, "first", EVERY_SCOPE, "user_1", Role.ADMIN),
        }
    )

    async def by_api_key(self, key: str) -> ClientPrincipal | None:
        return self.principals.get(key)

    async def by_session(self, token: str) -> ClientPrincipal | None:
        return self.principals.get(token)

    async def by_worker(self, secret: str, worker_id: str) -> WorkerPrincipal | None:
        return WorkerPrincipal(worker_id) if secret == "secret-of-workers" else None


@dataclass(slots=True)
class Accounts:
    ended: list[str] = field(default_factory=list)
    fault: Exception | None = None

    async def login(self, email: str, password: str, address: str) -> Session:
        if self.fault is not None:
            raise self.fault
        if (email, password) != ("ada@example.org", "correct horse"):
            raise LoginRefused
        principal = ClientPrincipal(CLIENT, "first", EVERY_SCOPE, "user_1", Role.ADMIN)
        return Session(principal, email, NOON + timedelta(hours=24), token="token-of-a-session")

    async def logout(self, token: str) -> None:
        self.ended.append(token)


@dataclass(slots=True)
class Commands:
    """Idempotency keys work as they do in the journal. `fault` is raised instead of an answer, once."""

    requests: list[ExecuteRequest] = field(default_factory=list)
    commands: list[tuple[str, str, Command]] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    status: ExecutionStatus | None = ExecutionStatus.CANCELLED
    fault: Exception | None = None

    async def execute(self, request: ExecuteRequest) -> Queued:
        self._fail_if_told()
        self.requests.append(request)
        return self._queued(request.client_id, request.key, request.body_hash, f"exec_{len(self.requests)}")

    async def retry(self, client_id: str, execution_id: str, key: str | None, body_hash: bytes) -> Queued:
        self._fail_if_told()
        return self._queued(client_id, key, body_hash, f"{execution_id}_again")

    async def command(self, client_id: str, execution_id: str, event: Command) -> ExecutionStatus | None:
        self._fail_if_told()
        self.commands.append((client_id, execution_id, event))
        return self.status

    async def execute_all(self, requests: Sequence[ExecuteRequest]) -> list[Queued | Exception]:
        outcomes: list[Queued | Exception] = []
        for request in requests:
            try:
                outcomes.append(await self.execute(request))
            except Exception as fault:
                outcomes.append(fault)
        return outcomes

    def _queued(self, client_id: str, key: str | None, body_hash: bytes, execution_id: str) -> Queued:
        if key is None:
            return Queued(execution_id, 1, NOON + timedelta(seconds=5))
        before = self.keys.setdefault((client_id, key), (body_hash, execution_id))
        if before[0] != body_hash:
            raise KeyReused(f"the idempotency key {key} was used before with another body")
        return Queued(before[1], None, None, repeated=before[1] != execution_id)

    def _fail_if_told(self) -> None:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault


@dataclass(slots=True)
class QueueCheck:
    async def submit(self) -> Queued:
        return Queued("exec_check", None, None)


@dataclass(slots=True)
class Executions:
    """`reads` counts how often an execution was read; `on_read` is called before each reading."""

    snapshots: dict[tuple[str, str], Snapshot] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    logged: list[dict[str, Any]] = field(default_factory=list)
    pages: list[tuple[Any, ...]] = field(default_factory=list)
    on_read: Callable[[], None] = lambda: None
    fault: Exception | None = None
    reads: int = 0

    async def find(self, client_id: str, execution_id: str) -> Snapshot | None:
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        self.on_read()
        return self.snapshots.get((client_id, execution_id))

    async def page(
        self, client_id: str, status: str | None, template: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        self.pages.append((client_id, status, template, before, limit))
        rows = [row for row in self.rows if before is None or row["executionId"] < before]
        return rows[:limit]

    async def packets(self, client_id: str, execution_id: str) -> list[dict[str, Any]]:
        return self.logged


@dataclass(slots=True)
class Outlook:
    async def queue(self, client_id: str) -> dict[str, Any]:
        place = {
            "executionId": "exec_1",
            "priority": 50,
            "position": 1,
            "estimatedStartAt": None,
            "reason": f"{client_id} waits for its turn",
        }
        return {"queue": [place], "stats": {"queued": 1, "running": 0, "highPriority": 0, "blocked": 0}}

    async def explain(self, client_id: str, execution_id: str) -> dict[str, Any]:
        if execution_id != "exec_1":
            raise UnknownExecution(execution_id)
        return {
            "executionId": execution_id,
            "status": "queued",
            "currentStage": "hello",
            "reason": "no worker here offers echo",
            "position": 1,
            "estimatedCompletionAt": None,
            "stages": [],
        }


@dataclass(slots=True)
class Templates:
    """Published templates in memory, in order; a client's own and the shipped ones."""

    published: list[tuple[Published, Template]] = field(default_factory=list)

    def ship(self, source: str) -> None:
        self._add(SHIPPED, parse_template(source), source, 1)

    async def publish(self, client_id: str, template: Template, source: str) -> tuple[int, bool]:
        versions = {
            kept.version: parsed
            for kept, parsed in self.published
            if (kept.client_id, kept.name) == (client_id, template.name)
        }
        version = template.version or len(versions) + 1
        if version in versions:
            if versions[version].content_hash != template.content_hash:
                raise VersionTaken(f"{template.name} {version} is published already, with another content")
            return version, False
        self._add(client_id, template, source, version)
        return version, True

    async def find(self, client_id: str, name: str, version: int | None = None) -> Published:
        found = [
            kept
            for kept, _ in self.published
            if kept.name == name and kept.client_id in (client_id, SHIPPED) and version in (None, kept.version)
        ]
        if not found:
            raise UnknownTemplate(f"there is no template {name}")
        return found[-1]

    async def list(self, client_id: str) -> list[Published]:
        return [kept for kept, _ in self.published if kept.client_id in (client_id, SHIPPED)]

    async def version(self, client_id: str, name: str, version: int) -> Template:
        return next(
            parsed
            for kept, parsed in self.published
            if (kept.client_id, kept.name, kept.version) == (client_id, name, version)
        )

    def _add(self, client_id: str, template: Template, source: str, version: int) -> None:
        kept = Published(client_id, template.name, version, source, dict(template.document), NOON)
        self.published.append((kept, template))


@dataclass(slots=True)
class Workers:
    registrations: list[Registration] = field(default_factory=list)
    heartbeats: list[tuple[str, Heartbeat]] = field(default_factory=list)
    packets: list[tuple[str, list[WorkerPacket]]] = field(default_factory=list)
    directives: list[Directive] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    offences: list[tuple[str, Offence]] = field(default_factory=list)
    fault: Exception | None = None

    async def register(self, registration: Registration) -> Registered:
        if self.fault is not None:
            raise self.fault
        self.registrations.append(registration)
        return Registered(
            worker_id=registration.worker_id,
            instance_id=registration.instance_id or "inst_1",
            heartbeat_interval_ms=5_000,
            websocket_url=f"ws://127.0.0.1/api/workers/{registration.worker_id}/link",
        )

    def beat(self, worker_id: str, heartbeat: Heartbeat) -> Sequence[Directive] | None:
        if not self._knows(worker_id):
            return None
        self.heartbeats.append((worker_id, heartbeat))
        return self.directives

    async def take(self, worker_id: str, frame: bytes) -> tuple[bytes, Sequence[ProtocolError]] | None:
        sifted = sift_worker_frame(frame)
        if not self._knows(worker_id):
            return None
        self.packets.append((worker_id, sifted.packets))
        acks = [
            Ack(execution_id=each.execution_id, stage_id=each.stage_id, fence=each.fence, status="committed")
            for each in sifted.packets
            if isinstance(each, Result)
        ]
        return encode_frame(acks), sifted.faults

    async def drain(self, worker_id: str) -> bool:
        self.drained.append(worker_id)
        return self._knows(worker_id)

    async def list(self) -> list[dict[str, Any]]:
        return [_worker_document(registration) for registration in self.registrations]

    async def find(self, worker_id: str) -> dict[str, Any] | None:
        return next((document for document in await self.list() if document["workerId"] == worker_id), None)

    def offended(self, worker_id: str, offence: Offence) -> None:
        self.offences.append((worker_id, offence))

    def actions(self) -> Collection[str]:
        return [action for registration in self.registrations for action in registration.capabilities]

    async def serve_peer(self, request: web.Request, replica_id: str, peer_id: str) -> web.StreamResponse | None:
        return None if replica_id != "replica_1" else await self.serve(request, peer_id)

    async def serve(self, request: web.Request, worker_id: str) -> web.StreamResponse:
        """Says who dialled, and hangs up."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(worker_id)
        await socket.close()
        return socket

    def _knows(self, worker_id: str) -> bool:
        return any(registration.worker_id == worker_id for registration in self.registrations)


def _worker_document(registration: Registration) -> dict[str, Any]:
    slots = registration.max_concurrent_executions
    return {
        "workerId": registration.worker_id,
        "url": registration.url,
        "capabilities": sorted(registration.capabilities),
        "status": "ready",
        "slots": {"total": slots, "free": slots},
        "staleResults": 0,
        "standing": {"demerit": 0, "offences": {}},
    }


@dataclass(slots=True)
class Reports:
    """Attempts rule until a test says that they are `stale`."""

    reported: list[tuple[str, Progress | Result]] = field(default_factory=list)
    stale: bool = False
    offence: Offence | None = None

    async def progress(self, worker_id: str, packet: Progress) -> bool:
        if self.offence is not None:
            raise Dishonest(self.offence)
        self.reported.append((worker_id, packet))
        return not self.stale

    async def result(self, worker_id: str, packet: Result) -> bool:
        self.reported.append((worker_id, packet))
        return not self.stale

    async def client_of_attempt(self, worker_id: str, execution_id: str, stage_id: str, fence: int) -> str | None:
        return None if self.stale else CLIENT

    async def client_of_execution(self, execution_id: str) -> str | None:
        return CLIENT


@dataclass(slots=True)
class Artifacts:
    """What was uploaded, by client and hash, with its bytes."""

    kept: dict[tuple[str, str], tuple[Artifact, bytes]] = field(default_factory=dict)

    async def keep(self, client_id: str, content_type: str, pieces: AsyncIterable[bytes]) -> Artifact:
        data = b"".join([piece async for piece in pieces])
        artifact = Artifact(sha256=sha256(data).hexdigest(), size_bytes=len(data), content_type=content_type)
        return self.kept.setdefault((client_id, artifact.sha256), (artifact, data))[0]

    async def find(self, client_id: str, sha256: str) -> Artifact | None:
        return self.kept[client_id, sha256][0] if (client_id, sha256) in self.kept else None

    async def pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        async def one() -> AsyncIterator[memoryview]:
            yield memoryview(self.kept[client_id, sha256][1])

        return one()


@dataclass(slots=True)
class Health:
    outcome: Sequence[Check] = (Check("database", True, "answers"), Check("lease", True, "held"))

    async def checks(self) -> Sequence[Check]:
        return self.outcome


@dataclass(slots=True)
class Counted:
    """Ids that count."""

    made: int = 0

    def new(self, kind: str) -> str:
        self.made += 1
        return f"{kind}_{self.made}"


@dataclass(slots=True)
class Parts:
    """All that stands behind the API."""

    authenticator: Authenticator = field(default_factory=Authenticator)
    accounts: Accounts = field(default_factory=Accounts)
    commands: Commands = field(default_factory=Commands)
    queue_check: QueueCheck = field(default_factory=QueueCheck)
    executions: Executions = field(default_factory=Executions)
    outlook: Outlook = field(default_factory=Outlook)
    templates: Templates = field(default_factory=Templates)
    workers: Workers = field(default_factory=Workers)
    reports: Reports = field(default_factory=Reports)
    artifacts: Artifacts = field(default_factory=Artifacts)
    hub: Any = field(default_factory=Hub)
    health: Health = field(default_factory=Health)
    clock: DrivenClock = field(default_factory=DrivenClock)
    max_artifact_bytes: int = 1_000_000

    def services(self) -> Services:
        return Services(
            authenticator=self.authenticator,
            accounts=self.accounts,
            commands=self.commands,
            queue_check=self.queue_check,
            executions=self.executions,
            outlook=self.outlook,
            templates=self.templates,
            workers=self.workers,
            reports=self.reports,
            artifacts=self.artifacts,
            hub=self.hub,
            health=self.health,
            clock=self.clock,
            ids=Counted(),
            version="1.2.3",
            max_artifact_bytes=self.max_artifact_bytes,
        )
