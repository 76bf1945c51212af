"""The packets of protocol v1 as frozen models in one tagged union.

camelCase goes out; camelCase or snake_case comes in; fields that a side does not know are ignored. Durations are
integers of milliseconds, money is decimal US dollars, a fence is an opaque integer that is echoed unchanged.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StrictBool
from pydantic.alias_generators import to_camel

from protocol.errors import RefusalCode

PROTOCOL_VERSION: Final = 1

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
ActionName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z][a-z0-9_.-]*$")]
Fence = Annotated[int, Field(strict=True, ge=1, lt=2**53)]
AttemptNumber = Annotated[int, Field(strict=True, ge=1)]
Milliseconds = Annotated[int, Field(ge=0, le=366 * 24 * 3600 * 1000)]
Money = Annotated[
    Decimal,
    Field(ge=0, le=10**9, allow_inf_nan=False),
    AfterValidator(lambda amount: round(amount, 9)),
    PlainSerializer(float, when_used="json"),
]
"""US dollars, rounded to nine places: a float's tail is no reason to lose a result that was paid for."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Percent = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
MAX_TEXT: Final = 10_000
Text = Annotated[str, BeforeValidator(lambda value: value[:MAX_TEXT] if isinstance(value, str) else value)]
"""What people read: cut, not refused, when it is too long."""


class Model(BaseModel):
    """What every document of the protocol shares: frozen, camelCase out, either case in."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        alias_generator=to_camel,
    )

    def document(self) -> dict[str, Any]:
        """The JSON document of this model, without what is absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def encoded(self) -> bytes:
        """The same document as compact JSON, in one pass."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


class AttemptKey(Model):
    """Which attempt a message speaks of."""

    execution_id: Identifier
    stage_id: Identifier
    attempt: AttemptNumber
    fence: Fence


class Resources(Model):
    """What an offer allows, or what an accept says it will need. All optional; memory in MiB."""

    estimated_tokens: int | None = Field(None, ge=0)
    timeout_ms: Milliseconds | None = None
    cpu: float | None = Field(None, ge=0, allow_inf_nan=False)
    memory: float | None = Field(None, ge=0, allow_inf_nan=False)
    api_calls: int | None = Field(None, ge=0)
    cost_usd: Money | None = None


class Metrics(Model):
    """What an attempt really took. Further fields of a worker's own are kept as they are."""

    model_config = ConfigDict(extra="allow")

    tokens_used: int | None = Field(None, ge=0)
    processing_time_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cost_usd: Money | None = None


class Failure(Model):
    """Why an attempt failed. Only `retryable: true` makes the orchestrator try again."""

    code: Annotated[str, Field(min_length=1, max_length=100)] = "worker_error"
    message: Text
    retryable: StrictBool = False


class Offer(AttemptKey):
    """Orchestrator to worker: would you take this stage?"""

    type: Literal["offer"] = "offer"
    action: ActionName
    input_data: Any = None
    resource_requirements: Resources = Resources()
    offer_expires_ms: Milliseconds
    lease_ms: Milliseconds
    deadline_at: str | None = None
    limits: dict[str, Any] | None = None
    traceparent: str | None = None


class Accept(Model):
    """Worker to orchestrator: yes, with an estimate. A slot is reserved until the offer expires."""

    type: Literal["accept"] = "accept"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    worker_id: Identifier | None = None
    estimated_completion_ms: Milliseconds | None = None
    resource_requirements: Resources | None = None


class Reject(Model):
    """Worker to orchestrator: no, with a code, a reason and when to ask again."""

    type: Literal["reject"] = "reject"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    worker_id: Identifier | None = None
    code: RefusalCode = RefusalCode.POLICY
    reason: Text = ""
    retry_after_ms: Milliseconds | None = None


class Process(AttemptKey):
    """Orchestrator to worker: begin what you accepted."""

    type: Literal["process"] = "process"


class Progress(Model):
    """Worker to orchestrator: how far the attempt is, 0 to 100; renews the attempt's lease."""

    type: Literal["progress"] = "progress"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    progress: Percent
    message: Text | None = None
    metrics: Metrics | None = None


class Log(Model):
    """Worker to orchestrator: a line for those who watch."""

    type: Literal["log"] = "log"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    level: Literal["debug", "info", "warning", "error"] = "info"
    message: Text


