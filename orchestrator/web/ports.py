"""What the HTTP API needs of the rest of the orchestrator, as protocols; `app.py` puts the real things in.

Every method either answers or raises what its docstring names, or one of `store.database.UNAVAILABLE`: the database is
away, nothing is known to be wrong with the call.
"""

from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from orchestrator.accounts.accounts import Session
from orchestrator.accounts.principal import ClientPrincipal, WorkerPrincipal
from orchestrator.core.events import CancelRequested, PauseRequested, ResumeRequested, SignalReceived
from orchestrator.core.execution import ExecutionStatus
from orchestrator.core.requests import ExecuteRequest, Queued
from orchestrator.core.seams import Clock, Ids
from orchestrator.core.standing import Offence
from orchestrator.core.template import Template
from orchestrator.store.executions import Snapshot
from orchestrator.store.templates import Published
from protocol.errors import ProtocolError
from protocol.packets import Artifact, Directive, Heartbeat, Progress, Registered, Registration, Result

Command = CancelRequested | PauseRequested | ResumeRequested | SignalReceived


class Authenticator(Protocol):
    """Whom a credential stands for; None for one that is not known (any more)."""

    async def by_api_key(self, key: str) -> ClientPrincipal | None: ...

    async def by_session(self, token: str) -> ClientPrincipal | None: ...

    async def by_worker(self, secret: str, worker_id: str) -> WorkerPrincipal | None: ...


class Accounts(Protocol):
    """The sessions of users."""

    async def login(self, email: str, password: str, address: str) -> Session:
        """`address` is where the try came from. Raises `LoginRefused`, `Throttled`."""

    async def logout(self, token: str) -> None: ...


class Commands(Protocol):
    """What clients ask for; each answer waits until it is durable."""

    async def execute(self, request: ExecuteRequest) -> Queued:
        """Raises `KeyReused`."""

    async def execute_all(self, requests: Sequence[ExecuteRequest]) -> Sequence[Queued | Exception]:
        """For each request, in order, what `execute` would have returned or raised."""

    async def retry(self, client_id: str, execution_id: str, key: str | None, body_hash: bytes) -> Queued:
        """One in place of a failed or cancelled one. Raises `UnknownExecution`, `WrongState`, `KeyReused`."""

    async def command(self, client_id: str, execution_id: str, event: Command) -> ExecutionStatus | None:
        """The status it led to; None if another replica will carry it out. Raises `UnknownExecution`, `WrongState`."""


class QueueCheck(Protocol):
    """The built-in execution of one stage, through the real queue and the real handshake."""

    async def submit(self) -> Queued: ...


