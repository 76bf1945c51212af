"""Every route of the API in one table: the router, the documentation and the tests read nothing else."""

from collections.abc import Mapping
from typing import Final

from orchestrator.accounts.principal import Scope
from orchestrator.web import (
    artifacts,
    description,
    documents,
    executions,
    health,
    reports,
    sessions,
    streams,
    submissions,
    templates,
    workers,
)
from orchestrator.web.fields import NoFields
from orchestrator.web.identity import Access
from orchestrator.web.routing import FromBody, FromBytes, FromQuery, FromStream, Plain, Route
from orchestrator.web.submission import BatchBody, ExecuteBody
from protocol.codec import MAX_DOCUMENT_BYTES, MAX_RESULT_BYTES
from protocol.packets import Artifact, Heartbeat, Registered, Registration

_EXECUTION: Final = "/api/executions/{executionId}"
_STAGE: Final = "/api/executions/{executionId}/stages/{stageId}"
_WORKER: Final = "/api/workers/{workerId}"

_SUBMISSIONS: Final = (
    Route(
        "POST",
        "/api/pipelines/execute",
        FromBody(ExecuteBody, submissions.execute),
        "Submit an execution; it is durable when it is answered",
        Access.CLIENT,
        documents.Accepted,
        scope=Scope.EXECUTE,
        status=202,
        refusals=(404,),
        creates=True,
    ),
    Route(
        "POST",
        "/api/pipelines/execute/batch",
        FromBody(BatchBody, submissions.execute_batch),
        "Submit many executions, each for itself",
        Access.CLIENT,
        documents.BatchAnswer,
        scope=Scope.EXECUTE,
        status=202,
        creates=True,
    ),
    Route(
        "POST",
        f"{_EXECUTION}/retry",
        FromBody(NoFields, submissions.retry, optional=True),
        "Execute again what failed or was cancelled; completed stages are kept",
        Access.CLIENT,
        documents.Retried,
        scope=Scope.EXECUTE,
        status=202,
        refusals=(409, 410),
        creates=True,
    ),
)

_EXECUTIONS: Final = (
    Route(
        "GET",
        "/api/executions",
        FromQuery(executions.ListQuery, executions.page),
        "List executions, newest first",
        Access.CLIENT,
        documents.ExecutionPage,
        scope=Scope.READ,
        refusals=(400,),
    ),
    Route(
        "GET",
        _EXECUTION,
        Plain(executions.read),
        "Read an execution with its stages and its result",
        Access.CLIENT,
        documents.Execution,
        scope=Scope.READ,
        refusals=(410,),
    ),
    Route(
        "GET",
        f"{_EXECUTION}/events",
        FromQuery(streams.EventsQuery, streams.events),
        "Watch an execution: server-sent events, resumable with Last-Event-ID",
        Access.CLIENT,
        streams.MEDIA_TYPE,
        scope=Scope.READ,
        refusals=(410, 429),
        endless=True,
    ),
    Route(
        "GET",
        f"{_EXECUTION}/packets",
        Plain(executions.packets),
        "Read the handshake packets of an execution, in order",
        Access.CLIENT,
        documents.Packets,
        scope=Scope.READ,
    ),
    Route(
        "GET",
        f"{_EXECUTION}/explain",
        Plain(executions.explain),
        "Ask why an execution is where it is, and when it is likely to move",
        Access.CLIENT,
        documents.Explanation,
        scope=Scope.READ,
        refusals=(410,),
    ),
    Route(
        "GET",
        "/api/queue",
        Plain(executions.queue),
        "See what waits, and why",
        Access.CLIENT,
        documents.Queue,
        scope=Scope.READ,
    ),
)

