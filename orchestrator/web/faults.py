"""What the rest of the orchestrator raises, as the answers that clients get. The one place that knows both."""

import math
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from orchestrator.accounts.accounts import LoginRefused
from orchestrator.accounts.throttle import Throttled
from orchestrator.core.requests import Crowded, KeyReused, RegistrationRefused, UnknownExecution, WrongState
from orchestrator.core.standing import Dishonest, Offence
from orchestrator.core.template import TemplateError
from orchestrator.store.blobs import ArtifactLost, BlobsAway
from orchestrator.store.breaker import DatabaseAway
from orchestrator.store.database import UNAVAILABLE
from orchestrator.store.journal import EpochLost
from orchestrator.store.templates import UnknownTemplate, VersionTaken
from orchestrator.web.refusal import Refused, invalid, unavailable

_AS_THEY_SAY: Final[Mapping[type[Exception], tuple[int, str]]] = {
    UnknownTemplate: (404, "unknown_template"),
    WrongState: (409, "wrong_state"),
    ArtifactLost: (410, "artifact_lost"),
    VersionTaken: (409, "version_taken"),
    KeyReused: (422, "idempotency_key_reused"),
}
"""Errors whose own text is the message."""

_CODES: Final = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def refusal_of(error: Exception) -> Refused | None:
    """How the error is answered; None for one that nobody expects, a fault of ours."""
    if type(error) in _AS_THEY_SAY:
        status, code = _AS_THEY_SAY[type(error)]
        return Refused(status, code, str(error))
    match error:
        case Refused():
            return error
        case UnknownExecution():
            return Refused(404, "unknown_execution", f"there is no execution {error}")
        case RegistrationRefused():
            return invalid([{"path": error.path, "message": str(error)}])
        case Dishonest():
            return _lie_refusal(error)
        case TemplateError():
            return _template_refusal(error)
        case LoginRefused():
            return Refused(401, "login_refused", "the e-mail address or the password is wrong")
        case Throttled():
            after = str(max(1, math.ceil(error.retry_after)))
            return Refused(429, "throttled", str(error), headers={"Retry-After": after})
        case web.HTTPException():
            return _of_aiohttp(error)
        case _:
            return _unavailability(error)


def _unavailability(error: Exception) -> Refused | None:
    match error:
        case Crowded():
            return unavailable(str(error), error.retry_after)
        case BlobsAway():
            return unavailable("the artifact store is away or full; ask again shortly")
        case DatabaseAway():
            return unavailable("the database is away; ask again shortly", error.retry_after)
        case EpochLost():
            return unavailable("the work of this replica is changing hands; ask again shortly")
        case _ if isinstance(error, UNAVAILABLE):
            return unavailable("the database is away; ask again shortly")
        case _:
            return None


def _lie_refusal(error: Dishonest) -> Refused:
    """409, and the worker has to stop what it speaks of; progress that fell ends nothing, and is 422."""
    if error.offence is Offence.PROGRESS_FELL:
        return Refused(422, error.offence.value, str(error))
    stop = {"directive": "stop"}
    return Refused(409, error.offence.value, str(error), stop, beside=stop)


def _template_refusal(error: TemplateError) -> Refused:
    first = error.faults[0]
    details = [
        {"path": fault.path, "line": fault.line, "column": fault.column, "message": fault.message}
        for fault in error.faults
    ]
    return Refused(422, "invalid_template", f"the template is not valid: {first}", details)


def _of_aiohttp(error: web.HTTPException) -> Refused | None:
    """What the router or the upgrade to a WebSocket refused."""
    if error.status >= 500 or error.status < 400:
        return None
    code = _CODES.get(error.status, "refused")
    message = {
        404: "there is no such path",
        405: f"the path does not take this method; it takes {error.headers.get('Allow')}",
    }.get(error.status, error.text or error.reason)
    allowed = error.headers.get("Allow")
    return Refused(error.status, code, message, headers={"Allow": allowed} if allowed else None)