class Result(Model):
    """Worker to orchestrator: how the attempt ended. Kept by the worker and sent again until it is acked."""

    type: Literal["result"] = "result"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    status: Literal["completed", "failed", "cancelled"]
    result: Any = None
    metrics: Metrics = Metrics()
    error: Failure | None = None


class Ack(Model):
    """Orchestrator to worker: the result is dealt with, forget it.

    `committed`: it is durable (also for one that was sent again). `stale`: another fence rules, it was refused.
    """

    type: Literal["ack"] = "ack"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    status: Literal["committed", "stale"]


class Cancel(Model):
    """Orchestrator to worker: stop this attempt; its result will not be taken."""

    type: Literal["cancel"] = "cancel"
    execution_id: Identifier
    stage_id: Identifier
    fence: Fence
    reason: Literal["cancelled", "stale", "timeout"] = "cancelled"


class Heartbeat(Model):
    """Worker to orchestrator: alive; `running` is what it holds, from which the orchestrator renews leases."""

    type: Literal["heartbeat"] = "heartbeat"
    load: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    free_slots: int | None = Field(None, ge=0)
    draining: StrictBool = False
    running: tuple[AttemptKey, ...] | None = None


class Drain(Model):
    """Orchestrator to worker: finish what you hold, take nothing more."""

    type: Literal["drain"] = "drain"


WorkerPacket = Annotated[Accept | Reject | Progress | Log | Result | Heartbeat, Field(discriminator="type")]
OrchestratorPacket = Annotated[Offer | Process | Ack | Cancel | Drain, Field(discriminator="type")]
Packet = Offer | Accept | Reject | Process | Progress | Log | Result | Ack | Cancel | Heartbeat | Drain


class Registration(Model):
    """What a worker says of itself to `POST /api/workers` or `POST /api/handshake`.

    `packet_arrays`: at its `url` it takes arrays of packets, not the original calls with one packet each.
    """

    worker_id: Identifier
    display_name: Annotated[str, Field(max_length=200)] | None = None
    version: Annotated[str, Field(max_length=100)] = "0"
    url: Annotated[str, Field(max_length=2_000)] | None = None
    packet_arrays: StrictBool = False
    capabilities: Annotated[tuple[ActionName, ...], Field(min_length=1, max_length=500)]
    max_concurrent_executions: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    instance_id: Identifier | None = None
    running: tuple[AttemptKey, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    resources: dict[str, Any] = Field(default_factory=dict)
    protocol: Annotated[int, Field(strict=True)] = PROTOCOL_VERSION


class Registered(Model):
    """The orchestrator's answer to a registration. `instance_id` names this life of the worker; `orchestrators` are
    the URLs of all replicas, where there are several."""

    worker_id: Identifier
    instance_id: Identifier
    protocol: int = PROTOCOL_VERSION
    heartbeat_interval_ms: Milliseconds
    websocket_url: str
    orchestrators: tuple[str, ...] | None = None


class HandshakeAnswer(Model):
    """A worker's answer to `POST /api/handshake` over HTTP: an accept or a reject in one document."""

    execution_id: Identifier
    worker_id: Identifier | None = None
    stage_id: Identifier | None = None
    accepted: StrictBool
    estimated_completion_ms: Milliseconds | None = None
    resource_requirements: Resources | None = None
    reason: Text | None = None
    code: RefusalCode | None = None
    retry_after_ms: Milliseconds | None = None


class ProcessAnswer(Model):
    """A worker's answer to `POST /api/process` over HTTP: the result itself."""

    execution_id: Identifier
    status: Literal["completed", "failed"]
    result: Any = None
    metrics: Metrics = Metrics()
    error: Failure | str | None = None


class Artifact(Model):
    """A reference to a payload that is kept outside of documents, by the SHA-256 of its bytes."""

    sha256: Sha256
    size_bytes: int = Field(ge=0)
    content_type: str = "application/octet-stream"


class Directive(Model):
    """What a worker is told to do, in a heartbeat's answer or beside a 409."""

    directive: Literal["stop", "drain"]
    execution_id: Identifier | None = None
    stage_id: Identifier | None = None
    fence: Fence | None = None