class Executions(Protocol):
    """What is durable of a client's executions."""

    async def find(self, client_id: str, execution_id: str) -> Snapshot | None: ...

    async def page(
        self, client_id: str, status: str | None, template: str | None, before: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Newest first; `before` is the last id of the page before."""

    async def packets(self, client_id: str, execution_id: str) -> list[dict[str, Any]]:
        """In order; empty also for an execution that the client does not have."""


class Outlook(Protocol):
    """Why things are where they are, and when they are likely to move."""

    async def queue(self, client_id: str) -> dict[str, Any]: ...

    async def explain(self, client_id: str, execution_id: str) -> dict[str, Any]:
        """Raises `UnknownExecution`."""


class Templates(Protocol):
    """Published templates: a client's own over the shipped ones."""

    async def publish(self, client_id: str, template: Template, source: str) -> tuple[int, bool]:
        """The version, and whether it is new. Raises `VersionTaken`."""

    async def find(self, client_id: str, name: str, version: int | None = None) -> Published:
        """The latest, or this version. Raises `UnknownTemplate`."""

    async def list(self, client_id: str) -> list[Published]: ...

    async def version(self, client_id: str, name: str, version: int) -> Template:
        """One published version, parsed; `client_id` is that of its namespace. Raises `UnknownTemplate`."""


class Workers(Protocol):
    """The registered workers. Documents are as `GET /api/workers` shows them."""

    async def register(self, registration: Registration) -> Registered:
        """Raises `RegistrationRefused`, `Crowded`."""

    def beat(self, worker_id: str, heartbeat: Heartbeat) -> Sequence[Directive] | None:
        """What the worker has to do; None for one that has to register again."""

    async def take(self, worker_id: str, frame: bytes) -> tuple[bytes, Sequence[ProtocolError]] | None:
        """The frame that answers an array of the worker's packets, and what is wrong with those that were not taken.

        None for one that has to register again, as a worker that takes arrays. Raises `ProtocolError`.
        """

    async def drain(self, worker_id: str) -> bool:
        """Whether there is such a worker."""

    async def list(self) -> list[dict[str, Any]]: ...

    async def find(self, worker_id: str) -> dict[str, Any] | None: ...

    def offended(self, worker_id: str, offence: Offence) -> None:
        """The worker sent what had to be refused before anybody looked into it."""

    def actions(self) -> Collection[str]:
        """What the workers in reach offer."""

    async def serve(self, request: web.Request, worker_id: str) -> web.StreamResponse:
        """Hold a worker's WebSocket, from the upgrade to its end."""

    async def serve_peer(self, request: web.Request, replica_id: str, peer_id: str) -> web.StreamResponse | None:
        """Hold the WebSocket of the replica `peer_id` that dialled `replica_id`; None if that is not this one."""


class Reports(Protocol):
    """What workers report by requests of their own."""

    async def progress(self, worker_id: str, packet: Progress) -> bool:
        """Whether the attempt still rules; if not, the worker has to stop. Raises `Dishonest`."""

    async def result(self, worker_id: str, packet: Result) -> bool:
        """Whether the result is committed, now or before; else it is stale. Raises `Dishonest`."""

    async def client_of_attempt(self, worker_id: str, execution_id: str, stage_id: str, fence: int) -> str | None:
        """Whose attempt this is, which the worker holds and may go on with; None if it has to stop."""

    async def client_of_execution(self, execution_id: str) -> str | None: ...


class Artifacts(Protocol):
    """Large payloads, each client's own, by the SHA-256 of their bytes."""

    async def keep(self, client_id: str, content_type: str, pieces: AsyncIterable[bytes]) -> Artifact:
        """Store bytes as they come; what `pieces` raises comes through, and then nothing is stored."""

    async def find(self, client_id: str, sha256: str) -> Artifact | None: ...

    async def pieces(self, client_id: str, sha256: str) -> AsyncIterator[memoryview]:
        """The bytes of one that was found."""


class Notice(Protocol):
    """One event of an execution's stream."""

    @property
    def sequence(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def data(self) -> dict[str, Any]: ...


class Watcher(Protocol):
    """One open stream. `behind` is set when something happened that it is not told of in notices; `stands_at` is the
    sequence that it has read up to."""

    behind: bool
    stands_at: int | None

    def wake(self) -> None:
        """Let `next` return, though there may be nothing to tell."""

    async def next(self) -> Sequence[Notice]:
        """What came since the last call, waiting for it; empty for one who was woken."""


class Hub(Protocol):
    """Tells watchers what happens to an execution; those of one that another replica drives fall behind."""

    def watch(self, execution_id: str) -> Watcher: ...

    def leave(self, watcher: Any) -> None:
        """`watcher` is one that `watch` gave."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of being ready; `detail` is a sentence for operators."""

    name: str
    ok: bool
    detail: str


class Health(Protocol):
    """Whether this replica can do its work."""

    async def checks(self) -> Sequence[Check]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that `build_app` needs. `version` is Baton's own."""

    authenticator: Authenticator
    accounts: Accounts
    commands: Commands
    queue_check: QueueCheck
    executions: Executions
    outlook: Outlook
    templates: Templates
    workers: Workers
    reports: Reports
    artifacts: Artifacts
    hub: Hub
    health: Health
    clock: Clock
    ids: Ids
    version: str
    max_artifact_bytes: int
