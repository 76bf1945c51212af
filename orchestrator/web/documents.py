"""The documents that the API answers with, as models: they describe, and tests hold every answer to them.

Answers are built where their facts are; nothing is parsed through these on the way out.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from protocol.packets import Directive

ExecutionWord = Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]
StageWord = Literal["pending", "offered", "running", "waiting", "completed", "failed", "skipped", "cancelled"]


class Document(BaseModel):
    """camelCase, every field always there. What only describes is not built before somebody asks for it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True)


class Fault(Document):
    """What went wrong."""

    code: str
    message: str
    details: Any = Field(description="A list of `{path, message, line?, column?}`, further facts, or null.")


class Error(Document):
    """The shape of every error."""

    error: Fault
    request_id: str


class Links(Document):
    """Where an execution can be asked about, and stopped."""

    self: str
    events: str
    packets: str
    explain: str
    cancel: str


class Accepted(Document):
    """An execution that is durable and will be executed. What cannot be derived is null."""

    execution_id: str
    status: Literal["queued"]
    priority: int
    queue_position: int | None
    estimated_completion_at: datetime | None
    links: Links


class Retried(Document):
    """The answer to a retry: the new execution, and the one whose place it takes."""

    execution_id: str
    status: Literal["queued"]
    retry_of: str
    queue_position: int | None
    estimated_completion_at: datetime | None
    links: Links


class Declined(Document):
    """An item of a batch that was not taken."""

    error: Fault


class BatchAnswer(Document):
    """One entry for each item, in order."""

    executions: list[Accepted | Declined]


class Cost(Document):
    """What all attempts reported."""

    cost_usd: float
    tokens: int


class Amounts(Document):
    """Whole milliseconds, tokens and US dollars; null for what is not known."""

    ms: int | None
    tokens: int | None
    cost_usd: float | None


class Ratios(Document):
    """What was taken for each unit that was estimated: 1 is as estimated, 2 is twice as much."""

    ms: float | None
    tokens: float | None
    cost_usd: float | None


class Stage(Document):
    """Where a stage stands: what its worker expected of the present attempt, and what the last one took in the end."""

    stage_id: str
    name: str
    action: str | None
    status: StageWord
    attempt: int
    worker_id: str | None
    progress: float
    message: str | None
    estimated_completion_ms: int | None
    estimate: Amounts
    actual: Amounts = Field(description="From the accept to the result; all null until the stage has ended.")
    ratio: Ratios
    started_at: datetime | None
    finished_at: datetime | None
    metrics: dict[str, Any] | None
    error: dict[str, Any] | None


class Summary(Document):
    """What lists show of an execution."""

    execution_id: str
    template: str
    version: int
    status: ExecutionWord
    priority: int
    progress: int
    error: dict[str, Any] | None
    cost: Cost
    request_id: str | None
    retry_of: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Execution(Summary):
    """An execution with its stages. `currentStage` is the name of the earliest unfinished one."""

    stages: list[Stage]
    current_stage: str | None
    result: Any


class ExecutionPage(Document):
    """Newest first; the next page begins at `nextCursor`."""

    executions: list[Summary]
    next_cursor: str | None


class Commanded(Document):
    """What a command led to; null if another replica drives the execution and will carry the command out."""

    execution_id: str
    status: ExecutionWord | None


class LoggedPacket(Document):
    """One packet of a handshake. A large body is replaced by its `sha256` and `bytes`."""

    model_config = ConfigDict(extra="allow")

    seq: int
    at: datetime
    direction: Literal["in", "out"]
    type: str
    stage_id: str
    stage: str
    attempt: int
    fence: int
    worker_id: str
    body: Any = None


class Packets(Document):
    """All packets of an execution, in order."""

    packets: list[LoggedPacket]


class Explanation(Document):
    """Why an execution is where it is: for each open stage the workers that were considered, and their refusals."""

    execution_id: str
    status: ExecutionWord
    current_stage: str | None
    reason: str
    position: int | None
    estimated_completion_at: datetime | None
    stages: list[dict[str, Any]]


class Place(Document):
    """One execution that waits."""

    execution_id: str
    priority: int
    position: int
    estimated_start_at: datetime | None
    reason: str


class QueueStats(Document):
    """How much work there is, of all clients."""

    queued: int
    running: int
    high_priority: int
    blocked: int


class Queue(Document):
    """One's own waiting executions, with their places among everybody's."""

    queue: list[Place]
    stats: QueueStats


class TemplateWarning(Document):
    """What is not wrong, but keeps a template from being executed as things are."""

    path: str
    message: str


class PublishedTemplate(Document):
    """`created` is false for content that was published before under this version."""

    template: str
    version: int
    created: bool
    warnings: list[TemplateWarning]


class TemplateSummary(Document):
    """A published version. A shipped one is everybody's; one's own of the same name hides it."""

    template: str
    version: int
    description: str | None
    shipped: bool
    published_at: datetime


class TemplateDocument(TemplateSummary):
    """A published version with its text, and the same as plain JSON."""

    source: str
    document: dict[str, Any]


class TemplateListing(Document):
    """The latest version of each."""

    templates: list[TemplateSummary]


class Slots(Document):
    """How many stages a worker takes at once, and how many more now."""

    total: int
    free: int


class WorkerStanding(Document):
    """What the worker did that no honest one does: how often, by the code that it was refused with.

    One with a `demerit` is asked only where nobody with a smaller one can be; it fades.
    """

    demerit: int
    offences: dict[str, int]


class WorkerDocument(Document):
    """A registered worker.

    `staleResults` came too late to count: the attempt had been given up, and was done for nothing.
    """

    model_config = ConfigDict(extra="allow")

    worker_id: str
    url: str | None
    capabilities: list[str]
    status: str
    slots: Slots
    stale_results: int
    standing: WorkerStanding


class Workers(Document):
    """All registered workers."""

    workers: list[WorkerDocument]


class Directives(Document):
    """What a worker has to do."""

    directives: list[Directive]


class Draining(Document):
    """The worker finishes what it holds and is offered nothing more."""

    worker_id: str
    status: Literal["draining"]


class Taken(Document):
    """The attempt still rules; its progress was taken."""

    status: Literal["taken"]


class Committed(Document):
    """The report is durable, now or by an earlier report of the same."""

    status: Literal["committed"]


class CheckQueued(Document):
    """The built-in check has been queued."""

    execution_id: str


class User(Document):
    """Who has logged in."""

    user_id: str
    email: str
    role: str


class Client(Document):
    """The tenant that a user belongs to."""

    client_id: str
    name: str


class SessionDocument(Document):
    """A session; its token goes into X-Session-Token and is told this once."""

    token: str
    expires_at: datetime
    user: User
    client: Client
    scopes: list[str]


class Ended(Document):
    """Whether there was a session to end."""

    ended: bool


class Alive(Document):
    """The process answers."""

    status: Literal["ok"]


class CheckOutcome(Document):
    """One condition of being ready."""

    ok: bool
    detail: str


class Readiness(Document):
    """This replica can take work: every check holds."""

    status: Literal["ready"]
    checks: dict[str, CheckOutcome]


class Health(Document):
    """Alive, as which version, and how its services are."""

    status: Literal["ok"]
    version: str
    services: dict[str, Literal["ok", "unavailable"]]