_COMMANDS: Final = (
    *(
        Route(
            "POST",
            f"{_EXECUTION}/{verb}",
            FromBody(NoFields, handler, optional=True),
            summary,
            Access.CLIENT,
            documents.Commanded,
            scope=Scope.EXECUTE,
            or_status=202,
            refusals=(409, 410),
        )
        for verb, handler, summary in (
            ("cancel", executions.cancel, "Cancel an execution; what is under way is stopped"),
            ("pause", executions.pause, "Pause an execution: nothing more is offered"),
            ("resume", executions.resume, "Lift a pause"),
        )
    ),
    Route(
        "POST",
        f"{_EXECUTION}/signals/{{name}}",
        FromBytes(executions.signal, MAX_DOCUMENT_BYTES, ("application/json",)),
        "Give a waiting stage its signal; the body, any JSON, is the value",
        Access.CLIENT,
        documents.Commanded,
        scope=Scope.EXECUTE,
        or_status=202,
        refusals=(400, 409, 410),
    ),
)

_TEMPLATES: Final = (
    Route(
        "POST",
        "/api/templates",
        FromBytes(templates.publish, templates.MAX_SOURCE_BYTES, ("application/yaml", "application/json")),
        "Publish a master template; a published version never changes",
        Access.CLIENT,
        documents.PublishedTemplate,
        scope=Scope.TEMPLATES,
        status=201,
        refusals=(409, 422),
    ),
    Route(
        "GET",
        "/api/templates",
        Plain(templates.listing),
        "List templates",
        Access.CLIENT,
        documents.TemplateListing,
        scope=Scope.READ,
    ),
    *(
        Route(
            "GET",
            path,
            FromQuery(templates.VersionQuery, templates.read),
            "Read a template, the latest or one version",
            Access.CLIENT,
            documents.TemplateDocument,
            scope=Scope.READ,
        )
        for path in ("/api/templates/{name}", "/api/master-templates/{name}")
    ),
)

_WORKERS: Final = (
    Route(
        "POST",
        "/api/workers",
        FromBody(Registration, workers.register),
        "Register a worker, or refresh its registration",
        Access.WORKER,
        Registered,
        status=201,
    ),
    Route(
        "POST",
        "/api/handshake",
        FromBody(workers.Introduction, workers.introduce),
        "Introduce a worker: protocol and capabilities in, registration out",
        Access.WORKER,
        Registered,
        status=201,
    ),
    Route("GET", "/api/workers", Plain(workers.listing), "List the workers", Access.ANYONE, documents.Workers),
    Route("GET", _WORKER, Plain(workers.read), "Read one worker", Access.ANYONE, documents.WorkerDocument),
    Route(
        "DELETE",
        _WORKER,
        Plain(workers.drain),
        "Drain a worker: it is offered nothing more",
        Access.WORKER,
        documents.Draining,
        status=202,
    ),
    Route(
        "POST",
        f"{_WORKER}/heartbeat",
        FromBody(Heartbeat, workers.beat, optional=True),
        "Be alive, and keep the leases of what runs",
        Access.WORKER,
        documents.Directives,
    ),
    Route(
        "POST",
        f"{_WORKER}/packets",
        FromBytes(workers.take, MAX_RESULT_BYTES, ("application/json",), workers.WorkerPackets),
        "Send packets; each is taken for itself, and the answer has what there is to say to the worker at once",
        Access.WORKER,
        workers.OrchestratorPackets,
        refusals=(400, 422),
    ),
    Route(
        "GET",
        f"{_WORKER}/link",
        Plain(workers.link),
        "Open the WebSocket over which packets go both ways, as JSON arrays",
        Access.WORKER,
        "a WebSocket",
        status=101,
        refusals=(400,),
        endless=True,
    ),
    Route(
        "GET",
        "/api/replicas/{replicaId}/link",
        Plain(workers.peer_link),
        "Open the WebSocket between replicas: X-Worker-ID is the id of the one that dials",
        Access.WORKER,
        "a WebSocket",
        status=101,
        refusals=(400,),
        endless=True,
    ),
)

_REPORTS: Final = (
    Route(
        "POST",
        f"{_STAGE}/progress",
        FromBody(reports.ProgressReport, reports.progress),
        "Report how far an attempt is; it renews the attempt's lease",
        Access.WORKER,
        documents.Taken,
        refusals=(409,),
    ),
    Route(
        "POST",
        f"{_STAGE}/complete",
        FromBody(reports.CompleteReport, reports.complete, MAX_RESULT_BYTES),
        "Report the result of an attempt; it is durable when it is answered",
        Access.WORKER,
        documents.Committed,
        refusals=(409,),
    ),
    Route(
        "POST",
        f"{_STAGE}/fail",
        FromBody(reports.FailReport, reports.fail),
        "Report that an attempt failed",
        Access.WORKER,
        documents.Committed,
        refusals=(409,),
    ),
    Route(
        "POST",
        "/api/test/queue-execution",
        FromBody(reports.Nothing, reports.check_queue, optional=True),
        "Queue the built-in check: one stage through the real queue",
        Access.WORKER,
        documents.CheckQueued,
        status=202,
    ),
)

_ARTIFACTS: Final = (
    Route(
        "POST",
        "/api/artifacts",
        FromStream(NoFields, artifacts.upload),
        "Upload a large payload; the same bytes again are the same artifact",
        Access.CLIENT,
        Artifact,
        scope=Scope.EXECUTE,
        status=201,
        refusals=(400, 429),
    ),
    Route(
        "GET",
        "/api/artifacts/{sha256}",
        Plain(artifacts.download),
        "Download an artifact",
        Access.CLIENT,
        "*/*",
        scope=Scope.READ,
        refusals=(410,),
    ),
    Route(
        "PUT",
        f"{_STAGE}/artifacts",
        FromStream(artifacts.FenceQuery, artifacts.upload_of_attempt),
        "Upload a large payload of an attempt, for a reference to it in the result",
        Access.WORKER,
        Artifact,
        status=201,
        refusals=(400, 409, 429),
    ),
    Route(
        "GET",
        f"{_EXECUTION}/artifacts/{{sha256}}",
        Plain(artifacts.download_of_execution),
        "Download an artifact of the client whose execution it is",
        Access.WORKER,
        "*/*",
        refusals=(410,),
    ),
)

_SESSIONS: Final = (
    Route(
        "POST",
        "/auth/login",
        FromBody(sessions.LoginBody, sessions.login),
        "Begin a session",
        Access.PUBLIC,
        documents.SessionDocument,
        refusals=(401, 429, 503),
    ),
    Route(
        "POST",
        "/auth/logout",
        FromBody(NoFields, sessions.logout, optional=True),
        "End the session",
        Access.CLIENT,
        documents.Ended,
    ),
)

_HEALTH: Final = (
    Route("GET", "/api/healthz", Plain(health.healthz), "Ask whether it lives", Access.PUBLIC, documents.Alive),
    Route(
        "GET",
        "/api/readyz",
        Plain(health.readyz),
        "Ask whether it can take work; while it cannot, `checks` stand beside the error",
        Access.PUBLIC,
        documents.Readiness,
        refusals=(503,),
    ),
    Route("GET", "/health", Plain(health.health), "Ask how it is", Access.PUBLIC, documents.Health),
    Route("GET", "/openapi.json", Plain(description.openapi), "This description", Access.PUBLIC, "application/json"),
    Route("GET", "/docs", Plain(description.docs), "This description, to be read", Access.PUBLIC, "text/html"),
)

TABLE: Final[Mapping[str, tuple[Route, ...]]] = {
    "Submissions": _SUBMISSIONS,
    "Executions": _EXECUTIONS,
    "Commands": _COMMANDS,
    "Templates": _TEMPLATES,
    "Workers": _WORKERS,
    "Reports of workers": _REPORTS,
    "Artifacts": _ARTIFACTS,
    "Sessions": _SESSIONS,
    "Health and description": _HEALTH,
}
"""The routes by section, in the order in which they are documented."""

ROUTES: Final = tuple(route for section in TABLE.values() for route in section)
